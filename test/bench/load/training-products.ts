/**
 * @file The time of the matrix products of one step of training and little else: what no step over these products can
 * go below.
 */

import type { DecoderConfig } from "../../../src/architectures/decoder/decoder-config.ts";
import { Graph, type Value } from "../../../src/onnx/graph.ts";
import { writeModel } from "../../../src/onnx/write.ts";
import { loadSession, tensor, type Tensor } from "../../../src/runtime/session.ts";
import { medianRunMs } from "./run-time.ts";
import type { TrainingKind } from "./training-steps.ts";

/** Columns of the head whose logits exist at once, as in training: 64 MiB of float32. */
const logitsAtOnce = 2 ** 24;

/** Tokens of a step: rows of one document each. */
export interface TokenRows {
  rows: number;
  length: number;
}

/**
 * Seconds: the products with the weights of every layer and of the head, forward and by the inputs, and by the weights
 * where those are trained; and half of what attention's products and its softmax take over whole rows, since a token
 * looks at those before it alone; and of LoRA the products with its factors, forward, by the inputs and by the factors,
 * where the first factors of layers that read the same activations are one. Weights and activations of one shape are
 * the same arrays in all layers, which favours the caches.
 *
 * @param rank of LoRA
 */
export async function trainingProductsSeconds(
  kind: TrainingKind,
  config: DecoderConfig,
  { rows: documents, length }: TokenRows,
  { rank, threads, runs }: { rank: number; threads: number; runs: number },
): Promise<number> {
  const tokens = documents * length;
  const productsSeconds = async (rows: number, inputs: number, outputs: number, how = kind): Promise<number> =>
    runSeconds(how, [rows, inputs, outputs], threads, runs);
  const { hiddenSize, heads, kvHeads, headDim, intermediateSize, vocabSize, layers } = config;
  const [queries, keys] = [heads * headDim, kvHeads * headDim];
  const layer = [
    [hiddenSize, queries],
    [hiddenSize, keys],
    [hiddenSize, keys],
    [queries, hiddenSize],
    [hiddenSize, intermediateSize],
    [hiddenSize, intermediateSize],
    [intermediateSize, hiddenSize],
  ] as const;
  const factors = [
    [hiddenSize, 3 * rank],
    [queries, rank],
    [hiddenSize, 2 * rank],
    [intermediateSize, rank],
    ...layer.map(([, outputs]) => [rank, outputs] as const),
  ] as const;
  const rows = Math.min(tokens, Math.floor(logitsAtOnce / vocabSize));
  let seconds = 0;
  for (const [inputs, outputs] of layer) seconds += layers * (await productsSeconds(tokens, inputs, outputs));
  if (kind === "lora")
    for (const [inputs, outputs] of factors) seconds += layers * (await productsSeconds(tokens, inputs, outputs, "full"));
  const attention = await attentionSeconds(config, { rows: documents, length }, threads, runs);
  return seconds + (layers * attention) / 2 + (tokens / rows) * (await productsSeconds(rows, hiddenSize, vocabSize));
}

/**
 * Seconds of one layer's attention: the products of queries, keys, values and their derivatives, and the softmax, where
 * every token sees its whole row.
 */
async function attentionSeconds(config: DecoderConfig, { rows, length }: TokenRows, threads: number, runs: number): Promise<number> {
  const { heads, kvHeads, headDim } = config;
  const graph = new Graph();
  const feeds: Record<string, Tensor> = {};
  const given = (name: string, places: number): Value => {
    const shape = [rows, kvHeads, places, headDim];
    feeds[name] = tensor("float32", new Float32Array(rows * kvHeads * places * headDim).fill(0.01), shape);
    return graph.input(name, "float32", shape);
  };
  const places = (length * heads) / kvHeads;
  const [query, key, value, upstream] = [given("query", places), given("key", length), given("value", length), given("upstream", places)];
  const weights = graph.op("Softmax", [graph.microsoft("FusedMatMul", [query, key], { transB: { int: 1 } })], { axis: { int: -1 } });
  const byWeights = graph.microsoft("FusedMatMul", [upstream, value], { transB: { int: 1 } });
  const products = [
    graph.op("MatMul", [weights, value]),
    graph.microsoft("FusedMatMul", [weights, upstream], { transA: { int: 1 } }),
    graph.op("MatMul", [byWeights, key]),
    graph.microsoft("FusedMatMul", [byWeights, query], { transA: { int: 1 } }),
  ];
  const first = products.map((product) => graph.op("Slice", [product, graph.int64s(0, 0, 0, 0), graph.int64s(1, 1, 1, 1)]));
  graph.output("ends", graph.op("Concat", first, { axis: { int: 0 } }), "float32", [first.length, 1, 1, 1]);
  return timedSeconds(graph, feeds, threads, runs);
}

/** Seconds of one shape's products. */
async function runSeconds(
  kind: TrainingKind,
  [rows, inputs, outputs]: readonly [number, number, number],
  threads: number,
  runs: number,
): Promise<number> {
  const graph = new Graph();
  const feeds: Record<string, Tensor> = {};
  const given = (name: string, shape: [number, number]): Value => {
    feeds[name] = tensor("float32", new Float32Array(shape[0] * shape[1]).fill(0.01), shape);
    return graph.input(name, "float32", shape);
  };
  const [x, w, g] = [given("x", [rows, inputs]), given("w", [outputs, inputs]), given("g", [rows, outputs])];
  const products = [graph.microsoft("FusedMatMul", [x, w], { transB: { int: 1 } }), graph.op("MatMul", [g, w])];
  if (kind === "full") products.push(graph.microsoft("FusedMatMul", [g, x], { transA: { int: 1 } }));
  // One number of each product is copied out.
  const ends = products.map((product) => graph.op("Slice", [product, graph.int64s(0, 0), graph.int64s(1, 1)]));
  graph.output("ends", graph.op("Concat", ends, { axis: { int: 0 } }), "float32", [ends.length, 1]);
  return timedSeconds(graph, feeds, threads, runs);
}

async function timedSeconds(graph: Graph, feeds: Record<string, Tensor>, threads: number, runs: number): Promise<number> {
  const session = await loadSession(writeModel(graph), { threads, spinning: true, asWritten: true });
  const ms = await medianRunMs(session, feeds, "ends", runs);
  await session.dispose();
  return ms / 1000;
}
