/** @file A decoder under training takes PyTorch's steps, and gives the same whatever way the same work is cut. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { readDecoderConfig } from "../../src/architectures/decoder-config.ts";
import { openModel } from "../../src/formats/open-model.ts";
import { createTrainableDecoder, type TrainableDecoderOptions } from "../../src/train/decoder-trainable.ts";
import type { TrainableModel } from "../../src/train/trainable-model.ts";
import { assertClose } from "../autodiff/assert-close.ts";
import {
  goldenBatch,
  goldenFactors,
  goldenLearningRate,
  goldenLora,
  goldenMaxGradNorm,
  goldenOptions,
  modelPath,
  trainingGolden,
  trainingModels,
  withoutInfluence,
  withoutModel,
  worstDigest,
  type TrainingGolden,
  type TrainingModel,
} from "./decoder-goldens.ts";

type Changes = Partial<Omit<TrainableDecoderOptions, "config" | "weights" | "path">>;

async function create(name: TrainingModel, golden: TrainingGolden, changes: Changes = {}): Promise<TrainableModel> {
  const file = openModel(modelPath(name));
  const { targets } = golden;
  const model = await createTrainableDecoder({
    config: readDecoderConfig(file.config, file.path),
    weights: file.weights,
    path: file.path,
    rows: golden.rows,
    length: golden.length,
    mode: targets === undefined ? { kind: "full" } : { kind: "lora", lora: { ...goldenLora, targetModules: targets } },
    optimizer: { kind: "adamw", ...goldenOptions },
    maxGradNorm: goldenMaxGradNorm,
    threads: 1,
    ...changes,
  });
  file.weights.close();
  if (targets !== undefined) goldenFactors(model.trainedWeights());
  return model;
}

async function takesPyTorchsSteps(name: TrainingModel, golden: TrainingGolden): Promise<void> {
  const model = await create(name, golden);
  const losses: number[] = [];
  const norms: number[] = [];
  for (const step of golden.batches.keys()) {
    const { loss, gradNorm } = await model.step([goldenBatch(golden, step)], goldenLearningRate);
    losses.push(loss);
    norms.push(gradNorm);
  }
  const moved = Object.fromEntries(Object.entries(golden.weights).filter(([weight]) => !withoutInfluence.test(weight)));
  const { name: worst, difference } = worstDigest(model.trainedWeights(), moved);
  await model.dispose();
  assertClose(losses, golden.losses, 1e-4, "losses");
  assertClose(norms, golden.norms, 1e-4, "gradient norms");
  assert.ok(difference < 1e-4, `${worst} differs by ${difference} of its norm`);
}

describe("a decoder under training", () => {
  for (const name of trainingModels) {
    test(`takes PyTorch's steps of AdamW on ${name}`, { skip: withoutModel(name) }, async () => {
      await takesPyTorchsSteps(name, trainingGolden(name).full);
    });
    const { lora } = trainingGolden(name);
    if (lora !== undefined) test(`takes peft's steps of LoRA on ${name}`, async () => takesPyTorchsSteps(name, lora));
  }
});
