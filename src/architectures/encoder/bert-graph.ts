/**
 * @file BERT as one graph: rows of texts to hidden states, to their mean (an embedding), or through pooler and
 * classifier to rewards.
 */

import { Graph, type Value } from "../../onnx/graph.ts";
import type { BertConfig } from "./bert-config.ts";
import type { BertLayerWeights, BertWeights } from "./bert-weights.ts";
import type { NormWeight } from "../decoder/decoder-weights.ts";
import { emitLinear, external, type LinearContext } from "../quantization/linear.ts";

export interface BertContext extends LinearContext {
  config: BertConfig;
  weights: BertWeights;
}

/**
 * hidden: the last layer's states, [N, S, H]. embedding: their mean over the tokens of each row, [N, H], as
 * sentence-transformers pools; not normalised. logits: the classifier's outputs, [N, labels]: transformers'
 * BertForSequenceClassification. Needs the weights of `parts: "classifier"`.
 */
export type BertOutput = "hidden" | "embedding" | "logits";

/**
 * Inputs, with N rows of S places (bert-inputs.ts makes them): ids, types [N, S] int32; mask [N, S] float32, 1 for a
 * token, 0 for padding. Outputs: those of `outputs`, by name, float32.
 *
 * A row's results are the same to the bit whatever padding and rows are beside it, in every scheme.
 * Layers compute as the scheme says; pooler and classifier, which are small, in fp32 always.
 */
export function buildBertGraph(base: Omit<BertContext, "graph" | "adapters">, outputs: readonly BertOutput[]): Graph {
  const graph = new Graph();
  const context: BertContext = { ...base, graph };
  const { config, weights } = context;
  const { hiddenSize } = config;
  const ids = graph.input("ids", "int32", ["N", "S"]);
  const types = graph.input("types", "int32", ["N", "S"]);
  const mask = graph.input("mask", "float32", ["N", "S"]);
  const shape = graph.op("Concat", [graph.op("Shape", [ids]), graph.int64s(hiddenSize)], { axis: { int: 0 } });
  // 0 for tokens; padding is far below any score.
  const bias = graph.op("Unsqueeze", [graph.op("Mul", [graph.op("Sub", [mask, graph.float(1)]), graph.float(1e30)]), graph.int64s(1, 2)]);
  let states = emitEmbedding(context, ids, types);
  for (const layer of weights.layers) {
    const attended = emitSum(context, layer.attentionNorm, states, emitAttention(context, layer, states, ids, bias));
    const up = emitLinear(context, layer.up, attended);
    const activated = graph.op("Gelu", [up], { approximate: { string: config.activation === "gelu" ? "none" : "tanh" } });
    states = emitSum(context, layer.outputNorm, attended, emitLinear(context, layer.down, activated));
  }
  const hidden = graph.op("Reshape", [states, shape]);
  // Renamed when all that reads them is there.
  const made = outputs.map((output): [BertOutput, Value] => [output, emitOutput(context, output, hidden, mask)]);
  const shapes = { hidden: ["N", "S", hiddenSize], embedding: ["N", hiddenSize], logits: ["N", config.labels.length] };
  for (const [output, value] of made) graph.output(output, value, "float32", shapes[output]);
  return graph;
}

function emitOutput(context: BertContext, output: BertOutput, hidden: Value, mask: Value): Value {
  if (output === "hidden") return hidden;
  return output === "embedding" ? emitMean(context.graph, hidden, mask) : emitClassifier(context, hidden);
}

/** ids, types [N, S] -> [N * S, H]. */
function emitEmbedding(context: BertContext, ids: Value, types: Value): Value {
  const { graph, config, weights, source } = context;
  const { hiddenSize, contextLength } = config;
  const table = (name: string, rows: number): Value =>
    external(context, name, "float32", [rows, hiddenSize], () => source.readFloat32(name));
  const length = graph.op("Squeeze", [graph.op("Shape", [ids], { start: { int: 1 }, end: { int: 2 } })]);
  const scalar = (value: number): Value => graph.constant("int64", [], BigInt64Array.of(BigInt(value)));
  // Padding beyond the context has the last place: nothing reads it.
  const places = graph.op("Min", [graph.op("Range", [scalar(0), length, scalar(1)]), scalar(contextLength - 1)]);
  const words = graph.op("Gather", [table(weights.embedding, config.vocabSize), ids]);
  const ofTypes = graph.op("Gather", [table(weights.types, config.typeVocabSize), types]);
  const positions = graph.op("Gather", [table(weights.positions, contextLength), places]);
  const sum = graph.op("Add", [graph.op("Add", [words, ofTypes]), positions]);
  return emitNorm(context, weights.embeddingNorm, graph.op("Reshape", [sum, graph.int64s(-1, hiddenSize)]));
}

/**
 * x [N * S, H] -> what attention adds, [N * S, H]. bias [N, 1, 1, S] is added to the scores; ids [N, S] tell rows and
 * places.
 */
function emitAttention(context: BertContext, layer: BertLayerWeights, x: Value, ids: Value, bias: Value): Value {
  const { graph, config } = context;
  const { heads, headDim, hiddenSize } = config;
  const byTokenShape = graph.once("by_token_shape", () =>
    graph.op("Concat", [graph.op("Shape", [ids]), graph.int64s(3 * heads, headDim)], { axis: { int: 0 } }),
  );
  const byToken = graph.op("Reshape", [emitLinear(context, layer.queryKeyValue, x), byTokenShape]);
  const byHead = graph.op("Transpose", [byToken], { perm: { ints: [0, 2, 1, 3] } });
  const split = graph.ops("Split", [byHead, graph.int64s(heads, heads, heads)], 3, { axis: { int: 1 } });
  const [query, key, value] = split as [Value, Value, Value]; // [N, heads, S, headDim] each
  const scores = graph.microsoft("FusedMatMul", [query, key], { transB: { int: 1 }, alpha: { float: 1 / Math.sqrt(headDim) } });
  const looks = graph.op("Softmax", [graph.op("Add", [scores, bias])], { axis: { int: -1 } });
  const attended = graph.op("Transpose", [graph.op("MatMul", [looks, value])], { perm: { ints: [0, 2, 1, 3] } });
  return emitLinear(context, layer.output, graph.op("Reshape", [attended, graph.int64s(-1, hiddenSize)]));
}

/** The norm of residual + update. */
function emitSum(context: BertContext, norm: NormWeight, residual: Value, update: Value): Value {
  return emitNorm(context, norm, context.graph.op("Add", [residual, update]));
}

function emitNorm(context: BertContext, norm: NormWeight, x: Value): Value {
  const { graph, config, source } = context;
  const read = (name: string): Value => external(context, name, "float32", [config.hiddenSize], () => source.readFloat32(name));
  return graph.op("LayerNormalization", [x, read(norm.weight), read(norm.bias as string)], {
    axis: { int: -1 },
    epsilon: { float: config.norm.epsilon },
  });
}

/**
 * The mean over the tokens: hidden [N, S, H], mask [N, S] -> [N, H]. A product adds place after place, so that padding
 * adds zeros last.
 */
function emitMean(graph: Graph, hidden: Value, mask: Value): Value {
  const sum = graph.op("Squeeze", [graph.op("MatMul", [graph.op("Unsqueeze", [mask, graph.int64s(1)]), hidden]), graph.int64s(1)]);
  const count = graph.op("ReduceSum", [mask, graph.int64s(1)], { keepdims: { int: 1 } });
  return graph.op("Div", [sum, graph.op("Max", [count, graph.float(1)])]);
}

/** classifier(tanh(pooler(first place))): [N, S, H] -> [N, labels]. */
function emitClassifier(context: BertContext, hidden: Value): Value {
  const { graph, config, weights } = context;
  const exact: BertContext = { ...context, scheme: "fp32" };
  const first = graph.op("Slice", [hidden, graph.int64s(0), graph.int64s(1), graph.int64s(1)]);
  const rows = graph.op("Reshape", [first, graph.int64s(-1, config.hiddenSize)]);
  return emitLinear(exact, weights.classifier, graph.op("Tanh", [emitLinear(exact, weights.pooler, rows)]));
}
