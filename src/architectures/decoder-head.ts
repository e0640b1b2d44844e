/** @file The output projection, and as much of sampling as spares copying a whole vocabulary of logits. */

import type { Value } from "../onnx/graph.ts";
import type { DecoderContext } from "./decoder-layers.ts";
import { emitLinear } from "./linear.ts";

/** Logits of the K most likely tokens come back; most draws fall among them. */
export const topCandidates = 64;

/**
 * From hidden [N * S, H] after the final norm, of which the input head_rows [R] int64 (indices into N * S, at least one: ONNX Runtime's block
 * product divides by the number of rows) says what is wanted, and the input inverse_temperature [R, 1], to the outputs, with K = min(64, V):
 * - top_logits [R, K] float32, largest first; top_ids [R, K] int64
 * - mass [R, 1]: sum over the vocabulary of exp((logit - largest) * inverse_temperature)
 * - logits [R, V]: fetched only when a draw may need them
 */
export function emitHead(context: DecoderContext, hidden: Value): void {
  const { graph, config, weights } = context;
  const { vocabSize } = config;
  // The head stays in 8-bit blocks under w8a8: a scale an output channel costs it more quality than time.
  const scheme = context.scheme === "w8a8" ? "blocks8" : context.scheme;
  const headRows = graph.input("head_rows", "int64", ["R"]);
  const inverseTemperature = graph.input("inverse_temperature", "float32", ["R", 1]);
  const wanted = graph.op("Gather", [hidden, headRows], { axis: { int: 0 } });
  const logits = emitLinear({ ...context, scheme }, weights.head, wanted);
  const k = Math.min(topCandidates, vocabSize);
  const [topLogits, topIds] = graph.ops("TopK", [logits, graph.int64s(k)], 2, { axis: { int: -1 } }) as [Value, Value];
  const largest = graph.op("ReduceMax", [logits, graph.int64s(-1)], { keepdims: { int: 1 } });
  const exponents = graph.op("Mul", [graph.op("Sub", [logits, largest]), inverseTemperature]);
  // A product with ones, not ReduceSum, whose order of adding depends on the row's place in the batch unless V is a multiple of 16.
  const relative = graph.op("Reshape", [graph.op("Exp", [exponents]), graph.int64s(-1, 1, vocabSize)]);
  const ones = graph.op("Expand", [graph.constant("float32", [1, 1], Float32Array.of(1)), graph.int64s(vocabSize, 1)]);
  const mass = graph.op("Reshape", [graph.op("MatMul", [relative, ones]), graph.int64s(-1, 1)]);
  graph.output("top_logits", topLogits, "float32", ["R", k]);
  graph.output("top_ids", topIds, "int64", ["R", k]);
  graph.output("mass", mass, "float32", ["R", 1]);
  graph.output("logits", logits, "float32", ["R", vocabSize]);
}
