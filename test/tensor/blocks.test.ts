/** @file Dequantisation against llama.cpp's own Python package, bit for bit. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { dequantize, dequantizeRows, storedBytes } from "../../src/tensor/blocks.ts";
import { dtypes, type DType } from "../../src/tensor/dtype.ts";

interface GoldenEntry {
  type: DType;
  blocks: string;
  values: string;
}

const golden = JSON.parse(readFileSync(new URL("../oracle/gguf-blocks.json", import.meta.url), "utf8")) as { entries: GoldenEntry[] };

function bytesOf(base64: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(Buffer.from(base64, "base64"));
}

function goldenOf(entry: GoldenEntry): { blocks: Uint8Array<ArrayBuffer>; values: Float32Array<ArrayBuffer> } {
  return { blocks: bytesOf(entry.blocks), values: new Float32Array(bytesOf(entry.values).buffer) };
}

for (const entry of golden.entries) {
  test(`${entry.type} blocks dequantise to the very bits of the reference`, () => {
    const { blocks, values } = goldenOf(entry);
    assert.deepEqual(dequantize(entry.type, blocks, values.length), values);
  });

  test(`a range of ${entry.type} rows equals the same rows of the whole`, () => {
    const { blocks, values } = goldenOf(entry);
    const rowLength = dtypes[entry.type].blockSize;
    const rows = values.length / rowLength;
    assert.deepEqual(dequantizeRows(entry.type, blocks, rowLength, 1, rows - 1), values.slice(rowLength, (rows - 1) * rowLength));
    const target = new Float32Array(rowLength);
    assert.equal(dequantizeRows(entry.type, blocks, rowLength, 2, 3, target), target);
    assert.deepEqual(target, values.slice(2 * rowLength, 3 * rowLength));
  });

  test(`${entry.type} blocks may begin at any byte of their buffer`, () => {
    const { blocks, values } = goldenOf(entry);
    const shifted = new Uint8Array(blocks.byteLength + 1);
    shifted.set(blocks, 1);
    assert.deepEqual(dequantize(entry.type, shifted.subarray(1), values.length), values);
  });
}

test("F32 and F64 values come out as they are, rounded to fp32", () => {
  const doubles = new Float64Array([1 / 3, -2.5, 1e-300]);
  assert.deepEqual(dequantize("F64", new Uint8Array(doubles.buffer), 3), Float32Array.from(doubles));
  const floats = new Float32Array([1 / 3, -2.5, Infinity]);
  assert.deepEqual(dequantize("F32", new Uint8Array(floats.buffer), 3), floats);
});

test("every type of the table has a golden or is a plain float", () => {
  const covered = new Set<string>([...golden.entries.map((entry) => entry.type), "F32", "F64"]);
  assert.deepEqual(
    Object.keys(dtypes).filter((type) => !covered.has(type)),
    [],
  );
});

test("a wrong number of bytes or values is refused", () => {
  assert.throws(() => dequantize("Q4_0", new Uint8Array(17), 32), RangeError);
  assert.throws(() => dequantize("Q4_0", new Uint8Array(18), 31), RangeError);
  assert.throws(() => dequantizeRows("Q8_0", new Uint8Array(68), 32, 1, 3), RangeError);
  assert.throws(() => dequantizeRows("Q8_0", new Uint8Array(68), 32, -1, 1), RangeError);
  assert.throws(() => dequantizeRows("Q8_0", new Uint8Array(68), 32, 0, 1, new Float32Array(31)), RangeError);
  assert.equal(storedBytes("Q6_K", 512), 420);
});
