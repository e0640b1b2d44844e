/**
 * @file The decoder as one graph for both of its phases, which differ in shape only: prefill runs one row of many tokens, decoding many rows
 * of one token. One graph keeps one copy of the weights in memory.
 */

import { BonsaiError } from "../errors/bonsai-error.ts";
import type { ElementType } from "../onnx/data-type.ts";
import { Graph, type Value } from "../onnx/graph.ts";
import {
  emitEmbedding,
  emitMlp,
  emitDivision,
  emitNorm,
  emitQueryKeyNorm,
  emitRotary,
  type DecoderContext,
  type Normed,
} from "./decoder-layers.ts";
import type { LayerWeights } from "./decoder-weights.ts";
import { emitHead } from "./decoder-head.ts";
import { emitLinear, external } from "./linear.ts";

/**
 * How keys and values are stored between runs. float16 is widened in the graph, which is exact. int8 has one scale for each channel of each
 * key/value head of each layer, measured beforehand: it folds into the query and into the sum of values, so stored values are only widened.
 */
export type CacheType = Extract<ElementType, "float32" | "float16" | "int8">;

export interface DecoderGraphOptions {
  cacheType: CacheType;
  /** What int8 keys and values are multiplied by: keys of all layers, then values, [2 * layers, kvHeads, headDim]. */
  cacheScales?: Float32Array<ArrayBuffer> | undefined;
  /** Instead of the head: the largest magnitude of every channel that enters each linear layer, as "max:NAME" [inputs]. */
  observed?: boolean;
}

/**
 * Inputs, with N rows of S tokens, T1 places in the prompt cache and T2 in the answer cache:
 * - ids, positions [N, S] int64
 * - prompt_key_i, prompt_value_i [P, kvHeads, T1, headDim] where P is N, or 1 when all rows share one prompt
 * - answer_key_i, answer_value_i [N, kvHeads, T2, headDim]
 * - mask [N, 1, Q, T1 + T2 + S]: 0 where a token may look, the lowest float elsewhere. Q is 1, or S * heads / kvHeads: the tokens once for
 *   each query head of a group
 * - lengths [3] int64: T1, T2, S
 *
 * - unless `observed`: head_rows, inverse_temperature (decoder-head.ts)
 *
 * Outputs: the head's; rows [2 * layers * N, kvHeads, S, headDim], keys of all layers and then values.
 *
 * Prompt, answer and the new tokens are multiplied apart, whoever shares them: a row's sums are added in one order whether its prompt is
 * shared or not.
 */
export function buildDecoderGraph(base: Omit<DecoderContext, "graph">, options: DecoderGraphOptions): Graph {
  const graph = new Graph();
  const context: DecoderContext = { ...base, graph };
  const { config, weights } = context;
  const ids = graph.input("ids", "int64", ["N", "S"]);
  const positions = graph.input("positions", "int64", ["N", "S"]);
  const step: StepInputs = {
    positions,
    mask: graph.input("mask", "float32", ["N", 1, "Q", "T"]),
    lengths: graph.input("lengths", "int64", [3]),
    options,
    observe: (name, x, channels) => {
      if (options.observed !== true) return;
      const largest = graph.op("ReduceMax", [graph.op("Abs", [x]), graph.int64s(0)], { keepdims: { int: 0 } });
      graph.output(`max:${name}`, largest, "float32", [channels]);
    },
  };
  const keys: Value[] = [];
  const values: Value[] = [];
  let state: Normed = { residual: emitEmbedding(context, ids, positions), normed: "" as Value };
  let update: Value | undefined;
  weights.layers.forEach((layer, index) => {
    state = emitNorm(context, layer.inputNorm, state.residual, update, base.smoothing?.get(layer.queryKeyValue.name));
    const attention = emitAttention(context, layer, index, state.normed, step);
    keys.push(attention.key);
    values.push(attention.value);
    state = emitNorm(context, layer.mlpNorm, state.residual, attention.output, base.smoothing?.get(layer.up.name));
    step.observe(layer.up.name, state.normed, config.hiddenSize);
    update = emitMlp(context, layer, state.normed, (x) => step.observe(layer.down.name, x, config.intermediateSize));
  });
  const { normed } = emitNorm(context, weights.finalNorm, state.residual, update);
  if (options.observed !== true) emitHead(context, normed);
  const rows = emitStored(context, graph.op("Concat", [...keys, ...values], { axis: { int: 0 } }), options);
  graph.output("rows", rows, options.cacheType, ["R", config.kvHeads, "S", config.headDim]);
  return graph;
}

interface StepInputs {
  positions: Value;
  mask: Value;
  lengths: Value;
  options: DecoderGraphOptions;
  observe: (name: string, x: Value, channels: number) => void;
}

/** x [N * S, H] -> output [N * S, H]; the tokens' keys and values, each [N, kvHeads, S, headDim]. */
function emitAttention(
  context: DecoderContext,
  layer: LayerWeights,
  index: number,
  x: Value,
  step: StepInputs,
): { output: Value; key: Value; value: Value } {
  const { graph, config, smoothing } = context;
  const { heads, kvHeads, headDim } = config;
  step.observe(layer.queryKeyValue.name, x, config.hiddenSize);
  const projected = emitLinear(context, layer.queryKeyValue, x, { inputs: smoothing?.get(layer.queryKeyValue.name) });
  const byTokenShape = graph.once("by_token_shape", () => {
    const rowsAndTokens = graph.op("Shape", [step.positions]);
    return graph.op("Concat", [rowsAndTokens, graph.int64s(heads + 2 * kvHeads, headDim)], { axis: { int: 0 } });
  });
  const byToken = graph.op("Reshape", [projected, byTokenShape]);
  const byHead = graph.op("Transpose", [byToken], { perm: { ints: [0, 2, 1, 3] } });
  const [queryKey, value] = graph.ops("Split", [byHead, graph.int64s(heads + kvHeads, kvHeads)], 2, { axis: { int: 1 } }) as [Value, Value];
  const rotated = emitRotary(context, emitQueryKeyNorm(context, layer, queryKey), step.positions);
  const [queryHeads, key] = graph.ops("Split", [rotated, graph.int64s(heads, kvHeads)], 2, { axis: { int: 1 } }) as [Value, Value];
  // The query heads of a group follow one another, so that a group's queries meet their key head in one product.
  const query = graph.op("Reshape", [queryHeads, graph.int64s(0, kvHeads, -1, headDim)]);
  const cached = emitCached(context, index, query, step.options);
  const all = graph.op("Concat", [...cached.scores, emitScores(context, query, key)], { axis: { int: -1 } });
  const weights = graph.op("Softmax", [graph.op("Add", [all, step.mask])], { axis: { int: -1 } });
  const [onPrompt, onAnswer, onNew] = graph.ops("Split", [weights, step.lengths], 3, { axis: { int: -1 } }) as [Value, Value, Value];
  const sum = graph.op("Add", [cached.sum(onPrompt, onAnswer), graph.op("MatMul", [onNew, value])]);
  const attendedHeads = graph.op("Transpose", [graph.op("Reshape", [sum, graph.int64s(0, heads, -1, headDim)])], {
    perm: { ints: [0, 2, 1, 3] },
  });
  const attended = graph.op("Reshape", [attendedHeads, graph.int64s(-1, heads * headDim)]);
  step.observe(layer.output.name, attended, heads * headDim);
  const divisor = smoothing?.get(layer.output.name);
  const output = emitLinear(context, layer.output, emitDivision(context, layer.output.name, attended, divisor), { inputs: divisor });
  return { output, key, value };
}

/** query [N, kvHeads, R, headDim] against keys [.., kvHeads, T, headDim]: [N, kvHeads, R, T]. */
function emitScores({ graph, config }: DecoderContext, query: Value, keys: Value): Value {
  return graph.microsoft("FusedMatMul", [query, keys], { transB: { int: 1 }, alpha: { float: 1 / Math.sqrt(config.headDim) } });
}

/** The scores against both caches, and how the weights on them sum their values. */
function emitCached(
  context: DecoderContext,
  index: number,
  query: Value,
  { cacheType, cacheScales }: DecoderGraphOptions,
): { scores: Value[]; sum: (onPrompt: Value, onAnswer: Value) => Value } {
  const { graph, config } = context;
  const { kvHeads, headDim, layers } = config;
  const cache = (name: string, rows: string, length: string): Value => {
    const input = graph.input(`${name}_${index}`, cacheType, [rows, kvHeads, length, headDim]);
    return cacheType === "float32" ? input : graph.op("Cast", [input], { to: { int: 1 } });
  };
  const scale = (x: Value, array: number, name: string): Value => {
    if (cacheScales === undefined) return x;
    const start = array * kvHeads * headDim;
    const make = (): Float32Array<ArrayBuffer> => cacheScales.slice(start, start + kvHeads * headDim);
    return graph.op("Mul", [x, external(context, `cache.${name}_scale_${index}`, "float32", [kvHeads, 1, headDim], make)]);
  };
  const scaledQuery = scale(query, index, "key");
  const scores = [
    emitScores(context, scaledQuery, cache("prompt_key", "P", "T1")),
    emitScores(context, scaledQuery, cache("answer_key", "N", "T2")),
  ];
  const promptValue = cache("prompt_value", "P", "T1");
  const answerValue = cache("answer_value", "N", "T2");
  const sum = (onPrompt: Value, onAnswer: Value): Value => {
    const parts = [graph.op("MatMul", [onPrompt, promptValue]), graph.op("MatMul", [onAnswer, answerValue])];
    return scale(graph.op("Add", parts), layers + index, "value");
  };
  return { scores, sum };
}

/** The new rows as they are stored. rows [2 * layers * N, kvHeads, S, headDim]. */
function emitStored(context: DecoderContext, rows: Value, { cacheType, cacheScales }: DecoderGraphOptions): Value {
  const { graph, config } = context;
  const { layers, kvHeads, headDim } = config;
  if (cacheType === "float32") return rows;
  if (cacheType === "float16") return graph.op("Cast", [rows], { to: { int: 10 } });
  if (cacheScales === undefined) throw new BonsaiError("internal", "An int8 cache needs its scales.");
  const reciprocals = external(context, "cache.reciprocals", "float32", [2 * layers, 1, kvHeads, 1, headDim], () =>
    cacheScales.map((scale) => 1 / scale),
  );
  const tokens = graph.op("Shape", [rows], { start: { int: 2 }, end: { int: 3 } });
  const shape = graph.op("Concat", [graph.int64s(2 * layers, -1, kvHeads), tokens, graph.int64s(headDim)], { axis: { int: 0 } });
  const scaled = graph.op("Mul", [graph.op("Reshape", [rows, shape]), reciprocals]);
  const clipped = graph.op("Clip", [graph.op("Round", [scaled]), graph.float(-127), graph.float(127)]);
  return graph.op("Cast", [graph.op("Reshape", [clipped, graph.op("Shape", [rows])])], { to: { int: 3 } });
}
