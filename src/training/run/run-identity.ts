/** @file What makes a run this run and no other: the model, the data and the options that decide its course. It goes on only where these are the same. */

import { createHash } from "node:crypto";
import { join } from "node:path";

import type { TrainingOptions } from "../../config/training-options.ts";
import { BonsaiError } from "../../errors/bonsai-error.ts";
import { BoundedFile } from "../../formats/bounded-file.ts";
import type { JsonObject } from "../../formats/json-file.ts";
import type { ModelFile } from "../../formats/model-file.ts";
import type { ChosenAdapter } from "../model/adapter-choice.ts";
import { checkpointsFolder, checkpointSteps, readProgress } from "./checkpoint.ts";
import type { ReadFile } from "../../formats/json-lines.ts";

/** Options that decide how a run goes on; where results lie and how often they are written does not. */
// prettier-ignore
const coursing = [
  "--max-length", "--packing", "--packing-strategy", "--shuffle", "--batch-size", "--gradient-accumulation-steps", "--learning-rate",
  "--lr-scheduler-type", "--warmup-steps", "--weight-decay", "--adam-beta1", "--adam-beta2", "--adam-epsilon", "--max-grad-norm", "--lora-r",
  "--lora-alpha", "--lora-dropout", "--lora-target-modules", "--load-in-8bit", "--seed", "--device",
];

export interface IdentifiedRun {
  /** Every option by its flag. */
  flags: Readonly<Record<string, unknown>>;
  options: Pick<TrainingOptions, "lrSchedulerType" | "optim">;
  model: Pick<ModelFile, "contentHash">;
  adapter: ChosenAdapter | undefined;
  /** Hash of the weights that it begins with, where they are not the model's. */
  beginning?: string | undefined;
  /** Undefined where only the data can tell. */
  totalSteps: number | undefined;
  files: readonly Pick<ReadFile, "sha256">[];
  evaluationFiles: readonly Pick<ReadFile, "sha256">[];
  /** Flags of the trainer's own that decide a run's course. */
  ownFlags?: readonly string[];
}

/** By the names that people know the parts by. */
export function identityOf(run: IdentifiedRun): JsonObject {
  const { flags, options, model, adapter, beginning, totalSteps, files, evaluationFiles, ownFlags = [] } = run;
  const hashes = (of: IdentifiedRun["files"]): string[] => of.map(({ sha256 }) => sha256);
  return {
    "the content of --model": model.contentHash,
    "the content of --dataset": hashes(files),
    "the content of --eval-dataset": hashes(evaluationFiles),
    "the content of --adapter": adapter?.begin?.hash ?? null,
    ...(beginning === undefined ? {} : { "the content of the round before": beginning }),
    ...Object.fromEntries([...coursing, ...ownFlags].map((flag) => [flag, flags[flag]])),
    // Runs from before there was a choice had AdamW and do not say so.
    ...(options.optim === "adamw" ? {} : { "--optim": options.optim }),
    // A constant rate does not look at the end, so such a run may be made longer.
    ...(options.lrSchedulerType === "constant" || totalSteps === undefined ? {} : { "the number of steps": totalSteps }),
  };
}

/**
 * Refuses to go on with the run in a folder as another one before its data are tokenised, which may take long: the files are only hashed.
 * @throws BonsaiError `usage`, naming what differs; `file_not_found`; `invalid_model_file` where the newest checkpoint is damaged.
 */
export function requireSameSoFar(
  outputDir: string,
  run: Omit<IdentifiedRun, "files" | "evaluationFiles">,
  { dataset, evalDataset }: Pick<TrainingOptions, "dataset" | "evalDataset">,
): void {
  const checkpoints = join(outputDir, checkpointsFolder);
  const newest = checkpointSteps(checkpoints).at(-1);
  if (newest === undefined) return;
  const then = { ...readProgress(join(checkpoints, `step-${newest}`)).identity };
  if (run.totalSteps === undefined) delete then["the number of steps"];
  requireSameRun(then, identityOf({ ...run, files: dataset.map(hashed), evaluationFiles: evalDataset.map(hashed) }), outputDir);
}

function hashed(path: string): { sha256: string } {
  const file = new BoundedFile(path);
  try {
    const hash = createHash("sha256");
    file.hashInto(hash);
    return { sha256: hash.digest("hex") };
  } finally {
    file.close();
  }
}

/** @throws BonsaiError `usage`, naming what differs. */
export function requireSameRun(then: JsonObject, now: JsonObject, outputDir: string): void {
  for (const key of new Set([...Object.keys(then), ...Object.keys(now)])) {
    const [was, is] = [then[key], now[key]].map((value) => JSON.stringify(value) ?? "absent");
    if (was === is) continue;
    throw new BonsaiError(
      "usage",
      `${key} was ${was} when the run in ${outputDir} began and is ${is} now: give what it was, or begin anew with another --output-dir.`,
      { param: key },
    );
  }
}
