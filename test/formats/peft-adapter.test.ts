/**
 * @file LoRA adapters: one made by peft is read and merged as peft merges it, ours are read back, and what is more than
 * LoRA is refused.
 */

import assert from "node:assert/strict";
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import fc from "fast-check";

import { readDecoderConfig } from "../../src/architectures/decoder/decoder-config.ts";
import { mergeAdapter } from "../../src/formats/merged-adapter.ts";
import { openModel } from "../../src/formats/open-model.ts";
import { loraScale, readPeftAdapter, writePeftAdapter, type LoraAdapter } from "../../src/formats/peft-adapter.ts";
import { writeSafetensors } from "../../src/formats/safetensors/safetensors-writer.ts";
import { goldenPath, largestDifference } from "../architectures/goldens.ts";
import { NaiveDecoder } from "../architectures/naive-decoder.ts";
import { temporaryFolder } from "../fixtures/temporary-folder.ts";
import { assertRefused } from "./expect-error.ts";

const root = temporaryFolder();
const madeByPeft = fileURLToPath(new URL("../oracle/adapters/llama", import.meta.url));

interface Golden {
  ids: number[];
  logits: number[];
  merged: { name: string; values: number[][] };
}

test("an adapter that peft made is read, whatever form its target_modules have", () => {
  const adapter = readPeftAdapter(madeByPeft, "llama");
  assert.deepEqual(
    { ...adapter, pairs: [...adapter.pairs.keys()] },
    {
      rank: 2,
      alpha: 6,
      useRslora: true,
      dropout: 0,
      baseModel: "test/oracle/models/llama",
      pairs: [0, 1].flatMap((layer) =>
        ["mlp.down_proj", "self_attn.q_proj", "self_attn.v_proj"].map((name) => `model.layers.${layer}.${name}`),
      ),
    },
  );
  assert.equal(loraScale(adapter), 6 / Math.sqrt(2));
  assert.equal(loraScale({ ...adapter, useRslora: false }), 3);
  const { a, b, inputs, outputs } = adapter.pairs.get("model.layers.0.self_attn.v_proj")!;
  assert.deepEqual([inputs, outputs, a.length, b.length], [32, 16, 64, 32]);
});

test("merged weights are those that peft merges, and give the logits that peft's model gives", () => {
  const golden = JSON.parse(readFileSync(join(madeByPeft, "golden.json"), "utf8")) as Golden;
  const base = openModel(goldenPath("llama"));
  const merged = mergeAdapter(base.weights, readPeftAdapter(madeByPeft, "llama"));
  assert.ok(largestDifference(merged.readFloat32(golden.merged.name), golden.merged.values.flat()) < 1e-5);
  assert.equal(merged.infos.get(golden.merged.name)!.dtype, "F32");
  const logits = new NaiveDecoder(readDecoderConfig(base.config, base.path), merged).logits(golden.ids);
  assert.ok(largestDifference(logits.at(-1)!, golden.logits) < 1e-4);
  const untouched = "model.layers.0.self_attn.k_proj.weight";
  assert.deepEqual(merged.readRaw(untouched), base.weights.readRaw(untouched));
  assert.deepEqual(new Float32Array(merged.readRaw(golden.merged.name).buffer), merged.readFloat32(golden.merged.name));
  merged.close();
});

test("an adapter of a layer that the base has not, or has in another shape, is refused by its name", () => {
  const base = openModel(goldenPath("llama"));
  const adapter = readPeftAdapter(madeByPeft, "llama");
  const [[layer, pair]] = [...adapter.pairs] as [[string, LoraAdapter["pairs"] extends ReadonlyMap<string, infer P> ? P : never]];
  assertRefused(
    () => mergeAdapter(base.weights, { ...adapter, pairs: new Map([["model.layers.9.x", pair]]) }),
    "invalid_model_file",
    /layers\.9\.x/,
  );
  const wider = new Map([[layer, { ...pair, inputs: pair.inputs * 2, a: new Float32Array(pair.a.length * 2) }]]);
  assertRefused(
    () => mergeAdapter(base.weights, { ...adapter, pairs: wider }),
    "invalid_model_file",
    /down_proj as \[32, 128\], but .* \[32, 64\]/,
  );
  base.weights.close();
});

test("what is written is read back, in each type to its precision", () => {
  const floats = (length: number): fc.Arbitrary<Float32Array<ArrayBuffer>> =>
    fc.float32Array({ minLength: length, maxLength: length, noNaN: true, min: -8, max: 8 });
  const adapters = fc
    .record({ rank: fc.integer({ min: 1, max: 3 }), inputs: fc.integer({ min: 1, max: 4 }), outputs: fc.integer({ min: 1, max: 4 }) })
    .chain(({ rank, inputs, outputs }) =>
      fc.record({
        rank: fc.constant(rank),
        alpha: fc.integer({ min: 1, max: 64 }),
        useRslora: fc.boolean(),
        dropout: fc.constantFrom(0, 0.05),
        baseModel: fc.constantFrom(undefined, "some/base"),
        pairs: fc
          .record({ a: floats(rank * inputs), b: floats(outputs * rank) })
          .map(({ a, b }) => new Map([["model.layers.0.self_attn.q_proj", { a, b, inputs, outputs }]])),
      }),
    );
  const folder = join(root, "written");
  fc.assert(
    fc.property(adapters, fc.constantFrom("float32" as const, "float16" as const, "bfloat16" as const), (adapter, type) => {
      writePeftAdapter(folder, adapter, type, false);
      const read = readPeftAdapter(folder, "llama");
      if (type === "float32") assert.deepEqual(read, { ...adapter });
      const [pair, written] = [[...read.pairs.values()][0]!, [...adapter.pairs.values()][0]!];
      assert.ok(largestDifference(pair.a, written.a) <= (type === "float32" ? 0 : 8 / 256));
      assert.deepEqual({ ...read, pairs: 0 }, { ...adapter, pairs: 0 });
    }),
    { numRuns: 60 },
  );
});

/** A copy of peft's adapter with some keys of its config changed. */
function withConfig(changes: Record<string, unknown>): string {
  const folder = join(root, "changed");
  rmSync(folder, { recursive: true, force: true });
  cpSync(madeByPeft, folder, { recursive: true });
  const path = join(folder, "adapter_config.json");
  writeFileSync(path, JSON.stringify({ ...(JSON.parse(readFileSync(path, "utf8")) as object), ...changes }));
  return folder;
}

const unsupported: [key: string, value: unknown][] = [
  ["peft_type", "IA3"],
  ["use_dora", true],
  ["use_qalora", true],
  ["bias", "all"],
  ["lora_bias", true],
  ["modules_to_save", ["lm_head"]],
  ["layer_replication", [[0, 1]]],
  ["trainable_token_indices", [1]],
  ["target_parameters", ["experts.weight"]],
  ["alora_invocation_tokens", [5]],
  ["rank_pattern", { q_proj: 8 }],
  ["alpha_pattern", { q_proj: 8 }],
];

for (const [key, value] of unsupported) {
  test(`an adapter with ${key} ${JSON.stringify(value)} is refused by that key`, () => {
    assertRefused(
      () => readPeftAdapter(withConfig({ [key]: value }), "llama"),
      "unsupported_model",
      new RegExp(`${key} is .*supported is`),
    );
  });
}

test("a rank or scale that is none is refused", () => {
  for (const r of [0, -1, 1.5, 2 ** 40, "8", null])
    assertRefused(() => readPeftAdapter(withConfig({ r }), "llama"), "invalid_model_file", /r must be a whole number/);
  assertRefused(() => readPeftAdapter(withConfig({ lora_alpha: "x" }), "llama"), "invalid_model_file", /lora_alpha/);
  assertRefused(() => readPeftAdapter(withConfig({ use_rslora: 1 }), "llama"), "invalid_model_file", /use_rslora/);
  assertRefused(() => readPeftAdapter(withConfig({ r: 3 }), "llama"), "invalid_model_file", /not of rank 3/);
});

test("tensors that are no pair of a linear layer are refused by name", () => {
  const folder = withConfig({});
  const write = (...names: string[]): void =>
    writeSafetensors(
      join(folder, "adapter_model.safetensors"),
      names.map((name) => ({ name, dtype: "F32", shape: [2, 2], bytes: new Uint8Array(16) })),
    );
  write();
  assertRefused(() => readPeftAdapter(folder, "llama"), "invalid_model_file", /holds no tensors/);
  write("base_model.model.model.layers.0.mlp.up_proj.lora_A.weight");
  assertRefused(() => readPeftAdapter(folder, "llama"), "invalid_model_file", /up_proj has no tensor lora_B/);
  write("base_model.model.model.embed_tokens.lora_embedding_A");
  assertRefused(() => readPeftAdapter(folder, "llama"), "unsupported_model", /lora_embedding_A/);
  write("base_model.model.model.layers.0.mlp.up_proj.lora_A.weight", "base_model.model.layers.0.mlp.up_proj.lora_A.weight");
  assertRefused(() => readPeftAdapter(folder, "llama"), "invalid_model_file", /are both lora_A of layer model\.layers\.0\.mlp\.up_proj/);
  mkdirSync(join(root, "empty"));
  assertRefused(() => readPeftAdapter(join(root, "empty"), "llama"), "file_not_found", /adapter_config/);
});

test("factors that are no finite numbers are refused by their tensor, since nothing that they enter would be one", () => {
  const folder = withConfig({});
  const names = ["A", "B"].map((factor) => `base_model.model.model.layers.0.mlp.up_proj.lora_${factor}.weight`);
  for (const wrong of [NaN, Infinity, -Infinity, 3e38]) {
    const bytes = new Uint8Array(Float32Array.of(0, 0, wrong, 0).buffer);
    writeSafetensors(
      join(folder, "adapter_model.safetensors"),
      names.map((name, index) => ({ name, dtype: "F32", shape: [2, 2], bytes: index === 1 ? bytes : new Uint8Array(16) })),
    );
    assertRefused(() => readPeftAdapter(folder, "llama"), "invalid_model_file", /lora_B\.weight" holds .*must be finite/);
  }
  assertRefused(() => readPeftAdapter(withConfig({ lora_alpha: 1e300 }), "llama"), "invalid_model_file", /lora_alpha/);
});

test("a way of drawing factors that changes the base's weights is refused", () => {
  for (const way of ["pissa", "olora", "loftq", "corda"])
    assertRefused(() => readPeftAdapter(withConfig({ init_lora_weights: way }), "llama"), "unsupported_model", /init_lora_weights is/);
  for (const way of [true, false, "gaussian"]) readPeftAdapter(withConfig({ init_lora_weights: way }), "llama");
});
