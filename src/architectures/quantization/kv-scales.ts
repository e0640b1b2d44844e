/**
 * @file The scales of caches of bytes. Each channel of keys and of values has one, measured beforehand; what is stored
 * is a whole number, and that number times the scale is the value.
 *
 * The projection gives values already divided by their scales, and so are sums of them: nothing is multiplied on the
 * way into the cache and out of it. Keys are rotated between projection and cache, and a rotation mixes two channels,
 * which have two scales: keys are divided by theirs after the rotation, before they are stored, and queries are
 * multiplied by them.
 *
 * Scales are measured apart for the base and for each of its adapters, whose keys and values may be larger. A row takes
 * those of its own adapter, so that no adapter changes what the answers of another are rounded to.
 */

import type { Value } from "../../onnx/graph.ts";
import type { DecoderConfig } from "../decoder/decoder-config.ts";
import type { DecoderContext } from "../decoder/decoder-layers.ts";
import { external } from "./linear.ts";

/** One set for the base and one for each adapter, in that order: [1 + adapters, layers, kvHeads, headDim]. */
export interface MeasuredScales {
  keys: Float32Array<ArrayBuffer>;
  values: Float32Array<ArrayBuffer>;
}

export interface KvScales {
  /** The base's scales of each channel of values, one array a layer: [kvHeads, headDim]. */
  values: Float32Array<ArrayBuffer>[];
  /**
   * What queries are multiplied by, one value a layer: scales of keys / √headDim. Broadcasts against [N, kvHeads, R,
   * headDim].
   */
  query: Value[];
  /** 1 / scales of keys, broadcasts against [layers, N, kvHeads, S, headDim]. */
  keyReciprocals: Value;
  /**
   * Where rows may have adapters: a row's scales of values divided by the base's, which is exactly 1 for a row without
   * an adapter.
   */
  own: OwnScales | undefined;
}

interface OwnScales {
  /** For each layer, broadcasts against [N, kvHeads, R, headDim]. */
  values: Value[];
  /** Broadcasts against [layers, N, kvHeads, S, headDim]. */
  valueReciprocals: Value;
}

/**
 * @param rows [N, 1 + adapters] float32: 1 for the base or the adapter that a row has, else 0; undefined without
 * adapters
 */
export function emitKvScales(context: DecoderContext, { keys, values }: MeasuredScales, rows: Value | undefined): KvScales {
  const { layers, kvHeads, headDim } = context.config;
  const size = kvHeads * headDim;
  const toQueries = keys.map((scale) => scale / Math.sqrt(headDim));
  return {
    values: Array.from({ length: layers }, (_, layer) => values.slice(layer * size, (layer + 1) * size)),
    query: emitByLayer(context, "query", toQueries, rows),
    keyReciprocals: emitTogether(context, "per_key", reciprocals(keys), rows),
    own: rows && emitOwnScales(context, values, rows),
  };
}

function emitOwnScales(context: DecoderContext, values: Float32Array<ArrayBuffer>, rows: Value): OwnScales {
  const { layers, kvHeads, headDim } = context.config;
  const relative = values.map((scale, at) => scale / (values[at % (layers * kvHeads * headDim)] as number));
  return {
    values: emitByLayer(context, "own_values", relative, rows),
    valueReciprocals: emitTogether(context, "per_own_value", reciprocals(relative), rows),
  };
}

function reciprocals(scales: Float32Array<ArrayBuffer>): Float32Array<ArrayBuffer> {
  return scales.map((scale) => 1 / scale);
}

/**
 * What the outputs of the stacked projection of queries, keys and values are multiplied by: [(heads + 2 * kvHeads) *
 * headDim].
 */
export function projectionFactors({ heads, kvHeads, headDim }: DecoderConfig, values: Float32Array): Float32Array<ArrayBuffer> {
  const factors = new Float32Array((heads + 2 * kvHeads) * headDim).fill(1);
  factors.set(
    values.map((scale) => 1 / scale),
    (heads + kvHeads) * headDim,
  );
  return factors;
}

/** The scale of each channel of what all query heads sum up: [heads * headDim]. */
export function attendedScales({ heads, kvHeads, headDim }: DecoderConfig, values: Float32Array): Float32Array<ArrayBuffer> {
  const group = heads / kvHeads;
  return Float32Array.from({ length: heads * headDim }, (_, at) => {
    const keyHead = Math.floor(at / headDim / group);
    return values[keyHead * headDim + (at % headDim)] as number;
  });
}

/** @param sets [sets, layers * kvHeads * headDim], of the base alone where there are no rows to choose by */
function emitByLayer(context: DecoderContext, name: string, sets: Float32Array<ArrayBuffer>, rows: Value | undefined): Value[] {
  const { graph, config } = context;
  const { layers, kvHeads, headDim } = config;
  const size = kvHeads * headDim;
  if (rows === undefined) {
    return Array.from({ length: layers }, (_, layer) =>
      external(context, `cache.${name}_${layer}`, "float32", [kvHeads, 1, headDim], () => sets.slice(layer * size, (layer + 1) * size)),
    );
  }
  const all = graph.op("Reshape", [emitChosen(context, name, sets, rows), graph.int64s(-1, layers * kvHeads, 1, headDim)]);
  return graph.ops("Split", [all, graph.int64s(...Array.from({ length: layers }, () => kvHeads))], layers, { axis: { int: 1 } });
}

function emitTogether(context: DecoderContext, name: string, sets: Float32Array<ArrayBuffer>, rows: Value | undefined): Value {
  const { graph, config } = context;
  const { layers, kvHeads, headDim } = config;
  if (rows === undefined) return external(context, `cache.${name}`, "float32", [layers, 1, kvHeads, 1, headDim], () => sets);
  const byRow = graph.op("Reshape", [emitChosen(context, name, sets, rows), graph.int64s(-1, layers, kvHeads, 1, headDim)]);
  return graph.op("Transpose", [byRow], { perm: { ints: [1, 0, 2, 3, 4] } });
}

/** Each row's set: [N, layers * kvHeads * headDim]. */
function emitChosen(context: DecoderContext, name: string, sets: Float32Array<ArrayBuffer>, rows: Value): Value {
  const { layers, kvHeads, headDim } = context.config;
  const length = layers * kvHeads * headDim;
  return context.graph.op("MatMul", [rows, external(context, `cache.${name}`, "float32", [sets.length / length, length], () => sets)]);
}
