/**
 * @file However a model file is damaged, opening and reading it succeeds or gives a BonsaiError, and memory stays in
 * proportion.
 */

import assert from "node:assert/strict";
import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import fc from "fast-check";

import { BonsaiError } from "../../src/errors/bonsai-error.ts";
import { openModel } from "../../src/formats/open-model.ts";
import { readPeftAdapter } from "../../src/formats/peft-adapter.ts";
import { temporaryFolder } from "../fixtures/temporary-folder.ts";
import { writeTinyGguf } from "../fixtures/tiny-gguf.ts";
import { writeTinyModel, type TinyModelOptions } from "../fixtures/tiny-model.ts";
import { damaged, damages } from "./damage.ts";

const root = temporaryFolder();
const small: TinyModelOptions = { hiddenSize: 32, headDim: 8, layers: 1, intermediateSize: 32, contextLength: 16 };

/** Runs `use`; a BonsaiError is fine, anything else is not. */
function outcome(use: () => void): "read" | "refused" {
  try {
    use();
    return "read";
  } catch (error) {
    if (!(error instanceof BonsaiError)) throw error;
    assert.ok(["invalid_model_file", "unsupported_model", "invalid_tokenizer", "file_not_found"].includes(error.code), error.code);
    assert.ok(error.message.length > 20, error.message);
    return "refused";
  }
}

/** Opens the model and reads all of it. */
function useModel(path: string): "read" | "refused" {
  return outcome(() => {
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
  });
}

function assertAlwaysHandled(path: string, file: string, headerBytes: number, numRuns: number, use = useModel): void {
  const original = readFileSync(file);
  assert.equal(use(path), "read");
  fc.assert(
    fc.property(damages(original.length, headerBytes), (list) => {
      writeFileSync(file, damaged(original, list));
      use(path);
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

test("any damaged file of an adapter is read or refused", () => {
  const folder = join(root, "adapter");
  cpSync(fileURLToPath(new URL("../oracle/adapters/llama", import.meta.url)), folder, { recursive: true });
  const readAdapter = (path: string): "read" | "refused" => outcome(() => readPeftAdapter(path, "llama"));
  assertAlwaysHandled(folder, join(folder, "adapter_model.safetensors"), 1300, 300, readAdapter);
  assertAlwaysHandled(folder, join(folder, "adapter_config.json"), 1100, 200, readAdapter);
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
