/** @file The decode step: one token of each of B rows, attention over two caches that are fed as inputs, only the new rows returned. */

import { Graph, type Value } from "../onnx/graph.ts";
import { emitEmbedding, emitMlp, emitDivision, emitNorm, emitQueryKeyNorm, emitRotary, type DecoderContext, type Normed } from "./decoder-layers.ts";
import type { LayerWeights } from "./decoder-weights.ts";
import { emitLinear } from "./linear.ts";

/** How keys and values are stored between steps. float16 is widened inside the graph, which is exact. */
export type CacheType = "float32" | "float16";

/**
 * Inputs, with B rows, T1 places in the prompt cache, T2 in the answer cache:
 * - ids, positions [B, 1] int64
 * - prompt_key_i, prompt_value_i [P, kvHeads, T1, headDim] where P is B, or 1 when all rows share one prompt
 * - answer_key_i, answer_value_i [B, kvHeads, T2, headDim]
 * - mask [B, 1, 1, T1 + T2 + 1]: 0 where a place holds a key of the row, the lowest float elsewhere; the last is the token itself
 * - lengths [3] int64: T1, T2, 1
 *
 * Outputs: hidden [B, 1, H] after the final norm; rows [2 * layers * B, kvHeads, headDim], keys of all layers and then values.
 *
 * The prompt and the answer are multiplied apart, whoever shares them: a row's sums are added in one order whether its prompt is shared or not.
 */
export function buildDecodeGraph(base: Omit<DecoderContext, "graph">, cacheType: CacheType): Graph {
  const graph = new Graph();
  const context: DecoderContext = { ...base, graph };
  const { config, weights } = context;
  const ids = graph.input("ids", "int64", ["B", 1]);
  const positions = graph.input("positions", "int64", ["B", 1]);
  const step: StepInputs = {
    positions,
    mask: graph.input("mask", "float32", ["B", 1, 1, "T"]),
    lengths: graph.input("lengths", "int64", [3]),
    cacheType,
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
    update = emitMlp(context, layer, state.normed);
  });
  const { normed } = emitNorm(context, weights.finalNorm, state.residual, update);
  graph.output("hidden", normed, "float32", ["B", 1, config.hiddenSize]);
  const rows = graph.op("Concat", [...keys, ...values], { axis: { int: 0 } });
  const stored = cacheType === "float16" ? graph.op("Cast", [rows], { to: { int: 10 } }) : rows;
  const squeezed = graph.op("Reshape", [stored, graph.int64s(-1, config.kvHeads, config.headDim)]);
  graph.output("rows", squeezed, cacheType, ["R", config.kvHeads, config.headDim]);
  return graph;
}

interface StepInputs {
  positions: Value;
  mask: Value;
  lengths: Value;
  cacheType: CacheType;
}

/** x [B, 1, H] -> output [B, 1, H]; the token's key and value, each [B, kvHeads, 1, headDim]. */
function emitAttention(
  context: DecoderContext,
  layer: LayerWeights,
  index: number,
  x: Value,
  step: StepInputs,
): { output: Value; key: Value; value: Value } {
  const { graph, config } = context;
  const { heads, kvHeads, headDim } = config;
  const group = heads / kvHeads;
  const projected = emitLinear(context, layer.queryKeyValue, x, { inputs: context.smoothing?.get(layer.queryKeyValue.name) });
  const splits = graph.int64s((heads + kvHeads) * headDim, kvHeads * headDim);
  const [queryKey, flatValue] = graph.ops("Split", [projected, splits], 2, { axis: { int: -1 } }) as [Value, Value];
  let rotated: Value;
  if (config.queryKeyNorm) {
    const byHead = graph.op("Reshape", [queryKey, graph.int64s(0, 1, heads + kvHeads, headDim)]);
    const normed = emitQueryKeyNorm(context, layer, byHead, [heads + kvHeads, headDim]);
    rotated = emitRotary(context, graph.op("Reshape", [normed, graph.int64s(0, 1, (heads + kvHeads) * headDim)]), step.positions);
  } else {
    rotated = emitRotary(context, queryKey, step.positions);
  }
  const [flatQuery, flatKey] = graph.ops("Split", [rotated, graph.int64s(heads * headDim, kvHeads * headDim)], 2, { axis: { int: -1 } }) as [Value, Value];
  const query = graph.op("Reshape", [flatQuery, graph.int64s(0, kvHeads, group, headDim)]);
  const key = graph.op("Reshape", [flatKey, graph.int64s(0, kvHeads, 1, headDim)]);
  const value = graph.op("Reshape", [flatValue, graph.int64s(0, kvHeads, 1, headDim)]);
  const cache = (name: string, rows: string, length: string): Value => {
    const input = graph.input(`${name}_${index}`, step.cacheType, [rows, kvHeads, length, headDim]);
    return step.cacheType === "float16" ? graph.op("Cast", [input], { to: { int: 1 } }) : input;
  };
  const promptKey = cache("prompt_key", "P", "T1");
  const promptValue = cache("prompt_value", "P", "T1");
  const answerKey = cache("answer_key", "B", "T2");
  const answerValue = cache("answer_value", "B", "T2");
  const scores = (against: Value): Value =>
    graph.microsoft("FusedMatMul", [query, against], { transB: { int: 1 }, alpha: { float: 1 / Math.sqrt(headDim) } });
  const all = graph.op("Concat", [scores(promptKey), scores(answerKey), scores(key)], { axis: { int: -1 } });
  const weights = graph.op("Softmax", [graph.op("Add", [all, step.mask])], { axis: { int: -1 } });
  const [onPrompt, onAnswer, onSelf] = graph.ops("Split", [weights, step.lengths], 3, { axis: { int: -1 } }) as [Value, Value, Value];
  const parts = [graph.op("MatMul", [onPrompt, promptValue]), graph.op("MatMul", [onAnswer, answerValue]), graph.op("Mul", [onSelf, value])];
  const attended = graph.op("Reshape", [graph.op("Sum", parts), graph.int64s(0, 1, heads * headDim)]);
  const smoothing = context.smoothing?.get(layer.output.name);
  const output = emitLinear(context, layer.output, emitDivision(context, layer.output.name, attended, smoothing), { inputs: smoothing });
  return { output, key, value };
}
