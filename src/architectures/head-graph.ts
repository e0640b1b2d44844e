/** @file The output projection, and as much of sampling as spares copying a whole vocabulary of logits. */

import { Graph } from "../onnx/graph.ts";
import type { DecoderContext } from "./decoder-layers.ts";
import { emitLinear } from "./linear.ts";

/** Logits of the K most likely tokens come back; most draws fall among them. */
export const topCandidates = 64;

/**
 * Inputs: hidden [B, 1, H] after the final norm; inverse_temperature [B, 1].
 * Outputs, with K = min(64, V):
 * - top_logits [B, K] float32, largest first; top_ids [B, K] int64
 * - mass [B, 1]: sum over the vocabulary of exp((logit - largest) * inverse_temperature)
 * - logits [B, V]: fetched only for rows that need them
 */
export function buildHeadGraph(base: Omit<DecoderContext, "graph">): Graph {
  const graph = new Graph();
  const { config, weights } = base;
  // The head stays in 8-bit blocks under w8a8: a scale an output channel costs it more quality than time.
  const scheme = base.scheme === "w8a8" ? "blocks8" : base.scheme;
  const hidden = graph.input("hidden", "float32", ["B", 1, config.hiddenSize]);
  const inverseTemperature = graph.input("inverse_temperature", "float32", ["B", 1]);
  const projected = emitLinear({ ...base, graph, scheme }, weights.head, hidden);
  const logits = graph.op("Reshape", [projected, graph.int64s(-1, config.vocabSize)]);
  const k = Math.min(topCandidates, config.vocabSize);
  const top = graph.ops("TopK", [logits, graph.int64s(k)], 2, { axis: { int: -1 } });
  const largest = graph.op("ReduceMax", [logits, graph.int64s(-1)], { keepdims: { int: 1 } });
  const exponents = graph.op("Mul", [graph.op("Sub", [logits, largest]), inverseTemperature]);
  // A product with ones, not ReduceSum, whose order of adding depends on the row's place in the batch unless V is a multiple of 16.
  const relative = graph.op("Reshape", [graph.op("Exp", [exponents]), graph.int64s(-1, 1, config.vocabSize)]);
  const ones = graph.op("Expand", [graph.constant("float32", [1, 1], Float32Array.of(1)), graph.int64s(config.vocabSize, 1)]);
  const mass = graph.op("Reshape", [graph.op("MatMul", [relative, ones]), graph.int64s(-1, 1)]);
  const [topLogits, topIds] = top;
  if (topLogits !== undefined) graph.output("top_logits", topLogits, "float32", ["B", k]);
  if (topIds !== undefined) graph.output("top_ids", topIds, "int64", ["B", k]);
  graph.output("mass", mass, "float32", ["B", 1]);
  graph.output("logits", logits, "float32", ["B", config.vocabSize]);
  return graph;
}
