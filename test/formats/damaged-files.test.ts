/** @file However a model file is damaged, opening and reading it succeeds or gives a BonsaiError, and memory stays in proportion. */

import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";

import { BonsaiError } from "../../src/errors/bonsai-error.ts";
import { openModel } from "../../src/formats/open-model.ts";
import { temporaryFolder } from "../fixtures/temporary-folder.ts";
import { writeTinyGguf } from "../fixtures/tiny-gguf.ts";
import { writeTinyModel, type TinyModelOptions } from "../fixtures/tiny-model.ts";

const root = temporaryFolder();
const small: TinyModelOptions = { hiddenSize: 32, headDim: 8, layers: 1, intermediateSize: 32, contextLength: 16 };

/** Numbers that hostile files like, as 8 little-endian bytes. */
const hostileNumbers = [0n, 1n, 2n ** 31n, 2n ** 32n - 1n, 2n ** 40n, 2n ** 53n, 2n ** 63n, 2n ** 64n - 1n, 0x7b7b7b7b7b7b7b7bn];

type Damage =
  | { kind: "truncate"; at: number }
  | { kind: "flip"; at: number; bit: number }
  | { kind: "overwrite"; at: number; number: bigint }
  | { kind: "insert"; at: number; bytes: Uint8Array }
  | { kind: "remove"; at: number; length: number };

/** Damages within the first `headerBytes`, where the structure is, or anywhere. */
function damages(fileBytes: number, headerBytes: number): fc.Arbitrary<Damage[]> {
  const at = fc.oneof({ weight: 4, arbitrary: fc.nat(headerBytes - 1) }, { weight: 1, arbitrary: fc.nat(fileBytes - 1) });
  const damage = fc.oneof(
    fc.record({ kind: fc.constant("truncate" as const), at }),
    fc.record({ kind: fc.constant("flip" as const), at, bit: fc.nat(7) }),
    fc.record({ kind: fc.constant("overwrite" as const), at, number: fc.constantFrom(...hostileNumbers) }),
    fc.record({ kind: fc.constant("insert" as const), at, bytes: fc.uint8Array({ minLength: 1, maxLength: 40 }) }),
    fc.record({ kind: fc.constant("remove" as const), at, length: fc.integer({ min: 1, max: 40 }) }),
  );
  return fc.array(damage, { minLength: 1, maxLength: 3 });
}

function damaged(bytes: Buffer, list: readonly Damage[]): Buffer {
  return list.reduce((current, damage) => {
    const at = Math.min(damage.at, current.length);
    if (damage.kind === "truncate") return current.subarray(0, at);
    if (damage.kind === "insert") return Buffer.concat([current.subarray(0, at), damage.bytes, current.subarray(at)]);
    if (damage.kind === "remove") return Buffer.concat([current.subarray(0, at), current.subarray(at + damage.length)]);
    const copy = Buffer.from(current);
    if (damage.kind === "flip" && at < copy.length) copy[at]! ^= 1 << damage.bit;
    if (damage.kind === "overwrite" && at + 8 <= copy.length) copy.writeBigUInt64LE(damage.number, at);
    return copy;
  }, bytes);
}

/** Opens the model and reads all of it; a BonsaiError is fine, anything else is not. */
function useModel(path: string): "read" | "refused" {
  try {
    const model = openModel(path);
    try {
      for (const name of model.weights.infos.keys()) {
        model.weights.readRaw(name);
        model.weights.readFloat32(name);
      }
      assert.match(model.contentHash, /^[0-9a-f]{64}$/);
    } finally {
      model.weights.close();
    }
    return "read";
  } catch (error) {
    if (!(error instanceof BonsaiError)) throw error;
    assert.ok(["invalid_model_file", "unsupported_model", "invalid_tokenizer", "file_not_found"].includes(error.code), error.code);
    assert.ok(error.message.length > 20, error.message);
    return "refused";
  }
}

function assertAlwaysHandled(path: string, file: string, headerBytes: number, numRuns: number): void {
  const original = readFileSync(file);
  assert.equal(useModel(path), "read");
  fc.assert(
    fc.property(damages(original.length, headerBytes), (list) => {
      writeFileSync(file, damaged(original, list));
      useModel(path);
    }),
    { numRuns },
  );
  writeFileSync(file, original);
}

test("a GGUF file damaged anywhere is read or refused", () => {
  const path = join(root, "model.gguf");
  writeTinyGguf(path, { ...small, type: "Q8_0" });
  assertAlwaysHandled(path, path, 13_000, 500);
});

test("a GGUF file cut off at any of its first bytes, and at many others, is refused", () => {
  const path = join(root, "cut.gguf");
  writeTinyGguf(path, { ...small, type: "Q4_1" });
  const original = readFileSync(path);
  for (let length = 0; length < original.length; length += length < 400 ? 1 : 997) {
    writeFileSync(path, original.subarray(0, length));
    assert.equal(useModel(path), "refused", `cut at ${length}`);
  }
});

test("a safetensors file damaged anywhere is read or refused", () => {
  const folder = join(root, "folder");
  writeTinyModel(folder, { ...small, architecture: "gpt2" });
  assertAlwaysHandled(folder, join(folder, "model.safetensors"), 2000, 400);
});

test("any damaged JSON file of a folder is read or refused", () => {
  const folder = join(root, "json");
  writeTinyModel(folder, { ...small, shards: 2 });
  for (const name of ["config.json", "generation_config.json", "tokenizer_config.json", "model.safetensors.index.json"]) {
    const file = join(folder, name);
    assertAlwaysHandled(folder, file, readFileSync(file).length, 100);
  }
});

test("any JSON in place of the JSON files of a folder is read or refused", () => {
  const folder = join(root, "any-json");
  writeTinyModel(folder, { ...small, shards: 2 });
  for (const name of ["config.json", "generation_config.json", "tokenizer_config.json", "model.safetensors.index.json"]) {
    const file = join(folder, name);
    const original = JSON.parse(readFileSync(file, "utf8")) as Record<string, unknown>;
    const key = fc.constantFrom(...Object.keys(original));
    fc.assert(
      fc.property(fc.array(fc.tuple(key, fc.jsonValue()), { minLength: 1, maxLength: 3 }), (changes) => {
        writeFileSync(file, JSON.stringify({ ...original, ...Object.fromEntries(changes) }));
        useModel(folder);
      }),
      { numRuns: 60 },
    );
    writeFileSync(file, JSON.stringify(original));
  }
});

test("counts and lengths of gigabytes to petabytes in small files cost no memory", () => {
  const folder = join(root, "hostile");
  mkdirSync(folder);
  const path = join(folder, "model.gguf");
  writeTinyGguf(path, small);
  const original = readFileSync(path);
  useModel(path);
  const residentBefore = process.resourceUsage().maxRSS;
  let largestBuffers = 0;
  for (const number of [2n ** 31n, 2n ** 34n, 2n ** 50n]) {
    for (let at = 8; at < 600; at += 2) {
      const copy = Buffer.from(original);
      copy.writeBigUInt64LE(number, at);
      writeFileSync(path, copy);
      useModel(path);
      // Buffers of the call just made are still counted, touched or not, unless a collection came between.
      largestBuffers = Math.max(largestBuffers, process.memoryUsage().arrayBuffers);
    }
  }
  const grownBytes = 1024 * (process.resourceUsage().maxRSS - residentBefore);
  assert.ok(grownBytes < 300e6, `resident memory grew by ${grownBytes} bytes`);
  assert.ok(largestBuffers < 300e6, `buffers took ${largestBuffers} bytes`);
});
