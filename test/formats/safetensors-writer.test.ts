/**
 * @file The safetensors writer: order, alignment, tensors made when they are written, and what a refused write leaves.
 */

import assert from "node:assert/strict";
import { chmodSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

import { writeSafetensors, type TensorToWrite } from "../../src/formats/safetensors/safetensors-writer.ts";
import { runOracle, withoutSafetensors } from "../fixtures/python-oracle.ts";
import { temporaryFolder } from "../fixtures/temporary-folder.ts";
import { assertRefused } from "./expect-error.ts";
import { headerOf } from "./safetensors-header.ts";

const folder = temporaryFolder();
const path = join(folder, "model.safetensors");

const tensor = (name: string, dtype: TensorToWrite["dtype"], values: number): TensorToWrite => ({
  name,
  dtype,
  shape: [values],
  bytes: new Uint8Array(values * { F64: 8, F32: 4, F16: 2, BF16: 2 }[dtype]),
});

test("the data begin on a multiple of 8 bytes, and bytes that do not fit the shape are refused", () => {
  writeSafetensors(path, [tensor("a", "F32", 1)]);
  assert.equal(headerOf(path).entries.get("a")!.offset % 8, 0);
  assert.throws(() => writeSafetensors(path, [{ ...tensor("a", "F32", 1), shape: [2] }]), /a: 4 bytes/);
  assert.throws(() => writeSafetensors(path, [tensor("a", "F32", 1), tensor("a", "F32", 1)]), /twice/);
});

test("each tensor lies on a multiple of its values' size, in an order that does not depend on the order given", () => {
  const tensors = [tensor("odd", "F16", 3), tensor("b", "F32", 1), tensor("a", "F32", 3), tensor("wide", "F64", 1), tensor("c", "BF16", 1)];
  writeSafetensors(path, tensors);
  const first = readFileSync(path);
  const offsets = [...headerOf(path).entries.values()].map(({ name, offset }) => [name, offset] as const);
  assert.deepEqual(
    offsets.toSorted((a, b) => a[1] - b[1]).map(([name]) => name),
    ["wide", "a", "b", "c", "odd"],
  );
  writeSafetensors(path, tensors.toReversed());
  assert.deepEqual(readFileSync(path), first);
});

test("tensors that are made when their turn comes are asked for one after the other, in the file's order", () => {
  const asked: string[] = [];
  const lazy = ["b", "a", "c"].map((name): TensorToWrite => ({
    name,
    dtype: "F32",
    shape: [2],
    bytes: () => {
      asked.push(name);
      return new Uint8Array(8).fill(name.charCodeAt(0));
    },
  }));
  writeSafetensors(path, lazy);
  assert.deepEqual(asked, ["a", "b", "c"]);
  const content = readFileSync(path);
  for (const { name, offset, byteLength } of headerOf(path).entries.values())
    assert.ok(content.subarray(offset, offset + byteLength).every((byte) => byte === name.charCodeAt(0)));
});

test("the reference library reads what was written", { skip: withoutSafetensors }, () => {
  const values = {
    F64: Float64Array.of(1 / 3, -2),
    F32: Float32Array.of(0.5, 1e-30, -7),
    F16: Uint16Array.of(0x3c00),
    BF16: Uint16Array.of(1, 2),
  };
  const tensors = Object.entries(values).map(([dtype, array]): TensorToWrite => ({
    name: `the "${dtype}" tensor é`,
    dtype: dtype as keyof typeof values,
    shape: [1, array.length],
    bytes: new Uint8Array(array.buffer),
  }));
  writeSafetensors(path, tensors, { format: "pt", note: "ü" });
  const read = runOracle("load-safetensors.py", path) as { metadata: object; tensors: Record<string, object> };
  assert.deepEqual(read.metadata, { format: "pt", note: "ü" });
  const expected = { F64: [1 / 3, -2], F32: [...values.F32], F16: [1], BF16: null };
  for (const { name, dtype, shape } of tensors) assert.deepEqual(read.tensors[name], { dtype, shape, values: expected[dtype] });
  assert.equal(Object.keys(read.tensors).length, tensors.length);
});

test("a write that fails half way leaves the old file whole and nothing beside it", () => {
  writeSafetensors(path, [tensor("a", "F32", 1)]);
  const before = readFileSync(path);
  const failing: TensorToWrite = {
    ...tensor("b", "F32", 1),
    bytes: () => {
      throw new Error("out of weights");
    },
  };
  assert.throws(() => writeSafetensors(path, [tensor("a", "F32", 100), failing]), /out of weights/);
  assert.deepEqual(readFileSync(path), before);
  assert.deepEqual(readdirSync(folder), ["model.safetensors"]);
});

test("a place that cannot be written is told by its path", { skip: process.getuid?.() === 0 && "root may write anywhere" }, () => {
  const closed = join(folder, "closed");
  mkdirSync(closed);
  chmodSync(closed, 0o500);
  assertRefused(() => writeSafetensors(join(closed, "x.safetensors"), []), "write_failed", /closed\/x\.safetensors .*does not permit/);
});

test("a folder that is absent is told by the file's path", () => {
  assertRefused(() => writeSafetensors(join(folder, "absent", "x.safetensors"), []), "write_failed", /absent\/x\.safetensors cannot/);
});
