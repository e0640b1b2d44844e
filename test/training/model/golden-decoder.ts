/** @file The decoders under training that the goldens are of. */

import { readDecoderConfig } from "../../../src/architectures/decoder/decoder-config.ts";
import type { WeightSource } from "../../../src/formats/model-file.ts";
import { openModel } from "../../../src/formats/open-model.ts";
import { createTrainableDecoder, type TrainableDecoderOptions } from "../../../src/training/model/decoder-trainable.ts";
import type { TrainableModel } from "../../../src/training/run/trainable-model.ts";
import {
  goldenFactors,
  goldenLora,
  goldenMaxGradNorm,
  goldenOptions,
  modelPath,
  type TrainingGolden,
  type TrainingModel,
} from "./decoder-goldens.ts";

type Changes = Partial<Omit<TrainableDecoderOptions, "config" | "weights" | "path">>;

/** As the golden says, but for `changes`, and for the model's own weights where others are given. */
export async function createGolden(
  name: TrainingModel,
  golden: Pick<TrainingGolden, "rows" | "length" | "targets">,
  changes: Changes = {},
  weights?: WeightSource,
): Promise<TrainableModel> {
  const file = openModel(modelPath(name));
  const { targets } = golden;
  const model = await createTrainableDecoder({
    config: readDecoderConfig(file.config, file.path),
    weights: weights ?? file.weights,
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
  if (targets !== undefined && changes.mode?.kind !== "full") goldenFactors(model.trainedWeights());
  return model;
}
