/** @file Prefill: a chunk of one prompt at once, attention over the chunks before it and, causally, over itself. */

import { Graph, type Value } from "../onnx/graph.ts";
import type { CacheType } from "./decode-graph.ts";
import { emitEmbedding, emitMlp, emitDivision, emitNorm, emitQueryKeyNorm, emitRotary, type DecoderContext, type Normed } from "./decoder-layers.ts";
import type { LayerWeights } from "./decoder-weights.ts";
import { emitLinear } from "./linear.ts";

/**
 * Inputs, with S tokens in the chunk and T places in the cache:
 * - ids, positions [1, S] int64
 * - past_key_i, past_value_i [kvHeads, 1, T, headDim]
 * - past_mask [1, 1, 1, T]: 0 where the cache holds a key, the lowest float elsewhere
 * - causal_mask [1, 1, S, S]
 * - lengths [2] int64: T, S
 *
 * Outputs: hidden [1, S, H] after the final norm; rows [2 * layers * kvHeads, S, headDim], keys of all layers and then values.
 * With `observed`, also the largest magnitude of every channel that enters each linear layer, as "max:NAME" [inputs].
 */
export function buildPrefillGraph(base: Omit<DecoderContext, "graph">, cacheType: CacheType, observed = false): Graph {
  const graph = new Graph();
  const context: DecoderContext = { ...base, graph };
  const { config, weights } = context;
  const ids = graph.input("ids", "int64", [1, "S"]);
  const positions = graph.input("positions", "int64", [1, "S"]);
  const chunk: ChunkInputs = {
    positions,
    pastMask: graph.input("past_mask", "float32", [1, 1, 1, "T"]),
    causalMask: graph.input("causal_mask", "float32", [1, 1, "S", "S"]),
    lengths: graph.input("lengths", "int64", [2]),
    cacheType,
    observe: (name, x, channels) => {
      if (observed) graph.output(`max:${name}`, graph.op("ReduceMax", [graph.op("Abs", [x]), graph.int64s(0, 1)], { keepdims: { int: 0 } }), "float32", [channels]);
    },
  };
  const keys: Value[] = [];
  const values: Value[] = [];
  let state: Normed = { residual: emitEmbedding(context, ids, positions), normed: "" as Value };
  let update: Value | undefined;
  weights.layers.forEach((layer, index) => {
    state = emitNorm(context, layer.inputNorm, state.residual, update, base.smoothing?.get(layer.queryKeyValue.name));
    const attention = emitAttention(context, layer, index, state.normed, chunk);
    keys.push(attention.key);
    values.push(attention.value);
    state = emitNorm(context, layer.mlpNorm, state.residual, attention.output, base.smoothing?.get(layer.up.name));
    chunk.observe(layer.up.name, state.normed, config.hiddenSize);
    update = emitMlp(context, layer, state.normed, (x) => chunk.observe(layer.down.name, x, config.intermediateSize));
  });
  const { normed } = emitNorm(context, weights.finalNorm, state.residual, update);
  graph.output("hidden", normed, "float32", [1, "S", config.hiddenSize]);
  const rows = graph.op("Concat", [...keys, ...values], { axis: { int: 0 } });
  const stored = cacheType === "float16" ? graph.op("Cast", [rows], { to: { int: 10 } }) : rows;
  graph.output("rows", stored, cacheType, [2 * config.layers * config.kvHeads, "S", config.headDim]);
  return graph;
}

interface ChunkInputs {
  positions: Value;
  pastMask: Value;
  causalMask: Value;
  lengths: Value;
  cacheType: CacheType;
  observe: (name: string, x: Value, channels: number) => void;
}

/** x [1, S, H] -> output [1, S, H]; the chunk's keys and values, each [kvHeads, S, headDim]. */
function emitAttention(
  context: DecoderContext,
  layer: LayerWeights,
  index: number,
  x: Value,
  chunk: ChunkInputs,
): { output: Value; key: Value; value: Value } {
  const { graph, config } = context;
  const { heads, kvHeads, headDim } = config;
  const group = heads / kvHeads;
  chunk.observe(layer.queryKeyValue.name, x, config.hiddenSize);
  const projected = emitLinear(context, layer.queryKeyValue, x, { inputs: context.smoothing?.get(layer.queryKeyValue.name) });
  const byHead = graph.op("Transpose", [graph.op("Reshape", [projected, graph.int64s(0, 0, heads + 2 * kvHeads, headDim)])], { perm: { ints: [0, 2, 1, 3] } });
  const [queryKey, valueHeads] = graph.ops("Split", [byHead, graph.int64s(heads + kvHeads, kvHeads)], 2, { axis: { int: 1 } }) as [Value, Value];
  const normed = emitQueryKeyNorm(context, layer, queryKey, [heads + kvHeads, 1, headDim]);
  const rotated = emitRotary(context, normed, chunk.positions);
  const [queryHeads, keyHeads] = graph.ops("Split", [rotated, graph.int64s(heads, kvHeads)], 2, { axis: { int: 1 } }) as [Value, Value];
  const query = graph.op("Reshape", [queryHeads, graph.int64s(kvHeads, group, -1, headDim)]);
  const key = graph.op("Reshape", [keyHeads, graph.int64s(kvHeads, 1, -1, headDim)]);
  const value = graph.op("Reshape", [valueHeads, graph.int64s(kvHeads, 1, -1, headDim)]);
  const cache = (name: string): Value => {
    const input = graph.input(`${name}_${index}`, chunk.cacheType, [kvHeads, 1, "T", headDim]);
    return chunk.cacheType === "float16" ? graph.op("Cast", [input], { to: { int: 1 } }) : input;
  };
  const pastKey = cache("past_key");
  const pastValue = cache("past_value");
  const scores = (against: Value, mask: Value): Value =>
    graph.op("Add", [graph.microsoft("FusedMatMul", [query, against], { transB: { int: 1 }, alpha: { float: 1 / Math.sqrt(headDim) } }), mask]);
  const all = graph.op("Concat", [scores(pastKey, chunk.pastMask), scores(key, chunk.causalMask)], { axis: { int: -1 } });
  const [onPast, onChunk] = graph.ops("Split", [graph.op("Softmax", [all], { axis: { int: -1 } }), chunk.lengths], 2, { axis: { int: -1 } }) as [Value, Value];
  const attended = graph.op("Add", [graph.op("MatMul", [onPast, pastValue]), graph.op("MatMul", [onChunk, value])]);
  const byToken = graph.op("Transpose", [graph.op("Reshape", [attended, graph.int64s(1, heads, -1, headDim)])], { perm: { ints: [0, 2, 1, 3] } });
  const flat = graph.op("Reshape", [byToken, graph.int64s(1, -1, heads * headDim)]);
  chunk.observe(layer.output.name, flat, heads * headDim);
  const smoothing = context.smoothing?.get(layer.output.name);
  const output = emitLinear(context, layer.output, emitDivision(context, layer.output.name, flat, smoothing), { inputs: smoothing });
  const squeezed = graph.int64s(kvHeads, -1, headDim);
  return { output, key: graph.op("Reshape", [key, squeezed]), value: graph.op("Reshape", [value, squeezed]) };
}
