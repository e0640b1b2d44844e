/** @file The probe of 8-bit products, and products at the extremes that models are served with. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { byteTypes, emitByteProduct, storedBytes, type ByteType } from "../../src/architectures/byte-products.ts";
import { longestByteCache } from "../../src/architectures/cached-attention.ts";
import { Graph } from "../../src/onnx/graph.ts";
import { writeModel } from "../../src/onnx/write.ts";
import { byteProductsAreExact, exactByteType } from "../../src/runtime/integer-products.ts";
import { loadSession, tensor } from "../../src/runtime/session.ts";

const exact = new Map<ByteType, boolean>();
for (const type of byteTypes) exact.set(type, await byteProductsAreExact(type));

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

/** A row around 128 times weights [row's length, columns]. */
async function product(row: Uint8Array<ArrayBuffer>, weights: Int8Array<ArrayBuffer>, type: ByteType): Promise<Float32Array> {
  const columns = weights.length / row.length;
  const graph = new Graph();
  const left = graph.input("row", "uint8", [1, row.length]);
  const right = graph.input("weights", type, [row.length, columns]);
  graph.output("product", emitByteProduct(graph, left, right, type, graph.float(1)), "float32", [1, columns]);
  const session = await loadSession(writeModel(graph), { threads: 1, spinning: false });
  const feeds = { row: tensor("uint8", row, [1, row.length]), weights: tensor(type, storedBytes(weights, type), [row.length, columns]) };
  const outputs = await session.run(feeds, { product: null });
  await session.dispose();
  return outputs["product"]?.data as Float32Array;
}
