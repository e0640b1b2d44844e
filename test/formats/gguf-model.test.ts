/** @file A GGUF file gives the same model as the Hugging Face folder it was made from. */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

import { llama3RopeFactors } from "../../src/formats/gguf/gguf-rope-factors.ts";
import { openModel } from "../../src/formats/open-model.ts";
import { dequantize } from "../../src/tensor/blocks.ts";
import { encodeGguf, type GgufParts, type MetadataEntry, type WrittenType } from "../fixtures/gguf-writer.ts";
import { smolLM2Path, withoutSmolLM2 } from "../fixtures/real-models.ts";
import { temporaryFolder } from "../fixtures/temporary-folder.ts";
import { tinyGgufParts, writeTinyGguf, type TinyGgufOptions } from "../fixtures/tiny-gguf.ts";
import { writeTinyModel, type TinyArchitecture } from "../fixtures/tiny-model.ts";
import { assertRefused } from "./expect-error.ts";

const root = temporaryFolder();
const path = join(root, "model.gguf");

function writeParts(parts: GgufParts): void {
  writeFileSync(path, encodeGguf(parts));
}

/** A tiny model's parts with these metadata in place of those of the same key, or besides. */
function partsWith(options: TinyGgufOptions, ...entries: MetadataEntry[]): GgufParts {
  const parts = tinyGgufParts(options);
  const keys = new Set(entries.map(({ key }) => key));
  return { tensors: parts.tensors, metadata: [...parts.metadata.filter(({ key }) => !keys.has(key)), ...entries] };
}

const architectures: TinyArchitecture[] = ["llama", "qwen2", "qwen3", "gpt2"];

for (const architecture of architectures) {
  test(`a ${architecture} as GGUF equals itself as a folder in config, weights, tokenizer and end of sequence`, () => {
    for (const tieWordEmbeddings of [true, false]) {
      writeTinyGguf(path, { architecture, tieWordEmbeddings });
      const folder = join(root, `${architecture}-${tieWordEmbeddings}`);
      writeTinyModel(folder, { architecture, tieWordEmbeddings });
      const gguf = openModel(path);
      const huggingFace = openModel(folder);
      assert.equal(gguf.format, "gguf");
      // mlp_bias is in no config but a Llama's, where it is false by default.
      assert.deepEqual(
        { attention_bias: false, ...gguf.config, mlp_bias: undefined },
        { ...huggingFace.config, attention_bias: gguf.config["attention_bias"] ?? false, mlp_bias: undefined },
      );
      assert.deepEqual(gguf.eosTokenIds, huggingFace.eosTokenIds);
      assert.equal(gguf.tokenizer.chatTemplate, huggingFace.tokenizer.chatTemplate);
      const models = [gguf, huggingFace].map(({ tokenizer }) => tokenizer.tokenizerJson["model"] as Record<string, unknown>);
      assert.deepEqual(models[0], models[1]);
      assert.deepEqual([...gguf.weights.infos.keys()].toSorted(), [...huggingFace.weights.infos.keys()].toSorted());
      for (const [name, info] of huggingFace.weights.infos) {
        assert.deepEqual(gguf.weights.infos.get(name), info);
        assert.deepEqual(gguf.weights.readFloat32(name), huggingFace.weights.readFloat32(name), name);
        assert.deepEqual(gguf.weights.readRaw(name), huggingFace.weights.readRaw(name), name);
      }
      gguf.weights.close();
      huggingFace.weights.close();
    }
  });
}

for (const [type, tolerance] of [
  ["F16", 1e-3],
  ["Q8_0", 0.02],
  ["Q4_1", 0.3],
] satisfies [WrittenType, number][]) {
  test(`a llama in ${type} has its rows back in order, as raw blocks and as fp32`, () => {
    const { weights } = writeTinyGguf(path, { type });
    const model = openModel(path);
    for (const { name, shape, values } of weights) {
      const info = model.weights.infos.get(name)!;
      assert.equal(info.dtype, shape.length === 1 ? "F32" : type);
      const read = model.weights.readFloat32(name);
      assert.ok(
        read.every((value, at) => Math.abs(value - values[at]!) <= tolerance),
        name,
      );
      assert.deepEqual(dequantize(info.dtype, model.weights.readRaw(name), values.length), read);
    }
    model.weights.close();
  });
}

test("the content hash is the SHA-256 of the file", () => {
  writeTinyGguf(path);
  assert.equal(openModel(path).contentHash, createHash("sha256").update(readFileSync(path)).digest("hex"));
});

test("end-of-turn and end-of-message tokens end an answer too", () => {
  const u32 = (key: string, value: number): MetadataEntry => ({ key: `tokenizer.ggml.${key}_token_id`, type: "u32", value });
  writeParts(partsWith({}, u32("eot", 7), u32("eom", 2)));
  assert.deepEqual(openModel(path).eosTokenIds, [2, 7]);
});

test("rope scaling is translated: linear, yarn, and Llama 3's from its factors", () => {
  const key = (name: string): string => `llama.rope.scaling.${name}`;
  writeParts(partsWith({}, { key: key("type"), type: "string", value: "linear" }, { key: key("factor"), type: "f32", value: 0.1 }));
  assert.deepEqual(openModel(path).config["rope_scaling"], { rope_type: "linear", factor: 0.1 });
  writeParts(
    partsWith(
      {},
      { key: key("type"), type: "string", value: "yarn" },
      { key: key("factor"), type: "f32", value: 4 },
      { key: key("original_context_length"), type: "u32", value: 64 },
    ),
  );
  assert.deepEqual(openModel(path).config["rope_scaling"], { rope_type: "yarn", factor: 4, original_max_position_embeddings: 64 });
  writeParts(partsWith({}, { key: key("type"), type: "string", value: "spiral" }, { key: key("factor"), type: "f32", value: 4 }));
  assertRefused(() => openModel(path), "unsupported_model", /rope.scaling.type is "spiral"/);

  const options = { headDim: 64, ropeTheta: 500000 };
  const parts = tinyGgufParts(options);
  const withFactors = (factors: ArrayLike<number>): GgufParts => ({
    ...parts,
    tensors: [
      ...parts.tensors,
      { name: "rope_freqs.weight", type: 0, shape: [factors.length], bytes: new Uint8Array(Float32Array.from(factors).buffer) },
    ],
  });
  const factors = llama3RopeFactors(64, 500000, 32);
  assert.ok(new Set(factors).size > 3, "the factors have a smooth part");
  writeParts(withFactors(factors));
  const model = openModel(path);
  assert.deepEqual(model.config["rope_scaling"], {
    rope_type: "llama3",
    factor: 32,
    low_freq_factor: 1,
    high_freq_factor: 4,
    original_max_position_embeddings: 8192,
  });
  assert.ok(!model.weights.infos.has("rope_freqs.weight"));
  writeParts(withFactors(factors.fill(1)));
  assert.equal(openModel(path).config["rope_scaling"], null);
  writeParts(withFactors(factors.fill(3)));
  assertRefused(() => openModel(path), "unsupported_model", /"rope_freqs.weight" holds other factors/);
  writeParts(withFactors([1]));
  assertRefused(() => openModel(path), "invalid_model_file", /"rope_freqs.weight" has 1 values instead of 32/);
});

const u32 = (key: string, value: number): MetadataEntry => ({ key, type: "u32", value });

const refused: [what: string, entry: MetadataEntry, code: "unsupported_model" | "invalid_model_file", message: RegExp][] = [
  [
    "another architecture",
    { key: "general.architecture", type: "string", value: "mamba" },
    "unsupported_model",
    /"mamba" is not supported; supported are llama, qwen2, qwen3, gpt2/,
  ],
  ["an architecture that is no string", u32("general.architecture", 1), "invalid_model_file", /general.architecture is not a string/],
  ["a mixture of experts", u32("llama.expert_count", 8), "unsupported_model", /llama.expert_count is 8/],
  ["a part of a split model", u32("split.count", 3), "unsupported_model", /split.count is 3/],
  ["no layers", u32("llama.block_count", 0), "invalid_model_file", /llama.block_count is not an integer of at least 1/],
  ["a fraction of a layer", { key: "llama.block_count", type: "f32", value: 1.5 }, "invalid_model_file", /llama.block_count/],
  [
    "another embedding length",
    u32("llama.embedding_length", 128),
    "invalid_model_file",
    /"token_embd.weight" has the shape \[300, 64\] instead of \[vocabulary, 128\]/,
  ],
  [
    "heads that do not divide",
    u32("llama.attention.head_count_kv", 3),
    "invalid_model_file",
    /head_count_kv is 3, which does not divide the 4 heads/,
  ],
  [
    "heads that differ by layer",
    { key: "llama.attention.head_count_kv", type: "array", of: "i32", values: [2, 4] },
    "unsupported_model",
    /differs from layer to layer/,
  ],
  ["heads of an odd size", u32("llama.attention.key_length", 15), "invalid_model_file", /must be even/],
  ["values of another length than keys", u32("llama.attention.value_length", 8), "unsupported_model", /value_length is 8/],
  ["partial rotary embeddings", u32("llama.rope.dimension_count", 8), "unsupported_model", /dimension_count is 8/],
  [
    "a rope base that is no number",
    { key: "llama.rope.freq_base", type: "f32", value: NaN },
    "invalid_model_file",
    /freq_base is not a finite number/,
  ],
  [
    "a token id beyond the vocabulary",
    u32("tokenizer.ggml.eos_token_id", 300),
    "invalid_model_file",
    /eos_token_id is 300, but there are 300 tokens/,
  ],
  ["heads that do not fit the rows", u32("llama.attention.head_count", 6), "invalid_model_file", /heads|even/],
];

for (const [what, entry, code, message] of refused) {
  test(`${what} is refused by the metadata's key`, () => {
    writeParts(partsWith({}, entry));
    assertRefused(() => openModel(path), code, message);
  });
}

test("a tensor that the architecture does not have is refused by its name, not ignored", () => {
  const parts = tinyGgufParts();
  for (const name of ["blk.0.ffn_gate_exps.weight", "blk.0.attn_sinks", "token_types.weight", "blk.0.constructor.weight"]) {
    writeParts({ ...parts, tensors: [...parts.tensors, { name, type: 0, shape: [8], bytes: new Uint8Array(32) }] });
    assertRefused(() => openModel(path), "unsupported_model", new RegExp(`"${name}" is not part of the llama architecture`));
  }
  writeParts({ ...parts, tensors: parts.tensors.slice(1) });
  assertRefused(() => openModel(path), "invalid_model_file", /no tensor "token_embd.weight"/);
});

test("more tokens than rows of the embedding are refused", () => {
  const parts = tinyGgufParts();
  const [embedding, ...rest] = parts.tensors;
  writeParts({ ...parts, tensors: [{ ...embedding!, shape: [299, 64], bytes: embedding!.bytes.subarray(0, 299 * 256) }, ...rest] });
  assertRefused(() => openModel(path), "invalid_model_file", /300 tokens.*299 rows/);
});

test("a file that became shorter since it was opened gives an error at reading", () => {
  writeTinyGguf(path);
  const model = openModel(path);
  writeFileSync(path, readFileSync(path).subarray(0, 20_000));
  assertRefused(() => model.weights.readFloat32("lm_head.weight"), "invalid_model_file", /no tensor/);
  assertRefused(() => model.weights.readFloat32("model.norm.weight"), "invalid_model_file", /became shorter/);
  model.weights.close();
});

test("SmolLM2 opens with its config, 272 weights and 134,515,008 parameters", { skip: withoutSmolLM2 }, () => {
  const model = openModel(smolLM2Path()!);
  const { config } = model;
  assert.deepEqual(
    [
      config["hidden_size"],
      config["num_hidden_layers"],
      config["num_attention_heads"],
      config["num_key_value_heads"],
      config["head_dim"],
      config["vocab_size"],
    ],
    [576, 30, 9, 3, 64, 49152],
  );
  assert.deepEqual(
    [config["rms_norm_eps"], config["rope_theta"], config["max_position_embeddings"], config["tie_word_embeddings"]],
    [1e-5, 100000, 8192, true],
  );
  assert.deepEqual(model.eosTokenIds, [2]);
  assert.equal(model.weights.infos.size, 272);
  let parameters = 0;
  for (const name of model.weights.infos.keys()) {
    const values = model.weights.readFloat32(name);
    parameters += values.length;
    let sum = 0;
    for (let at = 0; at < values.length; at++) sum += values[at]!;
    assert.ok(Number.isFinite(sum), name);
  }
  assert.equal(parameters, 134_515_008);
  model.weights.close();
});
