/**
 * @file Reward models of every form out of a real model, with random heads: as fast as trained ones, which is all that
 * is measured of them.
 */

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { readDecoderConfig } from "../../../src/architectures/decoder/decoder-config.ts";
import { linearsOf, locateDecoderWeights } from "../../../src/architectures/decoder/decoder-weights.ts";
import type { RewardDescription, RewardForm } from "../../../src/engine/contract/reward-description.ts";
import type { EngineOptions } from "../../../src/engine/worker/start-engine.ts";
import { writeHuggingFaceFolder, type WeightToWrite } from "../../../src/formats/hugging-face-writer.ts";
import type { ModelFile } from "../../../src/formats/model-file.ts";
import { openModel } from "../../../src/formats/open-model.ts";
import { writePeftAdapter, type LoraPair } from "../../../src/formats/peft-adapter.ts";
import { writeSafetensors } from "../../../src/formats/safetensors/safetensors-writer.ts";
import { rawNormalization } from "../../../src/reward/reward-config.ts";
import { randomNormal } from "../../fixtures/tiny-model.ts";

/** Two, as transformers gives a classifier unasked. */
const dimensions = ["one", "other"];

type ServedModels = EngineOptions["models"];

function descriptionOf(form: RewardForm): RewardDescription {
  return { form, dimensions, weights: [1, 1], normalization: rawNormalization(dimensions.length), maxLength: 512 };
}

function weightsOf({ weights }: ModelFile, except: (name: string) => boolean): WeightToWrite[] {
  return [...weights.infos.values()]
    .filter(({ name }) => !except(name))
    .map(({ name, shape }) => ({ name, shape, read: () => weights.readFloat32(name) }));
}

const random = (name: string, shape: readonly number[]): WeightToWrite => ({
  name,
  shape,
  read: () =>
    randomNormal(
      7,
      shape.reduce((product, size) => product * size, 1),
      0,
      0.02,
    ),
});

/** A decoder with weights of its own. */
export function ownDecoder(base: string, folder: string): ServedModels {
  const file = openModel(base);
  const { hiddenSize } = readDecoderConfig(file.config, base);
  const weights = [...weightsOf(file, (name) => name === "lm_head.weight"), random("score.weight", [dimensions.length, hiddenSize])];
  writeHuggingFaceFolder(folder, file, weights, "bfloat16");
  file.weights.close();
  return [{ id: "reward", path: folder, reward: descriptionOf("decoder") }];
}

/** A LoRA adapter of rank 16 on all projections, over the policy, which is served under the name `policy`. */
export function adapterOver(policy: string, folder: string): ServedModels {
  const rank = 16;
  const file = openModel(policy);
  const config = readDecoderConfig(file.config, policy);
  const pairs = new Map<string, LoraPair>();
  for (const layer of locateDecoderWeights(config, file.weights, policy).layers) {
    for (const { weights, partOutputs, inputs } of linearsOf(layer)) {
      weights.forEach((name, part) => {
        const outputs = partOutputs[part] as number;
        const [a, b] = [randomNormal(1, rank * inputs, 0, 0.02), randomNormal(2, outputs * rank, 0, 0.02)];
        pairs.set(name.slice(0, -".weight".length), { a, b, inputs, outputs });
      });
    }
  }
  file.weights.close();
  const { hiddenSize } = config;
  const score = { weight: randomNormal(3, dimensions.length * hiddenSize, 0, 0.02), outputs: dimensions.length, inputs: hiddenSize };
  writePeftAdapter(folder, { rank, alpha: rank, useRslora: false, dropout: 0, baseModel: undefined, pairs, score }, "float32", false);
  return [{ id: "policy", path: policy, adapters: [{ id: "reward", path: folder, reward: descriptionOf("decoder") }] }];
}

/** A head over the hidden states of the policy, which is served under the name `policy`. */
export function headOver(policy: string, folder: string): ServedModels {
  const file = openModel(policy);
  const { hiddenSize } = readDecoderConfig(file.config, policy);
  const sha256 = file.contentHash;
  file.weights.close();
  mkdirSync(folder, { recursive: true });
  const tensor = (name: string, shape: number[]): Parameters<typeof writeSafetensors>[1][number] => ({
    name,
    dtype: "F32",
    shape,
    bytes: () => new Uint8Array(random(name, shape).read().buffer),
  });
  writeSafetensors(join(folder, "score.safetensors"), [
    tensor("score.weight", [dimensions.length, hiddenSize]),
    tensor("score.bias", [dimensions.length]),
  ]);
  const head = { id: "reward", path: folder, policy: "policy", reward: descriptionOf("policy-head"), sha256 };
  return [{ id: "policy", path: policy, heads: [head] }];
}

/** An encoder with a classifier. */
export function encoderOf(base: string, folder: string): ServedModels {
  const file = openModel(base);
  const hiddenSize = Number(file.config["hidden_size"]);
  const head = [random("classifier.weight", [dimensions.length, hiddenSize]), random("classifier.bias", [dimensions.length])];
  writeHuggingFaceFolder(folder, file, [...weightsOf(file, () => false), ...head], "float32");
  file.weights.close();
  return [{ id: "reward", path: folder, reward: descriptionOf("encoder") }];
}
