/** @file The forward pass of a BERT with its classifier over packed rows, as a program under differentiation. */

import * as o from "../../autodiff/operations.ts";
import { Program, type Node } from "../../autodiff/program.ts";
import type { BertConfig } from "../encoder/bert-config.ts";
import type { BertLayerWeights, BertWeights } from "../encoder/bert-weights.ts";
import { modulesOf, type TrainedWeight, type TrainingMode } from "./trained-weights.ts";
import { dropped, linear, modelWeight, norm, parametersOf, shared, singleLinear, type LayerContext } from "./training-layers.ts";

export interface TrainingBertOptions {
  config: BertConfig;
  weights: BertWeights;
  /**
   * Pooler and layers are trained whole, or by factors beside the linear layers named; the classifier is trained whole
   * in either.
   */
  mode: TrainingMode;
  /** Rows of a batch, B, and their length, T, which is at most the model's context. */
  rows: number;
  length: number;
  /** Texts or pairs of a batch, N: a row may hold several. */
  documents: number;
  /** See `LayerContext`. */
  blockSize?: ((module: string) => number | undefined) | undefined;
  /**
   * Whether dropout is on: in training, not in evaluation. The config's rates for hidden states and classifier, and
   * LoRA's. Attention drops nothing.
   */
  dropout: boolean;
}

export interface TrainingBert {
  program: Program;
  /** The last layer's states, [B * T, H]. */
  hidden: Node;
  /** The classifier's outputs, [N, labels]: what a loss of rewards is written over. */
  logits: Node;
  /** Trained weights by name, in the order of their first use: Hugging Face's names, or PEFT's under LoRA. */
  parameters: Map<string, Node>;
}

/**
 * Inputs, int32: ids, types, positions, segments, each [B * T] or [B, T]; starts [N], the places among B * T of each
 * document's first token ([CLS]), and dropout_seed [2] where something is dropped. Places of one segment of a row see
 * each other; padding has a segment of its own, -1. A row with one pair has segment 0, positions from 0 and then
 * padding; several pairs are rows side by side in one. Frozen weights are found by the names of the model's files (with
 * `.blocks8` and `.blocks8.scales` for those in 8 bits).
 */
export function buildTrainingBert(options: TrainingBertOptions): TrainingBert {
  const { config, weights, mode, rows, length, documents, dropout } = options;
  const program = new Program();
  const context: LayerContext = { program, config, mode, dropout, blockSize: options.blockSize ?? (() => undefined), made: new Map() };
  const places = rows * length;
  const embedded = embed(context, options, {
    ids: program.input("ids", "int32", [places]),
    types: program.input("types", "int32", [places]),
    positions: program.input("positions", "int32", [places]),
  });
  const mask = maskOf(program.input("segments", "int32", [rows, length]));
  let hidden = embedded;
  for (const layer of weights.layers) {
    const input = hidden;
    hidden = program.segment(() => {
      const attended = norm(
        context,
        layer.attentionNorm,
        o.add(input, hiddenDropout(context, config, attention(context, options, layer, input, mask))),
      );
      return norm(context, layer.outputNorm, o.add(attended, hiddenDropout(context, config, mlp(context, config, layer, attended))));
    });
  }
  const starts = program.input("starts", "int32", [documents]);
  const pooled = o.tanh(singleLinear(context, weights.pooler, o.gatherRows(hidden, starts)));
  const head = classifierWeights(config, mode);
  const [weight, bias] = head.map(({ name, shape }) => shared(context, name, () => program.parameter(name, shape))) as [Node, Node];
  const logits = o.add(o.matmul(dropped(context, config.dropout.classifier, pooled), weight, { transposeB: true }), bias);
  return { program, hidden, logits, parameters: parametersOf(context) };
}

/**
 * The classifier's matrix [labels, H] and bias [labels], by the names of the model's own files or of PEFT's, which keep
 * it whole beside the factors.
 */
function classifierWeights({ labels, hiddenSize }: BertConfig, { kind }: TrainingMode): [weight: TrainedWeight, bias: TrainedWeight] {
  const prefix = kind === "full" ? "" : "base_model.model.";
  return [
    { name: `${prefix}classifier.weight`, shape: [labels.length, hiddenSize] },
    { name: `${prefix}classifier.bias`, shape: [labels.length] },
  ];
}

/** -> [B * T, H]. */
function embed(context: LayerContext, { config, weights }: TrainingBertOptions, inputs: Record<"ids" | "types" | "positions", Node>): Node {
  const { hiddenSize, vocabSize, typeVocabSize, contextLength } = config;
  const rowsOf = (table: string, size: number, indices: Node): Node =>
    o.gatherRows(modelWeight(context, table, [size, hiddenSize]), indices);
  const words = rowsOf(weights.embedding, vocabSize, inputs.ids);
  const types = rowsOf(weights.types, typeVocabSize, inputs.types);
  const sum = o.add(o.add(words, types), rowsOf(weights.positions, contextLength, inputs.positions));
  return hiddenDropout(context, config, norm(context, weights.embeddingNorm, sum));
}

/**
 * segments [B, T] -> [B, 1, T, T]: 0 where a place may look, which is its own segment, and far below any score
 * elsewhere.
 */
function maskOf(segments: Node): Node {
  const [rows, length] = segments.shape as [number, number];
  const isSeen = o.equal(o.reshape(segments, [rows, 1, length, 1]), o.reshape(segments, [rows, 1, 1, length]));
  return o.where(isSeen, segments.program.full(0), segments.program.full(-1e30));
}

/** x [B * T, H] -> [B * T, H]. */
function attention(
  context: LayerContext,
  { config, rows, length }: TrainingBertOptions,
  layer: BertLayerWeights,
  x: Node,
  mask: Node,
): Node {
  const { heads, headDim, hiddenSize } = config;
  const [query, key, value] = modulesOf(layer.queryKeyValue).map((projection) =>
    o.transpose(o.reshape(linear(context, projection, x), [rows, length, heads, headDim]), [0, 2, 1, 3]),
  ) as [Node, Node, Node]; // [B, heads, T, D] each
  const attended = o.attention(query, key, value, mask, 1 / Math.sqrt(headDim));
  return singleLinear(context, layer.output, o.reshape(o.transpose(attended, [0, 2, 1, 3]), [rows * length, hiddenSize]));
}

/** x [B * T, H] -> [B * T, H]. */
function mlp(context: LayerContext, { activation }: BertConfig, layer: BertLayerWeights, x: Node): Node {
  return singleLinear(context, layer.down, o.gelu(singleLinear(context, layer.up, x), activation === "gelu" ? "none" : "tanh"));
}

function hiddenDropout(context: LayerContext, { dropout }: BertConfig, x: Node): Node {
  return dropped(context, dropout.hidden, x);
}
