/** @file Which weights LoRA trains: PEFT's rule for targets, names and shapes. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { readDecoderConfig } from "../../../src/architectures/decoder/decoder-config.ts";
import { locateDecoderWeights } from "../../../src/architectures/decoder/decoder-weights.ts";
import { buildTrainingDecoder } from "../../../src/architectures/training/training-decoder.ts";
import { checkTargets, type TrainingMode } from "../../../src/architectures/training/trained-weights.ts";
import { BonsaiError } from "../../../src/errors/bonsai-error.ts";
import { openModel } from "../../../src/formats/open-model.ts";
import { goldenPath, type goldenModels } from "../goldens.ts";

function trained(name: (typeof goldenModels)[number], mode: TrainingMode): Record<string, readonly number[]> {
  const file = openModel(goldenPath(name));
  const config = readDecoderConfig(file.config, file.path);
  const weights = locateDecoderWeights(config, file.weights, file.path);
  file.weights.close();
  if (mode.kind === "lora") checkTargets(mode.lora, weights);
  const { parameters } = buildTrainingDecoder({ config, weights, mode, rows: 1, length: 4, dropout: false });
  return Object.fromEntries([...parameters].map(([parameter, { shape }]) => [parameter, shape]));
}

const lora = (...targetModules: string[]): TrainingMode => ({ kind: "lora", lora: { rank: 4, alpha: 8, dropout: 0, targetModules } });

describe("the trained weights", () => {
  test("of full training are all tensors of the model's files, tied ones once", () => {
    for (const name of ["llama", "qwen2", "qwen3", "gpt2"] as const) {
      const file = openModel(goldenPath(name));
      const expected = [...file.weights.infos.values()].map((info) => [info.name, info.shape]);
      file.weights.close();
      assert.deepEqual(trained(name, { kind: "full" }), Object.fromEntries(expected));
    }
  });

  test("of LoRA are two factors a target, [rank, inputs] and [outputs, rank]", () => {
    const layer = (index: number): Record<string, readonly number[]> => ({
      [`base_model.model.model.layers.${index}.self_attn.k_proj.lora_A.weight`]: [4, 32],
      [`base_model.model.model.layers.${index}.self_attn.k_proj.lora_B.weight`]: [16, 4],
      [`base_model.model.model.layers.${index}.mlp.down_proj.lora_A.weight`]: [4, 64],
      [`base_model.model.model.layers.${index}.mlp.down_proj.lora_B.weight`]: [32, 4],
    });
    assert.deepEqual(trained("llama", lora("k_proj", "down_proj")), { ...layer(0), ...layer(1) });
  });

  test("of a name that several layers end with are those of all of them", () => {
    assert.equal(Object.keys(trained("gpt2", lora("c_proj"))).length, 2 * 2 * 2, "attention's and the MLP's c_proj of both layers");
    assert.equal(Object.keys(trained("gpt2", lora("attn.c_proj"))).length, 2 * 2);
    assert.equal(Object.keys(trained("gpt2", lora("transformer.h.1.mlp.c_fc"))).length, 2);
  });

  test("are refused for a target that names no layer, with those that there are", () => {
    assert.throws(
      () => trained("gpt2", lora("c_attn", "q_proj")),
      (error: unknown) => error instanceof BonsaiError && error.code === "usage" && /"q_proj".*c_attn, c_proj, c_fc/.test(error.message),
    );
  });
});
