/**
 * @file Cross-entropy of a large vocabulary's logits, in chunks of rows: no more than one chunk of logits exists at a
 * time.
 */

import {
  add,
  afterAll,
  cast,
  concat,
  equal,
  gatherRows,
  log,
  logSumExp,
  matmul,
  max,
  mul,
  neg,
  reshape,
  scatterAddRows,
  slice,
  softmax,
  stopGradient,
  sub,
  sumAll,
  sumLast,
  takeAlongLast,
  where,
  withGradients,
} from "./operations.ts";
import type { Node } from "./program.ts";

/** Logits of one chunk: 64 MiB of float32. */
const defaultChunkElements = 2 ** 24;

export interface CrossEntropyInputs {
  /** [N, H]. */
  hidden: Node;
  /** The output projection, [V, H]. */
  weight: Node;
  /** [N] int32: the index that each row must predict, or -1 where nothing is trained. */
  targets: Node;
  /** What the rows' losses are multiplied by: a scalar, such as one over their number, or [N, 1]. */
  scale: Node;
  /** Whether derivatives will be asked for. */
  differentiated: boolean;
  /** Most logits at a time. */
  chunkElements?: number | undefined;
}

/** Scalars, all over the trained rows. */
export interface CrossEntropy {
  /** The sum of scale times -log p(target), nats. */
  loss: Node;
  /** Rows whose target is (one of) the likeliest. */
  correct: Node;
  /**
   * Sum of the entropies of the predictions, nats: next to nothing beside the derivative, and without it a product as
   * large as the logits'.
   */
  entropy: Node;
}

/**
 * The derivatives by hidden states and weight are computed chunk by chunk along with the loss, whose derivative by the
 * logits is scale (softmax - one-hot): keeping softmax for a later backward pass would keep [N, V].
 */
export function crossEntropy(inputs: CrossEntropyInputs): CrossEntropy {
  const { hidden, weight, targets, scale, differentiated, chunkElements = defaultChunkElements } = inputs;
  const rows = hidden.shape[0] as number;
  const chunkRows = rowsOfChunk(hidden, weight, chunkElements);
  const parts: Chunk[] = [];
  let weightGradient: Node | undefined;
  for (let start = 0; start < rows; start += chunkRows) {
    const end = Math.min(start + chunkRows, rows);
    const scaleOfRows = scale.shape.length === 0 ? scale : slice(scale, 0, start, end);
    // All that reads a chunk's logits comes before the next chunk's: else a sum of all chunks would be followed through
    // all of them first.
    const hiddenOfRows = afterAll(
      slice(hidden, 0, start, end),
      parts.slice(-1).map(({ loss }) => loss),
    );
    const part = crossEntropyChunk(hiddenOfRows, weight, slice(targets, 0, start, end), scaleOfRows);
    const readers = [part.correct, ...(differentiated ? [part.entropy] : [])];
    if (differentiated && hidden.active) readers.push(part.hiddenGradient);
    if (differentiated && weight.active) {
      const gradient = matmul(part.probabilities, part.scaledHidden, { transposeA: true });
      weightGradient = weightGradient === undefined ? gradient : add(weightGradient, gradient);
      readers.push(weightGradient);
    }
    parts.push({ ...part, loss: afterAll(part.loss, readers) });
  }
  const joined = (of: (part: Chunk) => Node): Node => concat(parts.map(of) as [Node, ...Node[]], 0);
  const total = (of: (part: Chunk) => Node): Node => parts.map(of).reduce((sum, part) => add(sum, part));
  const gradients: { of: Node; gradient: Node }[] = [];
  if (differentiated && hidden.active) gradients.push({ of: hidden, gradient: joined((part) => part.hiddenGradient) });
  if (weightGradient !== undefined) {
    gradients.push({ of: weight, gradient: scatterAddRows(weightGradient, targets, neg(joined((part) => part.scaledHidden))) });
  }
  const [loss, correct, entropy] = [total((part) => part.loss), total((part) => part.correct), total((part) => part.entropy)];
  return { loss: withGradients(loss, gradients), correct, entropy };
}

/**
 * log p(target) of each row, [N, 1], nats; 0 where the target is -1. No derivative flows through it: what a loss of
 * these asks of a row goes into `crossEntropy` as that row's scale.
 */
export function targetLogProbabilities(inputs: Pick<CrossEntropyInputs, "hidden" | "weight" | "targets" | "chunkElements">): Node {
  const { hidden, weight, targets, chunkElements = defaultChunkElements } = inputs;
  const rows = hidden.shape[0] as number;
  const chunkRows = rowsOfChunk(hidden, weight, chunkElements);
  const parts: Node[] = [];
  for (let start = 0; start < rows; start += chunkRows) {
    const end = Math.min(start + chunkRows, rows);
    const logits = matmul(slice(hidden, 0, start, end), weight, { transposeB: true });
    const column = reshape(slice(targets, 0, start, end), [end - start, 1]);
    const zero = hidden.program.full(0);
    parts.push(where(isIgnored(column), zero, sub(takeAlongLast(logits, column), logSumExp(logits))));
  }
  return stopGradient(concat(parts as [Node, ...Node[]], 0));
}

function rowsOfChunk(hidden: Node, weight: Node, chunkElements: number): number {
  const [rows, vocabSize] = [hidden.shape[0] as number, weight.shape[0] as number];
  const chunks = Math.ceil((rows * vocabSize) / chunkElements);
  return Math.ceil(rows / Math.min(chunks, rows));
}

/** @param column int32 */
function isIgnored(column: Node): Node {
  return equal(column, cast(column.program.full(-1), "int32"));
}

interface Chunk {
  loss: Node;
  correct: Node;
  entropy: Node;
  /** [n, V]. */
  probabilities: Node;
  /** [n, H]: rows times scale, zero where nothing is trained. */
  scaledHidden: Node;
  /** [n, H]. */
  hiddenGradient: Node;
}

/** One chunk of n rows. Indices of -1 read some row or other, which a factor of zero takes out. */
function crossEntropyChunk(hidden: Node, weight: Node, targets: Node, scale: Node): Chunk {
  const { program } = hidden;
  const column = reshape(targets, [targets.shape[0] as number, 1]);
  const trained = where(isIgnored(column), program.full(0), program.full(1)); // [n, 1]
  const logits = matmul(hidden, weight, { transposeB: true }); // [n, V]
  const probabilities = softmax(logits);
  const largest = max(logits, [1]); // [n, 1]
  // p of the largest is exp(largest - logsumexp): no second pass of exponentials over the vocabulary.
  const logMass = sub(largest, log(max(probabilities, [1])));
  const target = takeAlongLast(logits, column);
  const isCorrect = where(equal(target, largest), trained, program.full(0));
  const factor = mul(trained, scale);
  const meanRow = matmul(probabilities, weight); // [n, H]
  // The mean logit is that of the mean row: its product with the hidden state has H terms where the mean itself has V.
  const entropies = sub(logMass, sumLast(mul(hidden, meanRow)));
  return {
    loss: sumAll(mul(sub(logMass, target), factor)),
    correct: sumAll(isCorrect),
    entropy: sumAll(mul(entropies, trained)),
    probabilities,
    scaledHidden: mul(hidden, factor),
    hiddenGradient: mul(sub(meanRow, gatherRows(weight, targets)), factor),
  };
}
