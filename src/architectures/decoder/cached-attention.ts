/**
 * @file Attention of new tokens over two caches and themselves. With float caches everything is a float product. With
 * caches of bytes the products with the caches are integer products, which are exact, fast and need no widened copy of
 * the cache.
 */

import { BonsaiError } from "../../errors/bonsai-error.ts";
import type { Dimension, ElementType } from "../../onnx/data-type.ts";
import type { Graph, Value } from "../../onnx/graph.ts";
import type { KvScales } from "../quantization/kv-scales.ts";
import type { DecoderContext } from "./decoder-layers.ts";
import { byteTypes, emitByteProduct, zeroPoint128, zeroPointOf, type ByteType } from "../quantization/byte-products.ts";
import { emitQuantizedRows } from "../quantization/quantized-rows.ts";

/**
 * How keys and values are stored between runs. float16 is widened in the graph, which is exact. A byte times the scale
 * of its channel is the value; each channel of each key/value head of each layer has a scale (kv-scales.ts).
 */
export type CacheType = Extract<ElementType, "float32" | "float16"> | ByteType;

export function isByteCache(type: CacheType): type is ByteType {
  return (byteTypes as readonly CacheType[]).includes(type);
}

export interface CacheOptions {
  cacheType: CacheType;
  /** Present for a cache of bytes. Values, and sums of values, are divided by these. */
  scales: KvScales | undefined;
}

/**
 * Places over which sums of 8-bit values times 8-bit digits stay within 32 bits: T * 128 * 127 < 2^31, and no more than
 * a power of two.
 */
export const longestByteCache = 131_072;

interface AttentionInputs {
  /** [N, kvHeads, R, headDim], R = S * heads / kvHeads. */
  query: Value;
  /** Keys of the new tokens, [N, kvHeads, S, headDim]. */
  key: Value;
  value: Value;
  /** [N, 1, Q, T1 + T2 + S]. */
  mask: Value;
  /** [3] int64: T1, T2, S. */
  lengths: Value;
}

/** softmax(q kᵀ / √headDim + mask) v over prompt cache, answer cache and new tokens: [N, kvHeads, R, headDim]. */
export function emitCachedAttention(context: DecoderContext, index: number, inputs: AttentionInputs, options: CacheOptions): Value {
  const { graph, config } = context;
  const { query, key, value, mask, lengths } = inputs;
  const { headDim } = config;
  const onNewTokens = graph.microsoft("FusedMatMul", [query, key], { transB: { int: 1 }, alpha: { float: 1 / Math.sqrt(headDim) } });
  const caches = cacheInputs(context, index, options.cacheType);
  const cached = isByteCache(options.cacheType)
    ? integerProducts(context, index, query, caches, options.cacheType, options.scales)
    : floatProducts(context, query, caches, options.cacheType);
  const scores = perQuery(context, graph.op("Concat", [...cached.scores, onNewTokens], { axis: { int: -1 } }), "T");
  const weights = graph.op("Softmax", [perQuery(context, graph.op("Add", [scores, mask]), "T")], { axis: { int: -1 } });
  const [start, end] = [
    graph.once("cached_length", () => graph.op("ReduceSum", [graph.op("Slice", [lengths, graph.int64s(0), graph.int64s(2)])])),
    graph.int64s(Number.MAX_SAFE_INTEGER),
  ];
  const onNew = perQuery(context, graph.op("Slice", [weights, start, end, graph.int64s(-1)]), "S");
  return graph.op("Sum", [...cached.sums(weights, lengths), graph.op("MatMul", [onNew, value])]);
}

/** The caches of one layer as the graph is fed them. */
interface CacheValues {
  promptKey: Value;
  answerKey: Value;
  promptValue: Value;
  answerValue: Value;
}

/** Products with both caches. */
interface CachedProducts {
  /** Over the places of the prompt and then of the answer, in one value or in two: [N, kvHeads, R, T]. */
  scores: Value[];
  /**
   * What adds up to Σ over the cached places of weight * value, of weights [N, kvHeads, R, T1 + T2 + S]: each [N,
   * kvHeads, R, headDim].
   */
  sums: (weights: Value, lengths: Value) => Value[];
}

function cacheInputs({ graph, config }: DecoderContext, index: number, cacheType: CacheType): CacheValues {
  const { kvHeads, headDim } = config;
  return {
    promptKey: graph.input(`prompt_key_${index}`, cacheType, ["P", kvHeads, headDim, "T1"]),
    answerKey: graph.input(`answer_key_${index}`, cacheType, ["N", kvHeads, headDim, "T2"]),
    promptValue: graph.input(`prompt_value_${index}`, cacheType, ["P", kvHeads, "T1", headDim]),
    answerValue: graph.input(`answer_value_${index}`, cacheType, ["N", kvHeads, "T2", headDim]),
  };
}

function floatProducts(context: DecoderContext, query: Value, caches: CacheValues, cacheType: CacheType): CachedProducts {
  const { graph, config } = context;
  const widen = (cache: Value): Value => (cacheType === "float32" ? cache : graph.op("Cast", [cache], { to: { int: 1 } }));
  const { kvHeads, headDim } = config;
  const alpha = { float: 1 / Math.sqrt(headDim) };
  const scored = (keys: Value): Value => graph.microsoft("FusedMatMul", [query, keys], { alpha });
  const onPromptKeys = scored(ofEachRow(context, widen(caches.promptKey), query, [headDim, "T1"]));
  const scores = [perQuery(context, onPromptKeys, "T1"), scored(widen(caches.answerKey))];
  const sums = (weights: Value, lengths: Value): Value[] => {
    const [onPrompt, onAnswer] = emitByPlace(graph, weights, lengths, "float32", ["N", kvHeads, "G"]);
    return [
      perQuery(context, graph.op("MatMul", [onPrompt, ofEachRow(context, widen(caches.promptValue), query, ["T1", headDim])]), headDim),
      graph.op("MatMul", [onAnswer, widen(caches.answerValue)]),
    ];
  };
  return { scores, sums };
}

/**
 * A cache that rows share, once for each row, where there is but one head. ONNX Runtime folds the rows of queries over
 * one matrix into one product, and a product of one row sums in another order than one of several: an answer would
 * depend on how many rows step together. With more query heads a product has several rows always.
 */
function ofEachRow({ graph, config }: DecoderContext, cache: Value, query: Value, sizes: readonly Dimension[]): Value {
  if (config.heads > 1) return cache;
  const rows = graph.once("query_rows", () =>
    graph.op("Concat", [graph.op("Shape", [query], { start: { int: 0 }, end: { int: 1 } }), graph.int64s(1, 1, 1)], { axis: { int: 0 } }),
  );
  return graph.declare(graph.op("Expand", [cache, rows]), "float32", ["N", 1, ...sizes]);
}

/** Declares the shape of a float value that has a row for each query. G is R: the head names its own rows R. */
function perQuery({ graph, config }: DecoderContext, value: Value, size: Dimension): Value {
  return graph.declare(value, "float32", ["N", config.kvHeads, "G", size]);
}

/** The parts of x [..., T1 + T2 + S] over the places of prompt and answer. @param shape of x without its last */
function emitByPlace(graph: Graph, x: Value, lengths: Value, type: ElementType, shape: readonly Dimension[]): [Value, Value] {
  const parts = graph.ops("Split", [x, lengths], 3, { axis: { int: -1 } }) as [Value, Value, Value];
  const [onPrompt, onAnswer] = parts.map((part, at) => graph.declare(part, type, [...shape, ["T1", "T2", "S"][at] as string]));
  return [onPrompt as Value, onAnswer as Value];
}

/**
 * Weights of the two digits of a number in [0, 1]. The low digit is signed: it reaches half a step of the high digit to
 * both sides.
 */
const lowDigits = 254;
const digitWeights = [1 / 127, 1 / 127 / lowDigits] as const;

/**
 * Queries have 8 bits a number and a scale a row. Attention weights lie between 0 and 1, and small ones count: they
 * have two digits of 8 bits. Both digits are rows of one product, so that the values are read once.
 */
function integerProducts(
  context: DecoderContext,
  index: number,
  query: Value,
  caches: CacheValues,
  type: ByteType,
  scales: KvScales | undefined,
): CachedProducts {
  const { graph, config } = context;
  if (scales === undefined) throw new BonsaiError("internal", "A cache of bytes needs its scales.");
  const product = (rows: Value, cache: Value, scale: number): Value => emitByteProduct(graph, rows, cache, type, graph.float(scale));
  const { kvHeads, headDim } = config;
  const queries = emitQuantizedRows(graph, graph.op("Mul", [query, scales.query[index]]), [0, 0, 0, headDim]);
  const products = [perQuery(context, product(queries.rows, caches.promptKey, 1), "T1"), product(queries.rows, caches.answerKey, 1)];
  const scores = [graph.op("Mul", [perQuery(context, graph.op("Concat", products, { axis: { int: -1 } }), "T1 + T2"), queries.scales])];
  const sums = (weights: Value, lengths: Value): Value[] => {
    const shape = ["N", kvHeads, "2 G"];
    const digits = graph.declare(graph.op("Concat", emitDigits(graph, weights), { axis: { int: 2 } }), "uint8", [...shape, "T"]);
    const [onPrompt, onAnswer] = emitByPlace(graph, digits, lengths, "uint8", shape);
    const low = digitWeights[1];
    const promptSums = graph.declare(product(onPrompt, caches.promptValue, low), "float32", [...shape, headDim]);
    const both = graph.op("Add", [promptSums, product(onAnswer, caches.answerValue, low)]);
    const halves = graph.ops("Split", [both], 2, { axis: { int: 2 }, num_outputs: { int: 2 } });
    const [highs, lows] = halves.map((half) => perQuery(context, half, headDim)) as [Value, Value];
    const digitSums = [graph.op("Mul", [highs, graph.float(lowDigits)]), lows];
    return scales.own === undefined ? digitSums : [graph.op("Mul", [graph.op("Add", digitSums), scales.own.values[index]])];
  };
  return { scores, sums };
}

/** x in [0, 1] as two digits around 128: x ≈ Σ digitWeights * (digit - 128), each uint8 of x's shape. */
function emitDigits(graph: Graph, x: Value): [high: Value, low: Value] {
  const zeroPoint = zeroPoint128(graph);
  const [highWeight, lowWeight] = digitWeights.map((weight) => graph.float(weight));
  const high = graph.op("QuantizeLinear", [x, highWeight, zeroPoint]);
  const rest = graph.op("Sub", [x, graph.op("DequantizeLinear", [high, highWeight, zeroPoint])]);
  return [high, graph.op("QuantizeLinear", [rest, lowWeight, zeroPoint])];
}

/**
 * New keys or values of all layers, each [N, kvHeads, S, headDim], as they are stored: [layers * N, kvHeads, S,
 * headDim], with the last two swapped for keys.
 */
export function emitStored(context: DecoderContext, layers: readonly Value[], kind: "key" | "value", options: CacheOptions): Value {
  const { graph } = context;
  const rows = graph.op("Concat", layers, { axis: { int: 0 } });
  const narrow = emitNarrowed(context, rows, kind, options);
  return kind === "key" ? graph.op("Transpose", [narrow], { perm: { ints: [0, 1, 3, 2] } }) : narrow;
}

function emitNarrowed(context: DecoderContext, rows: Value, kind: "key" | "value", { cacheType, scales }: CacheOptions): Value {
  const { graph } = context;
  if (cacheType === "float32") return rows;
  if (cacheType === "float16") return graph.op("Cast", [rows], { to: { int: 10 } });
  if (scales === undefined) throw new BonsaiError("internal", "A cache of bytes needs its scales.");
  const reciprocals = kind === "key" ? scales.keyReciprocals : scales.own?.valueReciprocals;
  const inScales = reciprocals === undefined ? rows : emitByLayerProduct(context, rows, reciprocals);
  return graph.op("QuantizeLinear", [inScales, graph.float(1), zeroPointOf(graph, cacheType)]);
}

/** rows [layers * N, kvHeads, S, headDim] times what broadcasts against [layers, N, kvHeads, S, headDim]. */
function emitByLayerProduct({ graph, config }: DecoderContext, rows: Value, factors: Value): Value {
  const { layers, kvHeads, headDim } = config;
  const tokens = graph.once("tokens", () => graph.op("Shape", [rows], { start: { int: 2 }, end: { int: 3 } }));
  const shape = graph.once("rows_by_layer", () =>
    graph.op("Concat", [graph.int64s(layers, -1, kvHeads), tokens, graph.int64s(headDim)], { axis: { int: 0 } }),
  );
  return graph.op("Reshape", [graph.op("Mul", [graph.op("Reshape", [rows, shape]), factors]), graph.op("Shape", [rows])]);
}
