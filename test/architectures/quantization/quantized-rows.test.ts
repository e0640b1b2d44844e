/** @file Rows of 8-bit integers stand for the rows that they were made of. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { zeroPoint128 } from "../../../src/architectures/quantization/byte-products.ts";
import { emitQuantizedRows } from "../../../src/architectures/quantization/quantized-rows.ts";
import { Graph } from "../../../src/onnx/graph.ts";
import { writeModel } from "../../../src/onnx/write.ts";
import { loadSession, tensor } from "../../../src/runtime/session.ts";
import { RandomChoices } from "../../engine/random-requests.ts";

const width = 48;

/** x [rows, width] there and back: a product of its integers with the identity, times its scales. */
async function roundTrip(x: Float32Array<ArrayBuffer>): Promise<Float32Array> {
  const graph = new Graph();
  const input = graph.input("x", "float32", ["M", width]);
  const { rows, scales } = emitQuantizedRows(graph, input, [0, width]);
  const identity = new Int8Array(width * width);
  for (let at = 0; at < width; at++) identity[at * width + at] = 1;
  const ones = graph.constant("float32", [width], new Float32Array(width).fill(1));
  const product = graph.microsoft("MatMulIntegerToFloat", [
    rows,
    graph.constant("int8", [width, width], identity),
    graph.float(1),
    ones,
    zeroPoint128(graph),
  ]);
  graph.output("y", graph.op("Mul", [product, scales]), "float32", ["M", width]);
  const session = await loadSession(writeModel(graph), { threads: 1, spinning: false });
  const { y } = await session.run({ x: tensor("float32", x, [x.length / width, width]) }, { y: null });
  await session.dispose();
  return y!.data as Float32Array;
}

test("a row comes back within half a step of its largest magnitude / 127, whatever rows lie beside it", async () => {
  const choices = new RandomChoices(3);
  const magnitudes = [1e-6, 1, 1e6];
  const x = Float32Array.from(
    { length: magnitudes.length * width },
    (_, at) => (choices.integers(1, -1000, 1000)[0]! / 1000) * magnitudes[Math.floor(at / width)]!,
  );
  const y = await roundTrip(x);
  for (let row = 0; row < magnitudes.length; row++) {
    const [before, after] = [x, y].map((all) => all.subarray(row * width, (row + 1) * width)) as [Float32Array, Float32Array];
    const step = Math.max(...before.map(Math.abs)) / 127;
    before.forEach((value, at) => assert.ok(Math.abs(after[at]! - value) <= 0.5001 * step, `row ${row}: ${value} became ${after[at]}`));
    assert.deepEqual(await roundTrip(before.slice()), after.slice());
  }
});

test("a row of zeros, whose scale is zero, comes back as zeros", async () => {
  const x = new Float32Array(2 * width);
  x.fill(0.5, width);
  const y = await roundTrip(x);
  assert.ok(y.subarray(0, width).every((value) => value === 0));
  assert.ok(y.subarray(width).every((value) => value === 0.5));
});
