/**
 * @file Hugging Face folders: weights under full names in PyTorch's layout, whatever the architecture, type and number
 * of files.
 */

import assert from "node:assert/strict";
import { mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

import { openModel } from "../../src/formats/open-model.ts";
import { writeSafetensors, type TensorToWrite } from "../../src/formats/safetensors/safetensors-writer.ts";
import { float16ToFloat32, float32ToBfloat16, float32ToFloat16, bfloat16ToFloat32 } from "../../src/tensor/half.ts";
import { sharedDataPath, withoutSharedData } from "../fixtures/real-models.ts";
import { temporaryFolder } from "../fixtures/temporary-folder.ts";
import { writeTinyModel, type TinyArchitecture, type TinyModelOptions } from "../fixtures/tiny-model.ts";
import { tinyChatTemplate } from "../fixtures/tiny-tokenizer.ts";
import { assertRefused } from "./expect-error.ts";

const root = temporaryFolder();
let folders = 0;

function tinyFolder(options: TinyModelOptions = {}): string {
  const folder = join(root, String(folders++));
  writeTinyModel(folder, options);
  return folder;
}

function editJson(path: string, edit: (value: Record<string, unknown>) => void): void {
  const value = JSON.parse(readFileSync(path, "utf8")) as Record<string, unknown>;
  edit(value);
  writeFileSync(path, JSON.stringify(value));
}

const rounding = {
  F32: (value: number) => value,
  F16: (value: number) => float16ToFloat32(float32ToFloat16(value)),
  BF16: (value: number) => bfloat16ToFloat32(float32ToBfloat16(value)),
};

for (const architecture of ["llama", "qwen2", "qwen3", "gpt2"] satisfies TinyArchitecture[]) {
  for (const [dtype, shards] of [
    ["F32", 1],
    ["F16", 3],
    ["BF16", 2],
  ] as const) {
    test(`a ${architecture} in ${dtype} over ${shards} file(s) gives all weights as [out, in]`, () => {
      const folder = join(root, `${architecture}-${dtype}`);
      const { weights } = writeTinyModel(folder, { architecture, dtype, shards, tieWordEmbeddings: false });
      const model = openModel(folder);
      assert.deepEqual([...model.weights.infos.keys()].toSorted(), weights.map(({ name }) => name).toSorted());
      for (const { name, shape, values } of weights) {
        const info = model.weights.infos.get(name)!;
        assert.deepEqual({ dtype: info.dtype, shape: [...info.shape] }, { dtype, shape });
        assert.deepEqual(model.weights.readFloat32(name), values.map(rounding[dtype]), name);
        assert.equal(model.weights.readRaw(name).byteLength, values.length * (dtype === "F32" ? 4 : 2));
      }
      model.weights.close();
    });
  }
}

test("a checkpoint of the bare transformer gets the full names, and computed buffers are left out", () => {
  for (const [architecture, prefix] of [
    ["gpt2", "transformer."],
    ["llama", "model."],
  ] as const) {
    const folder = tinyFolder({ architecture });
    const full = openModel(folder);
    const dims = architecture === "gpt2" ? "transformer.h.0.attn.bias" : "model.layers.0.self_attn.rotary_emb.inv_freq";
    const tensors = [...full.weights.infos.values()].map((info): TensorToWrite => ({
      name: info.name.slice(prefix.length),
      dtype: "F32",
      shape: architecture === "gpt2" && /c_\w+\.weight$/.test(info.name) ? info.shape.toReversed() : info.shape,
      bytes: full.weights.readRaw(info.name),
    }));
    tensors.push({ name: dims.slice(prefix.length), dtype: "F32", shape: [1], bytes: new Uint8Array(4) });
    writeSafetensors(join(folder, "bare.safetensors"), tensors);
    renameSync(join(folder, "bare.safetensors"), join(folder, "model.safetensors"));
    const bare = openModel(folder);
    assert.deepEqual([...bare.weights.infos.keys()].toSorted(), [...full.weights.infos.keys()].toSorted());
  }
});

test("eos ids come from generation_config.json, else config.json, else the tokenizer", () => {
  const folder = tinyFolder();
  editJson(join(folder, "generation_config.json"), (value) => (value["eos_token_id"] = [5, 2, 5]));
  assert.deepEqual(openModel(folder).eosTokenIds, [5, 2]);
  rmSync(join(folder, "generation_config.json"));
  editJson(join(folder, "config.json"), (value) => (value["eos_token_id"] = 7));
  assert.deepEqual(openModel(folder).eosTokenIds, [7]);
  editJson(join(folder, "config.json"), (value) => (value["eos_token_id"] = null));
  assert.deepEqual(openModel(folder).eosTokenIds, [2]);
  editJson(join(folder, "tokenizer_config.json"), (value) => (value["eos_token"] = { content: "a", special: true }));
  assert.deepEqual(openModel(folder).eosTokenIds, [3 + "a".charCodeAt(0)]);
  editJson(join(folder, "config.json"), (value) => (value["eos_token_id"] = "</s>"));
  assertRefused(() => openModel(folder), "invalid_model_file", /eos_token_id/);
});

test("the chat template comes from chat_template.jinja, else tokenizer_config.json, where the one named default counts", () => {
  const folder = tinyFolder();
  assert.equal(openModel(folder).tokenizer.chatTemplate, tinyChatTemplate);
  editJson(join(folder, "tokenizer_config.json"), (value) => {
    value["chat_template"] = [
      { name: "tool_use", template: "T" },
      { name: "default", template: "D" },
    ];
  });
  assert.equal(openModel(folder).tokenizer.chatTemplate, "D");
  writeFileSync(join(folder, "chat_template.jinja"), "J");
  assert.equal(openModel(folder).tokenizer.chatTemplate, "J");
});

test("rope_parameters, as transformers 5 writes them, fill the older keys", () => {
  const folder = tinyFolder();
  editJson(join(folder, "config.json"), (value) => {
    delete value["rope_theta"];
    delete value["rope_scaling"];
    value["rope_parameters"] = { rope_type: "llama3", rope_theta: 5e5, factor: 8 };
  });
  const { config } = openModel(folder);
  assert.equal(config["rope_theta"], 5e5);
  assert.deepEqual(config["rope_scaling"], { rope_type: "llama3", factor: 8 });
});

test("the content hash is the same for equal content and changes with any file that decides the answers", () => {
  const hashes = [tinyFolder(), tinyFolder({ seed: 2 })].map((folder) => openModel(folder).contentHash);
  assert.equal(openModel(tinyFolder()).contentHash, hashes[0]);
  const folder = tinyFolder();
  for (const name of ["config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json"]) {
    editJson(join(folder, name), (value) => (value["changed"] = true));
    hashes.push(openModel(folder).contentHash);
  }
  writeFileSync(join(folder, "chat_template.jinja"), "J");
  hashes.push(openModel(folder).contentHash);
  assert.equal(new Set(hashes).size, hashes.length);
  assert.match(hashes[0]!, /^[0-9a-f]{64}$/);
});

test("a shard that is a path, or a link out of the folder, is refused", () => {
  const outside = tinyFolder();
  for (const name of ["../0/model.safetensors", "/etc/passwd", "..", "", "a/b", "a\\b", "a\0b"]) {
    const folder = tinyFolder({ shards: 2 });
    editJson(join(folder, "model.safetensors.index.json"), (value) => (value["weight_map"] = { a: name }));
    assertRefused(() => openModel(folder), "invalid_model_file", /not a plain file name/);
  }
  const folder = tinyFolder();
  rmSync(join(folder, "model.safetensors"));
  symlinkSync(join(outside, "model.safetensors"), join(folder, "model.safetensors"));
  assertRefused(() => openModel(folder), "invalid_model_file", /outside of its folder/);
});

test("links into the blobs of a hub cache are followed", () => {
  const cache = join(root, "models--tiny");
  const folder = join(cache, "snapshots", "abc");
  writeTinyModel(folder);
  mkdirSync(join(cache, "blobs"));
  for (const name of ["model.safetensors", "config.json", "tokenizer.json"]) {
    renameSync(join(folder, name), join(cache, "blobs", name));
    symlinkSync(join("..", "..", "blobs", name), join(folder, name));
  }
  assert.equal(openModel(folder).weights.infos.size, openModel(tinyFolder()).weights.infos.size);
});

test("an index and shards that contradict each other are refused by the tensor's name", () => {
  const indexName = "model.safetensors.index.json";
  const moved = tinyFolder({ shards: 2 });
  editJson(join(moved, indexName), (value) => {
    (value["weight_map"] as Record<string, string>)["model.embed_tokens.weight"] = "model-00002-of-00002.safetensors";
  });
  assertRefused(() => openModel(moved), "invalid_model_file", /"model.embed_tokens.weight" is not in model-00002/);
  const doubled = tinyFolder({ shards: 2 });
  writeFileSync(join(doubled, "model-00002-of-00002.safetensors"), readFileSync(join(doubled, "model-00001-of-00002.safetensors")));
  assertRefused(() => openModel(doubled), "invalid_model_file", /is in model-00001-of-00002.safetensors too/);
  const absent = tinyFolder({ shards: 2 });
  rmSync(join(absent, "model-00002-of-00002.safetensors"));
  assertRefused(() => openModel(absent), "file_not_found", /model-00002-of-00002/);
  const shapeless = tinyFolder({ shards: 2 });
  writeFileSync(join(shapeless, indexName), `{"weight_map": []}`);
  assertRefused(() => openModel(shapeless), "invalid_model_file", /weight_map/);
});

test("a tensor that is absent or of integers is refused when it is asked for, by its name", () => {
  const folder = tinyFolder();
  const header = JSON.stringify({ "model.norm.weight": { dtype: "I64", shape: [1], data_offsets: [0, 8] } });
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  writeFileSync(join(folder, "model.safetensors"), Buffer.concat([length, Buffer.from(header), Buffer.alloc(8)]));
  const model = openModel(folder);
  assert.equal(model.weights.infos.size, 0);
  assertRefused(() => model.weights.readFloat32("model.norm.weight"), "unsupported_model", /"model.norm.weight" has type I64/);
  assertRefused(() => model.weights.readRaw("lm_head.weight"), "invalid_model_file", /no tensor "lm_head.weight"/);
});

test("a folder without weights, tokenizer or model type says what is missing", () => {
  const weights = tinyFolder();
  rmSync(join(weights, "model.safetensors"));
  assertRefused(() => openModel(weights), "file_not_found", /neither model.safetensors nor/);
  const tokenizer = tinyFolder();
  rmSync(join(tokenizer, "tokenizer.json"));
  assertRefused(() => openModel(tokenizer), "invalid_tokenizer", /no tokenizer.json/);
  const config = tinyFolder();
  writeFileSync(join(config, "config.json"), "{}");
  assertRefused(() => openModel(config), "invalid_model_file", /model_type/);
  writeFileSync(join(config, "config.json"), "[1]");
  assertRefused(() => openModel(config), "invalid_model_file", /not a JSON object/);
  writeFileSync(join(config, "config.json"), Buffer.from([0x22, 0xff, 0x22]));
  assertRefused(() => openModel(config), "invalid_model_file", /not UTF-8/);
});

test("stories260K opens with all its weights", { skip: withoutSharedData("models/stories260K") }, () => {
  const model = openModel(sharedDataPath("models/stories260K")!);
  assert.equal(model.format, "huggingface");
  assert.deepEqual(model.eosTokenIds, [2]);
  let parameters = 0;
  for (const name of model.weights.infos.keys()) parameters += model.weights.readFloat32(name).length;
  assert.equal(parameters, 260_032);
});
