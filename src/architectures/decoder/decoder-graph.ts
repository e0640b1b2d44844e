/**
 * @file The decoder as one graph for both of its phases, which differ in shape only: prefill runs one row of many
 * tokens, decoding many rows of one token. One graph keeps one copy of the weights in memory.
 */

import { Graph, type Value } from "../../onnx/graph.ts";
import type { LoraAdapter } from "../../formats/peft-adapter.ts";
import { emitKvScales, type MeasuredScales } from "../quantization/kv-scales.ts";
import { emitStored, type CacheOptions, type CacheType } from "./cached-attention.ts";
import { emitAttention, type StepInputs } from "./decoder-attention.ts";
import { emitHead } from "./decoder-head.ts";
import { emitEmbedding, emitMlp, emitNorm, type DecoderContext, type Normed } from "./decoder-layers.ts";

export interface DecoderGraphOptions {
  cacheType: CacheType;
  /** Present for a cache of bytes. */
  kvScales?: MeasuredScales | undefined;
  /** Adapters of the base that rows may have. */
  adapters?: readonly LoraAdapter[] | undefined;
  /** Leaves the output projection out, for models that score texts and write none. */
  withoutHead?: boolean | undefined;
  /**
   * Instead of hidden states and head: the largest magnitude of every channel that enters each linear layer, as
   * "max:NAME" [inputs].
   */
  observed?: boolean;
}

/**
 * Inputs, with N rows of S tokens, T1 places in the prompt cache and T2 in the answer cache:
 * - ids, positions [N, S] int64
 * - prompt_key_i [P, kvHeads, headDim, T1], prompt_value_i [P, kvHeads, T1, headDim] where P is N, or 1 when all rows
 *   share one prompt
 * - answer_key_i [N, kvHeads, headDim, T2], answer_value_i [N, kvHeads, T2, headDim]
 * - mask [N, 1, Q, T1 + T2 + S]: 0 where a token may look, the lowest float elsewhere. Q is 1, or S * heads / kvHeads:
 *   the tokens once for each query head of a group
 * - lengths [3] int64: T1, T2, S
 *
 * - with adapters: adapters [N * S, adapters] float32, 1 where a token has the adapter, else 0; with caches of bytes
 *   also adapter_rows [N, 1 + adapters], 1 for the base or the adapter of the row
 * - unless `observed`: head_rows [R] int64, indices into N * S of the tokens that are read, at least one (ONNX
 *   Runtime's block product divides by the number of rows); and the head's (decoder-head.ts)
 *
 * Outputs: hidden [R, H], the states of those tokens after the final norm; the head's; what the new tokens add to the
 * caches, all layers in turn: key_rows [layers * N, kvHeads, headDim, S] and value_rows [layers * N, kvHeads, S,
 * headDim].
 *
 * Prompt, answer and the new tokens are multiplied apart, whoever shares them: a row's sums are added in one order
 * whether its prompt is shared or not.
 */
export function buildDecoderGraph(base: Omit<DecoderContext, "graph" | "adapters">, options: DecoderGraphOptions): Graph {
  const graph = new Graph();
  const all = options.adapters ?? [];
  const adapters = all.length === 0 ? undefined : { all, chosen: graph.input("adapters", "float32", ["M", all.length]) };
  const context: DecoderContext = { ...base, graph, adapters };
  const { config, weights } = context;
  const ids = graph.input("ids", "int64", ["N", "S"]);
  const positions = graph.input("positions", "int64", ["N", "S"]);
  const { cacheType, kvScales: measured } = options;
  const rows = measured && adapters && graph.input("adapter_rows", "float32", ["N", all.length + 1]);
  const cache: CacheOptions = { cacheType, scales: measured && emitKvScales(context, measured, rows) };
  const step: StepInputs = {
    positions,
    mask: graph.input("mask", "float32", ["N", 1, "Q", "T"]),
    lengths: graph.input("lengths", "int64", [3]),
    cache,
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
  step.observe(weights.head.name, normed, config.hiddenSize);
  if (options.observed !== true) {
    const hidden = graph.op("Gather", [normed, graph.input("head_rows", "int64", ["R"])], { axis: { int: 0 } });
    if (options.withoutHead !== true) emitHead(context, hidden);
    graph.output("hidden", hidden, "float32", ["R", config.hiddenSize]);
  }
  const { kvHeads, headDim } = config;
  graph.output("key_rows", emitStored(context, keys, "key", cache), cacheType, ["R", kvHeads, headDim, "S"]);
  graph.output("value_rows", emitStored(context, values, "value", cache), cacheType, ["R", kvHeads, "S", headDim]);
  return graph;
}
