/** @file The forward pass of a decoder over packed rows, as a program under differentiation. */

import * as o from "../../autodiff/operations.ts";
import { Program, type Node } from "../../autodiff/program.ts";
import type { DecoderConfig } from "../decoder/decoder-config.ts";
import type { DecoderWeights, LayerWeights } from "../decoder/decoder-weights.ts";
import { linear, modelWeight, norm, parametersOf, shared, singleLinear, type TrainingContext } from "./training-layers.ts";
import { modulesOf, type TrainingMode } from "./trained-weights.ts";

export interface TrainingDecoderOptions {
  config: DecoderConfig;
  weights: DecoderWeights;
  mode: TrainingMode;
  /** Rows of a batch, B, and their length, T. */
  rows: number;
  length: number;
  /** See `TrainingContext`. */
  blockSize?: ((module: string) => number | undefined) | undefined;
  /** Whether the LoRA options' dropout is on: in training, not in evaluation. */
  dropout: boolean;
}

export interface TrainingDecoder {
  program: Program;
  /** After the final norm, [B * T, H]. */
  hidden: Node;
  /** The output projection, [V, H]. */
  head: Node;
  /** Trained weights by name, in the order of their first use. */
  parameters: Map<string, Node>;
}

/** A decoder without a head. */
export interface TrainingDecoderBody {
  context: TrainingContext;
  /** The state of every token after the last layer and before the final norm, [B * T, H]. */
  residual: Node;
}

/**
 * Inputs, all int32 [B * T] or [B, T], as TokenBatch has them: ids, segments, positions; and dropout_seed [2] where
 * something is dropped. Frozen weights are found by the names of the model's files (with `.blocks8` and
 * `.blocks8.scales` for those in 8 bits), and "rotary.cos" and "rotary.sin" [contextLength, headDim / 2].
 */
export function buildTrainingDecoder(options: TrainingDecoderOptions): TrainingDecoder {
  const { config, weights } = options;
  const { context, residual } = buildTrainingDecoderBody(options);
  const hidden = norm(context, weights.finalNorm, residual);
  const head = modelWeight(context, weights.head.weights[0] as string, [config.vocabSize, config.hiddenSize]);
  return { program: context.program, hidden, head, parameters: parametersOf(context) };
}

/** The layers; inputs and frozen weights as `buildTrainingDecoder`. */
export function buildTrainingDecoderBody(options: TrainingDecoderOptions): TrainingDecoderBody {
  const { config, weights, mode, rows, length, dropout } = options;
  const program = new Program();
  const context: TrainingContext = {
    program,
    config,
    weights,
    mode,
    dropout,
    blockSize: options.blockSize ?? (() => undefined),
    made: new Map(),
  };
  const inputs: SequenceInputs = {
    rows,
    length,
    ids: program.input("ids", "int32", [rows * length]),
    positions: program.input("positions", "int32", [rows, length]),
    mask: o.attentionMask(program.input("segments", "int32", [rows, length])),
  };
  let residual = embed(context, inputs);
  for (const layer of weights.layers) {
    residual = program.segment(() => {
      const attended = o.add(residual, attention(context, layer, norm(context, layer.inputNorm, residual), inputs));
      return o.add(attended, mlp(context, layer, norm(context, layer.mlpNorm, attended)));
    });
  }
  return { context, residual };
}

interface SequenceInputs {
  rows: number;
  length: number;
  ids: Node;
  positions: Node;
  /** [B, 1, T, T]. */
  mask: Node;
}

/** -> [B * T, H]. */
function embed(context: TrainingContext, { rows, length, ids, positions }: SequenceInputs): Node {
  const { config, weights } = context;
  const embedded = o.gatherRows(modelWeight(context, weights.embedding, [config.vocabSize, config.hiddenSize]), ids);
  if (weights.positions === undefined) return embedded;
  const table = modelWeight(context, weights.positions, [config.contextLength, config.hiddenSize]);
  return o.add(embedded, o.gatherRows(table, o.reshape(positions, [rows * length])));
}

/** x [B * T, H] -> [B * T, H]. */
function attention(context: TrainingContext, layer: LayerWeights, x: Node, inputs: SequenceInputs): Node {
  const { config } = context;
  const { heads, kvHeads, headDim } = config;
  const { rows, length, mask } = inputs;
  const sizes = [heads * headDim, kvHeads * headDim, kvHeads * headDim];
  const [query, key, value] = projections(context, layer, x, sizes) as [Node, Node, Node];
  const byHead = (states: Node, count: number): Node => o.transpose(o.reshape(states, [rows, length, count, headDim]), [0, 2, 1, 3]);
  const queries = byHead(placed(context, query, layer.queryNorm, inputs), heads); // [B, heads, T, D]
  const keys = byHead(placed(context, key, layer.keyNorm, inputs), kvHeads);
  // The query heads of a group follow one another, so that a group's queries meet their key head in one product.
  const grouped = o.reshape(queries, [rows, kvHeads, (heads / kvHeads) * length, headDim]);
  const attended = o.attention(grouped, keys, byHead(value, kvHeads), mask, 1 / Math.sqrt(headDim));
  const byToken = o.transpose(o.reshape(attended, [rows, heads, length, headDim]), [0, 2, 1, 3]);
  return singleLinear(context, layer.output, o.reshape(byToken, [rows * length, heads * headDim]));
}

/** Query, key and value, each [B * T, heads * D]; GPT-2 has them in one matrix. */
function projections(context: TrainingContext, layer: LayerWeights, x: Node, sizes: readonly number[]): Node[] {
  const { queryKeyValue } = layer;
  if (queryKeyValue.weights.length === sizes.length) return modulesOf(queryKeyValue).map((module) => linear(context, module, x));
  const all = singleLinear(context, queryKeyValue, x);
  return sizes.map((size, part) => {
    const start = sizes.slice(0, part).reduce((sum, before) => sum + before, 0);
    return o.slice(all, 1, start, start + size);
  });
}

/** Normalises each head (Qwen3) and turns it by its position. [B * T, heads * D] -> [B, T, heads * D]. */
function placed(context: TrainingContext, x: Node, headNorm: string | undefined, { rows, length, positions }: SequenceInputs): Node {
  const { program, config } = context;
  const { headDim, contextLength } = config;
  const width = x.shape[1] as number;
  const normed =
    headNorm === undefined
      ? x
      : o.rmsNorm(o.reshape(x, [rows * length, width / headDim, headDim]), modelWeight(context, headNorm, [headDim]), config.norm.epsilon);
  const byRow = o.reshape(normed, [rows, length, width]);
  if (config.position.kind !== "rotary") return byRow;
  const table = (name: string): Node => shared(context, name, () => program.weight(name, "float32", [contextLength, headDim / 2]));
  return o.rotary(byRow, {
    positions: shared(context, "positions64", () => o.cast(positions, "int64")),
    cosines: table("rotary.cos"),
    sines: table("rotary.sin"),
  });
}

/** x [B * T, H] -> [B * T, H]. */
function mlp(context: TrainingContext, layer: LayerWeights, x: Node): Node {
  const inner = modulesOf(layer.up).map((module) => linear(context, module, x));
  const [first, up] = inner as [Node, Node | undefined];
  return singleLinear(context, layer.down, up === undefined ? o.gelu(first) : o.mul(o.silu(first), up));
}
