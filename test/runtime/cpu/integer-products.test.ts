/** @file The probe of 8-bit products, and products at the extremes that models are served with. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { byteTypes, emitByteProduct, storedBytes, type ByteType } from "../../../src/architectures/quantization/byte-products.ts";
import { longestByteCache } from "../../../src/architectures/decoder/cached-attention.ts";
import { Graph } from "../../../src/onnx/graph.ts";
import { writeModel } from "../../../src/onnx/write.ts";
import { byteProductsAreExact, exactByteType } from "../../../src/runtime/cpu/integer-products.ts";
import { loadSession, tensor } from "../../../src/runtime/session.ts";
import { quantizeChannels8 } from "../../../src/tensor/quantize.ts";

const exact = new Map<ByteType, boolean>();
for (const type of byteTypes) exact.set(type, await byteProductsAreExact(type, 127));

test("one type of bytes has exact products on this processor, int8 where both have", async () => {
  assert.equal(await exactByteType(), exact.get("int8") ? "int8" : "uint8");
  assert.equal(exact.get("uint8"), true);
});

for (const type of byteTypes) {
  test(
    `random rows times random ${type} weights are what plain sums of integers are`,
    { skip: !exact.get(type) && "this processor's products of this type are cut" },
    async () => {
      const [inner, columns] = [300, 40];
      const row = Uint8Array.from({ length: inner }, (_, at) => (at * 197 + 31) % 256);
      const weights = Int8Array.from({ length: inner * columns }, (_, at) => ((at * 89 + 7) % 255) - 127);
      const products = await product(row, weights, type);
      for (let column = 0; column < columns; column++) {
        const sum = row.reduce((all, value, at) => all + (value - 128) * weights[at * columns + column]!, 0);
        assert.equal(products[column], sum);
      }
    },
  );

  test(
    `attention weights of the longest cache of ${type} do not pass 32 bits`,
    { skip: !exact.get(type) && "this processor's products of this type are cut" },
    async () => {
      for (const digit of [255, 1]) {
        const [sum] = await product(new Uint8Array(longestByteCache).fill(digit), new Int8Array(longestByteCache).fill(127), type);
        // float32 holds 24 bits of the sum.
        assert.ok(Math.abs(sum! / (longestByteCache * (digit - 128) * 127) - 1) < 2 ** -22);
      }
    },
  );
}

test("rows of any bytes times weights as models are served with are what plain sums of integers are, however many rows there are", async () => {
  const [inner, columns] = [131, 70];
  // Whole columns of one sign and of one size, on which nothing but the sums of neighbours sets the scale, and others
  // of all sorts.
  const weights = Float32Array.from({ length: columns * inner }, (_, at) => {
    const column = Math.floor(at / inner);
    return column < 20 ? 1 - column / 10 : Math.sin(at * at) ** 3;
  });
  const { data } = quantizeChannels8(weights, columns, inner);
  for (const count of [1, 2, 3, 5, 16, 33]) {
    const rows = Uint8Array.from({ length: count * inner }, (_, at) => (at % 3 === 0 ? 255 : at % 7 === 0 ? 0 : (at * 197 + 31) % 256));
    const products = await product(rows, data, "int8", { inner, constant: true });
    for (let row = 0; row < count; row++) {
      for (let column = 0; column < columns; column++) {
        let sum = 0;
        for (let at = 0; at < inner; at++) sum += (rows[row * inner + at]! - 128) * data[at * columns + column]!;
        assert.equal(products[row * columns + column], sum, `row ${row} of ${count}, column ${column}`);
      }
    }
  }
});

/**
 * Rows around 128, [M, inner], times the right side [inner, columns]: a constant of the graph, as weights are, or an
 * input, as caches are.
 */
async function product(
  rows: Uint8Array<ArrayBuffer>,
  integers: Int8Array<ArrayBuffer>,
  type: ByteType,
  { inner = rows.length, constant = false } = {},
): Promise<Float32Array> {
  const columns = integers.length / inner;
  const bytes = storedBytes(integers, type);
  const graph = new Graph();
  const left = graph.input("rows", "uint8", ["M", inner]);
  const right = constant ? graph.constant(type, [inner, columns], bytes) : graph.input("right", type, [inner, columns]);
  graph.output("product", emitByteProduct(graph, left, right, type, graph.float(1)), "float32", ["M", columns]);
  const session = await loadSession(writeModel(graph), { threads: 1, spinning: false });
  const feeds = { rows: tensor("uint8", rows, [rows.length / inner, inner]) };
  const outputs = await session.run(constant ? feeds : { ...feeds, right: tensor(type, bytes, [inner, columns]) }, { product: null });
  await session.dispose();
  return outputs["product"]?.data as Float32Array;
}
