/** @file The probe of 8-bit products, and products at the extremes that models are served with. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { longestInt8Cache } from "../../src/architectures/cached-attention.ts";
import { Graph } from "../../src/onnx/graph.ts";
import { writeModel } from "../../src/onnx/write.ts";
import { integerProductsAreExact } from "../../src/runtime/integer-products.ts";
import { loadSession, tensor } from "../../src/runtime/session.ts";

const exact = await integerProductsAreExact();

test("the probe finds what a product of extremes says, on this processor", async () => {
  // Two products of 255 and 127 pass 16 bits: where their sum is cut, so is that of the longest cache.
  assert.equal((await sumOfExtremes(2, 255, 0)) === 2 * 255 * 127, exact);
});

test(
  "attention weights of the longest cache with 8 bits do not pass 32 bits",
  { skip: !exact && "this processor's 8-bit products are cut" },
  async () => {
    for (const digit of [255, 1]) {
      const sum = await sumOfExtremes(longestInt8Cache, digit, 128);
      // float32 holds 24 bits of the sum.
      assert.ok(Math.abs(sum / (longestInt8Cache * (digit - 128) * 127) - 1) < 2 ** -22);
    }
  },
);

/** A row of `length` equal digits times a column of 127. */
async function sumOfExtremes(length: number, digit: number, zeroPoint: number): Promise<number> {
  const graph = new Graph();
  const row = graph.input("row", "uint8", [1, length]);
  const column = graph.input("column", "int8", [length, 1]);
  const zero = graph.constant("uint8", [], Uint8Array.of(zeroPoint));
  graph.output("sum", graph.microsoft("MatMulIntegerToFloat", [row, column, graph.float(1), graph.float(1), zero]), "float32", [1, 1]);
  const session = await loadSession(writeModel(graph), { threads: 1, spinning: false });
  const feeds = {
    row: tensor("uint8", new Uint8Array(length).fill(digit), [1, length]),
    column: tensor("int8", new Int8Array(length).fill(127), [length, 1]),
  };
  const outputs = await session.run(feeds, { sum: null });
  await session.dispose();
  const sums = outputs["sum"]?.data as Float32Array;
  return sums[0]!;
}
