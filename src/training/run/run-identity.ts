/**
 * @file The identity of a run: the model, the data and the options that decide its course. A run resumes only where
 * these are the same.
 */

import { createHash } from "node:crypto";
import { join } from "node:path";

import type { TrainingOptions } from "../../config/training-options.ts";
import { BonsaiError } from "../../errors/bonsai-error.ts";
import { BoundedFile } from "../../formats/bounded-file.ts";
import type { JsonObject } from "../../formats/json-file.ts";
import type { ReadFile } from "../../formats/json-lines.ts";
import type { ModelFile } from "../../formats/model-file.ts";
import type { ChosenAdapter } from "../model/adapter-choice.ts";
import { checkpointsFolder, newestWhole, readProgress } from "./checkpoint.ts";

/** Options that decide the course of a run; where results are written and how often does not. */
// prettier-ignore
const courseFlags = [
  "--max-length", "--packing", "--packing-strategy", "--shuffle", "--batch-size", "--gradient-accumulation-steps", "--learning-rate",
  "--lr-scheduler-type", "--warmup-steps", "--weight-decay", "--adam-beta1", "--adam-beta2", "--adam-epsilon", "--max-grad-norm", "--lora-r",
  "--lora-alpha", "--lora-dropout", "--lora-target-modules", "--load-in-8bit", "--seed", "--device",
];

/** What is known of a run before its data are read. */
export interface IdentifiedRun {
  /** Every option by its flag. */
  flags: Readonly<Record<string, unknown>>;
  options: Pick<TrainingOptions, "lrSchedulerType" | "optim" | "outputDir" | "dataset" | "evalDataset" | "maxSteps">;
  base: Pick<ModelFile, "contentHash">;
  /** See `TrainingTask`. */
  task: { adapter: ChosenAdapter | undefined; initialWeightsHash?: string | undefined; courseFlags: readonly string[] };
}

/** What is known once the data are read. */
interface IdentifiedData {
  files: readonly Pick<ReadFile, "sha256">[];
  evaluationFiles: readonly Pick<ReadFile, "sha256">[];
  /** Undefined where only the laid-out data can tell. */
  totalSteps: number | undefined;
}

/** Keys are the names that a user knows the parts by: flags, and "the content of" files. */
export function runIdentity({ flags, options, base, task }: IdentifiedRun, data: IdentifiedData): JsonObject {
  const hashes = (files: IdentifiedData["files"]): string[] => files.map(({ sha256 }) => sha256);
  const { initialWeightsHash } = task;
  return {
    "the content of --model": base.contentHash,
    "the content of --dataset": hashes(data.files),
    "the content of --eval-dataset": hashes(data.evaluationFiles),
    "the content of --adapter": task.adapter?.initial?.hash ?? null,
    ...(initialWeightsHash === undefined ? {} : { "the content of the round before": initialWeightsHash }),
    ...Object.fromEntries([...courseFlags, ...task.courseFlags].map((flag) => [flag, flags[flag]])),
    // Runs of earlier versions had AdamW only and do not name it.
    ...(options.optim === "adamw" ? {} : { "--optim": options.optim }),
    // A constant rate does not depend on the end, so such a run may be made longer.
    ...(options.lrSchedulerType === "constant" || data.totalSteps === undefined ? {} : { "the number of steps": data.totalSteps }),
  };
}

/**
 * Refuses to resume another run before its data are tokenised, which may take long: the files are only hashed.
 * @throws BonsaiError `usage`, naming what differs; `file_not_found`; `invalid_model_file` where every
 *   checkpoint is damaged.
 */
export function requireSameSoFar(run: IdentifiedRun): void {
  const { outputDir, dataset, evalDataset, maxSteps } = run.options;
  const checkpoints = join(outputDir, checkpointsFolder);
  const newest = newestWhole(checkpoints, readProgress);
  if (newest === undefined) return;
  const then = { ...newest.found.identity };
  const totalSteps = maxSteps === 0 ? undefined : maxSteps;
  if (totalSteps === undefined) delete then["the number of steps"];
  const now = runIdentity(run, { files: dataset.map(hashed), evaluationFiles: evalDataset.map(hashed), totalSteps });
  requireSameRun(then, now, outputDir);
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
