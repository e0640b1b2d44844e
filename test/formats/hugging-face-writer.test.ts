/**
 * @file Folders that Bonsai writes: what is read back here, and what transformers and peft load, is what was written.
 */

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";

import { readDecoderConfig } from "../../src/architectures/decoder/decoder-config.ts";
import { writeHuggingFaceFolder, type SavedType, type WeightToWrite } from "../../src/formats/hugging-face-writer.ts";
import type { ModelFile } from "../../src/formats/model-file.ts";
import { openModel } from "../../src/formats/open-model.ts";
import { readPeftAdapter, writePeftAdapter } from "../../src/formats/peft-adapter.ts";
import { Tokenizer } from "../../src/text/tokenizer/tokenizer.ts";
import { goldenPath, largestDifference } from "../architectures/goldens.ts";
import { NaiveDecoder } from "../architectures/naive-decoder.ts";
import { runOracle, withoutPyTorch } from "../fixtures/python-oracle.ts";
import { temporaryFolder } from "../fixtures/temporary-folder.ts";
import { writeTinyGguf } from "../fixtures/tiny-gguf.ts";

const root = temporaryFolder();

function weightsOf(model: ModelFile): WeightToWrite[] {
  return [...model.weights.infos.values()].map(({ name, shape }) => ({ name, shape, read: () => model.weights.readFloat32(name) }));
}

function rewrite(path: string, folder: string, type: SavedType): ModelFile {
  const model = openModel(path);
  try {
    writeHuggingFaceFolder(folder, model, weightsOf(model), type);
  } finally {
    model.weights.close();
  }
  return openModel(folder);
}

describe("a folder that was written", () => {
  for (const name of ["llama", "qwen2", "qwen3", "gpt2"] as const) {
    test(`holds the weights, config and tokenizer of ${name}`, () => {
      const original = openModel(goldenPath(name));
      const written = rewrite(goldenPath(name), join(root, name), "float32");
      assert.deepEqual([...written.weights.infos.keys()].toSorted(), [...original.weights.infos.keys()].toSorted());
      for (const weight of original.weights.infos.keys())
        assert.deepEqual(written.weights.readFloat32(weight), original.weights.readFloat32(weight), weight);
      assert.deepEqual(readDecoderConfig(written.config, ""), readDecoderConfig(original.config, ""));
      assert.equal(written.config["dtype"], "float32");
      assert.deepEqual(written.tokenizer, original.tokenizer);
      assert.deepEqual(written.eosTokenIds, original.eosTokenIds);
      written.weights.close();
      original.weights.close();
    });
  }

  test("is the same to the byte when it is written again", () => {
    rewrite(goldenPath("llama"), join(root, "first"), "bfloat16").weights.close();
    rewrite(goldenPath("llama"), join(root, "second"), "bfloat16").weights.close();
    assert.ok(readdirSync(join(root, "first")).includes("model.safetensors"));
    for (const name of readdirSync(join(root, "first")))
      assert.deepEqual(readFileSync(join(root, "second", name)), readFileSync(join(root, "first", name)), name);
  });

  for (const [type, bits] of [
    ["bfloat16", 8],
    ["float16", 11],
  ] as const) {
    // prettier-ignore
    test(`holds every value to the precision of ${type}`, () => {
      const original = openModel(goldenPath("llama"));
      const written = rewrite(goldenPath("llama"), join(root, type), type);
      for (const name of original.weights.infos.keys()) {
        const [before, after] = [original.weights.readFloat32(name), written.weights.readFloat32(name)];
        before.forEach((value, at) => assert.ok(Math.abs(after[at]! - value) <= Math.abs(value) * 2 ** -bits + 2 ** -25, name));
      }
      written.weights.close();
      original.weights.close();
    });
  }

  test("keeps the tokenizer and end of a GGUF file", () => {
    const path = join(root, "tiny.gguf");
    writeTinyGguf(path, { type: "F32" });
    const gguf = openModel(path);
    const written = rewrite(path, join(root, "from-gguf"), "float32");
    assert.deepEqual(written.eosTokenIds, gguf.eosTokenIds);
    assert.equal(written.tokenizer.chatTemplate, gguf.tokenizer.chatTemplate);
    const text = "Hello <|im_start|>world, héllo\n";
    assert.deepEqual(new Tokenizer(written.tokenizer).encode(text), new Tokenizer(gguf.tokenizer).encode(text));
    assert.deepEqual(readDecoderConfig(written.config, ""), readDecoderConfig(gguf.config, ""));
    written.weights.close();
    gguf.weights.close();
  });
});

interface Loaded {
  parameters: Record<string, { shape: number[]; dtype: string; sum: number; squares: number }>;
  logits: number[];
}

const near = (actual: number, expected: number): void =>
  assert.ok(Math.abs(actual - expected) <= 1e-9 * (1 + Math.abs(expected)), `${actual} is not ${expected}`);

function sums(values: Float32Array): { sum: number; squares: number } {
  return { sum: values.reduce((sum, value) => sum + value, 0), squares: values.reduce((sum, value) => sum + value * value, 0) };
}

describe("transformers and peft", { skip: withoutPyTorch }, () => {
  for (const name of ["llama", "gpt2"] as const) {
    for (const type of ["float32", "bfloat16"] as const) {
      test(`load a ${name} that was written in ${type}, with the same tensors and logits`, () => {
        const folder = join(root, `oracle-${name}-${type}`);
        const written = rewrite(goldenPath(name), folder, type);
        const { parameters, logits } = runOracle("load-written.py", "model", folder) as Loaded;
        for (const [parameter, { dtype, sum, squares }] of Object.entries(parameters)) {
          const expected = sums(written.weights.readFloat32(parameter));
          near(sum, expected.sum);
          near(squares, expected.squares);
          assert.equal(dtype, `torch.${type}`);
        }
        if (type === "float32") {
          const naive = new NaiveDecoder(readDecoderConfig(written.config, ""), written.weights).logits([5, 17, 99, 3]);
          assert.ok(largestDifference(naive.at(-1)!, logits) < 1e-4);
        }
        written.weights.close();
      });
    }
  }

  test("load a folder made from a GGUF file, and its tokenizer gives the ids that ours gives", () => {
    const path = join(root, "oracle.gguf");
    writeTinyGguf(path, { type: "F32" });
    const folder = join(root, "oracle-from-gguf");
    const written = rewrite(path, folder, "float32");
    const text = "Hello world <|im_end|> it's";
    const { ids } = runOracle("load-written.py", "tokenizer", folder, text) as { ids: number[] };
    assert.deepEqual(ids, new Tokenizer(written.tokenizer).encode(text));
    const { logits } = runOracle("load-written.py", "model", folder) as Loaded;
    const naive = new NaiveDecoder(readDecoderConfig(written.config, ""), written.weights).logits([5, 17, 99, 3]);
    assert.ok(largestDifference(naive.at(-1)!, logits) < 1e-4);
    written.weights.close();
  });

  test("load an adapter that was written", () => {
    const adapter = readPeftAdapter(join(goldenPath("llama"), "../../adapters/llama"), "llama");
    const folder = join(root, "oracle-adapter");
    writePeftAdapter(folder, adapter, "float32", false);
    const { parameters } = runOracle("load-written.py", "adapter", goldenPath("llama"), folder) as Loaded;
    assert.equal(Object.keys(parameters).length, 2 * adapter.pairs.size);
    for (const [layer, { a, b, inputs, outputs }] of adapter.pairs) {
      for (const [factor, values, shape] of [
        ["A", a, [2, inputs]],
        ["B", b, [outputs, 2]],
      ] as const) {
        // prettier-ignore
        const loaded = parameters[`base_model.model.${layer}.lora_${factor}.default.weight`]!;
        assert.deepEqual(loaded.shape, shape);
        near(loaded.sum, sums(values).sum);
        near(loaded.squares, sums(values).squares);
      }
    }
  });
});
