/** @file Products of bytes: rows of activations, which are uint8 around 128, times weights or caches. */

import type { Graph, Value } from "../../onnx/graph.ts";

/**
 * How the right side of a product is stored. Weights are int8, made so that their sums are exact (tensor/quantize.ts).
 * Caches hold what comes: int8, or uint8 around 128 for processors that would cut sums of signed bytes
 * (runtime/cpu/integer-products.ts). Both hold the same integers, so that products have the same bits.
 */
export const byteTypes = ["int8", "uint8"] as const;
export type ByteType = (typeof byteTypes)[number];

/**
 * Σ (rows - 128) * (right - zero point) * scales, in float32: [..., M, K] times [..., K, N]. @param scales of one, or
 * of N, values
 */
export function emitByteProduct(graph: Graph, rows: Value, right: Value, type: ByteType, scales: Value): Value {
  const inputs = [rows, right, graph.float(1), scales, zeroPoint128(graph)];
  // int8 has no zero point.
  if (type === "uint8") inputs.push(zeroPoint128(graph));
  return graph.microsoft("MatMulIntegerToFloat", inputs);
}

/** Integers as they are stored in the type. */
export function storedBytes(integers: Int8Array<ArrayBuffer>, type: ByteType): Int8Array<ArrayBuffer> | Uint8Array<ArrayBuffer> {
  return type === "int8" ? integers : Uint8Array.from(integers, (value) => value + 128);
}

/** The zero point of rows in a product. */
export function zeroPoint128(graph: Graph): Value {
  return zeroPointOf(graph, "uint8");
}

export function zeroPointOf(graph: Graph, type: ByteType): Value {
  return graph.once(`zero_point_${type}`, () => graph.constant(type, [], storedBytes(new Int8Array(1), type)));
}
