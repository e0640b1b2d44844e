/** @file The implicit reward of a tuned policy: reward.json, with the scale of the rewards of held-out answers. */

import { mkdirSync } from "node:fs";
import { basename, relative } from "node:path";

import type { DpoTrainingOptions } from "../../config/dpo-training-options.ts";
import { tunedContentHash } from "../../engine/scoring/decoder-reward.ts";
import { openModel } from "../../formats/open-model.ts";
import type { ModelFile } from "../../formats/model-file.ts";
import { adapterContentHash } from "../../formats/peft-adapter.ts";
import { onDisk } from "../../formats/written-file.ts";
import { measureNormalization } from "../../reward/normalization.ts";
import { writeRewardConfig } from "../../reward/reward-config.ts";
import { allBatches } from "../data/row-data.ts";
import { pairRows } from "./pair-rows.ts";
import type { PolicyData } from "./data.ts";
import type { TrainablePolicy } from "./model.ts";

/**
 * Writes the folder `options.implicitRewardDir`, once the policy's own is whole.
 * @throws BonsaiError `write_failed`; as `openModel`.
 */
export async function writeImplicitReward(
  options: DpoTrainingOptions,
  base: ModelFile,
  policy: TrainablePolicy,
  data: PolicyData,
  isAdapter: boolean,
): Promise<void> {
  const { implicitRewardDir: folder, outputDir, beta, batchSize } = options;
  const set = data.heldOut ?? pairRows(data.pairs, data.length);
  const rewards: number[][] = [];
  for (const batch of allBatches(set, batchSize)) {
    const found = await policy.logProbabilities(batch);
    for (const [at, value] of found.entries()) rewards.push([beta * (value - batch.references[at]!)]);
  }
  const files = data.heldOut === undefined ? data.summary.files : data.summary.evaluationFiles;
  const names = [...new Set(files.map(({ path }) => basename(path)))].join(", ");
  onDisk(folder, () => mkdirSync(folder, { recursive: true }));
  writeRewardConfig(folder, {
    form: "implicit",
    dimensions: ["reward"],
    weights: [1],
    normalization: measureNormalization(rewards, [1], `${rewards.length} answers of ${names}`.slice(0, 1000)),
    maxLength: data.maxLength,
    policy: {
      name: relative(folder, outputDir),
      sha256: isAdapter ? tunedContentHash(base.contentHash, adapterContentHash(outputDir)) : contentHash(outputDir),
    },
    reference: { name: options.model, sha256: base.contentHash },
    beta,
  });
}

function contentHash(folder: string): string {
  const model = openModel(folder);
  try {
    return model.contentHash;
  } finally {
    model.weights.close();
  }
}
