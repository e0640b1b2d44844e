/** @file The safetensors reader and writer: what is written is read, and what is wrong is refused by name or offset. */

import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";

import { writeSafetensors, type TensorToWrite } from "../../src/formats/safetensors/safetensors-writer.ts";
import { temporaryFolder } from "../fixtures/temporary-folder.ts";
import { assertRefused } from "./expect-error.ts";
import { headerOf } from "./safetensors-header.ts";

const folder = temporaryFolder();
const path = join(folder, "model.safetensors");

/** Writes a file of this header (an object, its text or its bytes) and this much data. */
function writeFile(header: unknown, dataBytes: number): void {
  const text = header instanceof Uint8Array ? header : Buffer.from(typeof header === "string" ? header : JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  writeFileSync(path, Buffer.concat([length, text, Buffer.alloc(dataBytes)]));
}

test("tensors that were written are read back with their names, types, shapes and bytes", () => {
  const bytesPerValue = { F64: 8, F32: 4, F16: 2, BF16: 2 };
  const tensor = fc.record({
    dtype: fc.constantFrom<TensorToWrite["dtype"]>("F64", "F32", "F16", "BF16"),
    shape: fc.array(fc.integer({ min: 0, max: 5 }), { maxLength: 3 }),
  });
  const names = fc.uniqueArray(
    fc.string({ unit: "grapheme", minLength: 1 }).filter((name) => name !== "__metadata__"),
    { maxLength: 6 },
  );
  fc.assert(
    fc.property(names, fc.array(tensor, { minLength: 6, maxLength: 6 }), (tensorNames, kinds) => {
      const tensors = tensorNames.map((name, index): TensorToWrite => {
        const { dtype, shape } = kinds[index]!;
        const length = shape.reduce((product, size) => product * size, bytesPerValue[dtype]);
        return { name, dtype, shape, bytes: Uint8Array.from({ length }, (_, at) => (at * 7 + index) % 256) };
      });
      writeSafetensors(path, tensors, { format: "pt", origin: "test" });
      const { entries, metadata } = headerOf(path);
      const content = readFileSync(path);
      assert.deepEqual({ ...metadata }, { format: "pt", origin: "test" });
      assert.equal(entries.size, tensors.length);
      for (const { name, dtype, shape, bytes } of tensors) {
        const entry = entries.get(name)!;
        assert.deepEqual({ dtype: entry.dtype, shape: [...entry.shape] }, { dtype, shape: [...shape] });
        assert.deepEqual(Uint8Array.from(content.subarray(entry.offset, entry.offset + entry.byteLength)), bytes);
      }
    }),
    { numRuns: 100 },
  );
});

const good = { dtype: "F32", shape: [2], data_offsets: [0, 8] };

const refused: [what: string, header: unknown, dataBytes: number, message: RegExp][] = [
  ["a header that is not JSON", "{nope", 0, /byte 8 is not JSON/],
  ["a header that is not an object", "[]", 0, /not a JSON object/],
  ["a header that is not UTF-8", Uint8Array.of(0x7b, 0xff, 0x7d), 0, /byte 8 is not UTF-8/],
  ["a name that occurs twice", `{"a":${JSON.stringify(good)},"\\u0061":${JSON.stringify(good)}}`, 8, /"a" occurs twice/],
  ["a header nested deeper than the format", `{"a":${"[".repeat(1000)}${"]".repeat(1000)}}`, 0, /nested 1001 deep/],
  ["metadata that are not strings", { __metadata__: { a: 1 } }, 0, /__metadata__/],
  ["a tensor without a description", { a: 5 }, 8, /"a" is not described/],
  ["a tensor without a type", { a: { ...good, dtype: 4 } }, 8, /"a" has no dtype/],
  ["a negative dimension", { a: { ...good, shape: [-2] } }, 8, /"a": the shape/],
  ["a fractional dimension", { a: { ...good, shape: [0.5] } }, 8, /"a": the shape/],
  ["nine dimensions", { a: { ...good, shape: [2, 1, 1, 1, 1, 1, 1, 1, 1] } }, 8, /"a": the shape/],
  ["dimensions whose product overflows", { a: { ...good, shape: [2 ** 40, 2 ** 40] } }, 8, /"a": data_offsets/],
  ["a number that is no number", '{"a":{"dtype":"F32","shape":[1e999],"data_offsets":[0,8]}}', 8, /"a": the shape/],
  ["offsets that do not hold the shape", { a: { ...good, data_offsets: [0, 4] } }, 8, /"a": data_offsets \[0, 4\]/],
  ["offsets in the wrong order", { a: { ...good, data_offsets: [8, 0] } }, 8, /"a": data_offsets/],
  ["one offset", { a: { ...good, data_offsets: [8] } }, 8, /"a": data_offsets must be two/],
  ["a gap between tensors", { a: good, b: { ...good, data_offsets: [16, 24] } }, 24, /"b" begins at byte \d+ instead of/],
  ["tensors on top of each other", { a: good, b: { ...good, data_offsets: [4, 12] } }, 12, /"b" begins at byte/],
  ["data beyond the last tensor", { a: good }, 9, /end at byte \d+, but the file has/],
  ["data that end early", { a: good }, 7, /truncated or damaged/],
];

for (const [what, header, dataBytes, message] of refused) {
  test(`${what} is refused`, () => {
    writeFile(header, dataBytes);
    assertRefused(() => headerOf(path), "invalid_model_file", message);
  });
}

test("a type that the format does not know is refused as unsupported", () => {
  writeFile({ a: { ...good, dtype: "Q4_0" } }, 8);
  assertRefused(() => headerOf(path), "unsupported_model", /"a" has the unknown type "Q4_0".*F32/);
  writeFile({ a: { ...good, dtype: "constructor" } }, 8);
  assertRefused(() => headerOf(path), "unsupported_model", /constructor/);
});

test("a header length beyond the file or the format's limit is refused before anything is read", () => {
  for (const length of [0n, 1n, 9n, 2n ** 32n, 2n ** 63n, 2n ** 64n - 1n]) {
    const bytes = Buffer.alloc(12);
    bytes.writeBigUInt64LE(length);
    writeFileSync(path, bytes);
    assertRefused(() => headerOf(path), "invalid_model_file", /header at byte 8/);
  }
  writeFileSync(path, Buffer.alloc(7));
  assertRefused(() => headerOf(path), "invalid_model_file", /header's length/);
});

test("a tensor called __proto__ or toString is a tensor like any other", () => {
  writeFile(`{"__proto__":${JSON.stringify(good)},"toString":${JSON.stringify({ ...good, data_offsets: [8, 16] })}}`, 16);
  assert.deepEqual([...headerOf(path).entries.keys()], ["__proto__", "toString"]);
});
