/** @file The output projection, and as much of sampling as spares copying a whole vocabulary of logits. */

import type { Graph, Value } from "../../onnx/graph.ts";
import { emitDivision, type DecoderContext } from "./decoder-layers.ts";
import { emitLinear } from "../quantization/linear.ts";

/** Logits of the K most likely tokens come back; most draws fall among them. */
export const topCandidates = 64;

/**
 * From the hidden states [R, H] of the tokens that are read, after the final norm, to the outputs, with K = min(64, V)
 * and weight = exp((logit - largest) * inverse_temperature):
 * - top_logits [R, K] float32, largest first; top_ids [R, K] int64
 * - mass [R, 1]: sum of the weights of the whole vocabulary
 * - all_wanted [R] bool; logits [W, V]: the whole rows of those, one after the other, since copying every row costs
 *   more than most draws need
 *
 * The inputs inverse_temperature, wanted_share and wanted_weight, each [R, 1], say which rows those are: a row's logits
 * are all wanted unless its K largest hold more than wanted_share of the mass, or the last of them weighs less than
 * wanted_weight.
 */
export function emitHead(context: DecoderContext, hidden: Value): void {
  const { graph, config, weights, smoothing } = context;
  const { vocabSize } = config;
  const inverseTemperature = graph.input("inverse_temperature", "float32", ["R", 1]);
  const wantedShare = graph.input("wanted_share", "float32", ["R", 1]);
  const wantedWeight = graph.input("wanted_weight", "float32", ["R", 1]);
  // The states are smoothed here and not in the norm, since whoever reads them wants them as they are.
  const divisor = smoothing?.get(weights.head.name);
  const smoothed = emitDivision(context, weights.head.name, hidden, divisor);
  const logits = emitLinear({ ...context, adapters: undefined, rowGroup: "head" }, weights.head, smoothed, { inputs: divisor });
  const k = Math.min(topCandidates, vocabSize);
  const [topLogits, topIds] = graph.ops("TopK", [logits, graph.int64s(k)], 2, { axis: { int: -1 } }) as [Value, Value];
  const largest = graph.op("Slice", [topLogits, graph.int64s(0), graph.int64s(1), graph.int64s(1)]);
  const weigh = (x: Value): Value => graph.op("Exp", [graph.op("Mul", [graph.op("Sub", [x, largest]), inverseTemperature])]);
  const mass = emitRowSums(graph, weigh(logits), vocabSize);
  const topWeights = weigh(topLogits);
  const lastWeight = graph.op("Slice", [topWeights, graph.int64s(k - 1), graph.int64s(k), graph.int64s(1)]);
  // Both margins are far beyond float32's rounding, so that whoever decides again with the same numbers never lacks a
  // row. Comparisons with a mass that is not a number are false: its row is wanted, and whoever draws from it finds the
  // fault.
  const holdsShare = graph.op("LessOrEqual", [
    graph.op("Mul", [wantedShare, mass]),
    graph.op("Mul", [emitRowSums(graph, topWeights, k), graph.float(0.998)]),
  ]);
  const endsBelow = graph.op("Less", [lastWeight, graph.op("Mul", [wantedWeight, graph.float(0.999)])]);
  const allWanted = graph.op("Reshape", [graph.op("Not", [graph.op("Or", [holdsShare, endsBelow])]), graph.int64s(-1)]);
  const wantedLogits = graph.op("Compress", [logits, allWanted], { axis: { int: 0 } });
  graph.output("top_logits", topLogits, "float32", ["R", k]);
  graph.output("top_ids", topIds, "int64", ["R", k]);
  graph.output("mass", mass, "float32", ["R", 1]);
  graph.output("all_wanted", allWanted, "bool", ["R"]);
  graph.output("logits", wantedLogits, "float32", ["W", vocabSize]);
}

/**
 * ReduceSum adds in an order that depends on the row's place in the batch, unless rows are a multiple of a vector long
 * (16 numbers on the processors that were measured; 64 leaves room for longer vectors). Rows of other lengths are
 * multiplied by ones, which is slower.
 */
function emitRowSums(graph: Graph, x: Value, length: number): Value {
  if (length % 64 === 0) return graph.op("ReduceSum", [x, graph.int64s(-1)], { keepdims: { int: 1 } });
  const ones = graph.op("Expand", [graph.constant("float32", [1, 1], Float32Array.of(1)), graph.int64s(length, 1)]);
  const sums = graph.op("MatMul", [graph.op("Reshape", [x, graph.int64s(-1, 1, length)]), ones]);
  return graph.op("Reshape", [sums, graph.int64s(-1, 1)]);
}
