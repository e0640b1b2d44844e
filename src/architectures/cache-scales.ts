/**
 * @file The scales of caches of bytes as values of the graph. They were measured apart for the base and for each of its adapters, whose keys and
 * values may be larger; a row takes those of its own adapter, so none changes what another's answers are rounded to.
 */

import type { Value } from "../onnx/graph.ts";
import type { DecoderContext } from "./decoder-layers.ts";
import { external } from "./linear.ts";

/** Each value broadcasts against [N, kvHeads, R, headDim], one for each layer; the reciprocals against [layers, N, kvHeads, S, headDim]. */
export interface CacheScales {
  /** What queries are multiplied by: the keys' scales and 1 / √headDim. */
  query: Value[];
  /** What sums of values are multiplied by: their scales and what each digit of the weights counts for. */
  valueDigits: [high: Value[], low: Value[]];
  keyReciprocals: Value;
  valueReciprocals: Value;
}

/** What the two digits of a number in [0, 1] count for. The low one has a sign: it spans half a high one to both sides. */
export const digitWeights = [1 / 127, 1 / 127 / 254] as const;

/**
 * @param scales what keys and values are multiplied by, for the base and then each adapter: [1 + adapters, 2, layers, kvHeads, headDim],
 *   keys first
 * @param rows [N, 1 + adapters] float32, 1 for the base or the adapter that a row has; undefined where there is no adapter
 */
export function emitCacheScales(context: DecoderContext, scales: Float32Array<ArrayBuffer>, rows: Value | undefined): CacheScales {
  const { graph, config } = context;
  const { layers, kvHeads, headDim } = config;
  const layerSize = kvHeads * headDim;
  const half = layers * layerSize;
  const sets = scales.length / (2 * half);
  /** Of all sets: [sets, layers * kvHeads * headDim]. */
  const table = (values: boolean, change: (scale: number) => number): Float32Array<ArrayBuffer> => {
    const result = new Float32Array(sets * half);
    for (let set = 0; set < sets; set++) {
      const start = (2 * set + (values ? 1 : 0)) * half;
      result.set(scales.subarray(start, start + half).map(change), set * half);
    }
    return result;
  };
  const chosen = (name: string, make: () => Float32Array<ArrayBuffer>): Value =>
    graph.op("MatMul", [rows, external(context, `cache.${name}`, "float32", [sets, half], make)]);
  const byLayer = (name: string, make: () => Float32Array<ArrayBuffer>): Value[] => {
    if (rows === undefined) {
      return Array.from({ length: layers }, (_, layer) =>
        external(context, `cache.${name}_${layer}`, "float32", [kvHeads, 1, headDim], () =>
          make().slice(layer * layerSize, (layer + 1) * layerSize),
        ),
      );
    }
    const all = graph.op("Reshape", [chosen(name, make), graph.int64s(-1, layers * kvHeads, 1, headDim)]);
    return graph.ops("Split", [all, graph.int64s(...Array.from({ length: layers }, () => kvHeads))], layers, { axis: { int: 1 } });
  };
  const together = (name: string, make: () => Float32Array<ArrayBuffer>): Value => {
    if (rows === undefined) return external(context, `cache.${name}`, "float32", [layers, 1, kvHeads, 1, headDim], make);
    const byRow = graph.op("Reshape", [chosen(name, make), graph.int64s(-1, layers, kvHeads, 1, headDim)]);
    return graph.op("Transpose", [byRow], { perm: { ints: [1, 0, 2, 3, 4] } });
  };
  return {
    query: byLayer("query", () => table(false, (scale) => scale / Math.sqrt(headDim))),
    valueDigits: [
      byLayer("value_high", () => table(true, (scale) => scale * digitWeights[0])),
      byLayer("value_low", () => table(true, (scale) => scale * digitWeights[1])),
    ],
    keyReciprocals: together("key_reciprocals", () => table(false, (scale) => 1 / scale)),
    valueReciprocals: together("value_reciprocals", () => table(true, (scale) => 1 / scale)),
  };
}
