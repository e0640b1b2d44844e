/** @file What the reference says of every answer: computed once before the first step, and kept in the run's folder for when it goes on. */

import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { join } from "node:path";

import { readJsonObject, type JsonObject } from "../../formats/json-file.ts";
import { writeJsonFile } from "../../formats/written-file.ts";
import { fillReferences, type LaidOutPairs } from "./policy-batch.ts";
import type { PolicyTrainingData } from "./policy-data.ts";
import type { TrainablePolicy } from "./policy-trainable.ts";

/** Of a run's output folder. */
const fileName = "reference.json";
const largestBytes = 2 ** 30;

interface ReferenceRun {
  options: { outputDir: string; batchSize: number };
  totalSteps: number;
  /** All that the numbers follow from, and more. */
  identity: JsonObject;
  stop: AbortSignal;
  log: (line: string) => void;
}

/**
 * Fills in the reference's log-probabilities of all pairs that the run will read, from its file or by the policy, which must not have been trained yet.
 * @returns false where `stop` came before the end.
 */
export async function findReferences(policy: TrainablePolicy, data: PolicyTrainingData, run: ReferenceRun): Promise<boolean> {
  const { options, identity, totalSteps, stop, log } = run;
  const sets = data.heldOut === undefined ? [data.laidOut] : [data.laidOut, data.heldOut];
  const path = join(options.outputDir, fileName);
  const key = createHash("sha256").update(JSON.stringify(identity)).digest("hex");
  if (restore(path, key, sets)) return true;
  log("The reference reads the answers, once.");
  for (const set of sets) {
    // The whole of a long data set is not read for a few steps.
    const rows = set === data.laidOut ? data.training.rowsOf(totalSteps) : [...set.rows.keys()];
    const ask = async (batch: Parameters<TrainablePolicy["logProbabilities"]>[0]): Promise<Float32Array> => policy.logProbabilities(batch);
    if (!(await fillReferences(set, rows, data.length, options.batchSize, ask, stop))) return false;
  }
  writeJsonFile(path, { key, log_probabilities: sets.map(({ references }) => [...references]) });
  return true;
}

/** @returns whether the file is there, whole and of this run. */
function restore(path: string, key: string, sets: readonly LaidOutPairs[]): boolean {
  if (!existsSync(path)) return false;
  const { key: of, log_probabilities: kept } = readJsonObject(path, largestBytes);
  if (of !== key || !Array.isArray(kept) || kept.length !== sets.length) return false;
  const lists = kept as unknown[][];
  const fits = lists.every((list, at) => Array.isArray(list) && list.length === sets[at]!.references.length && list.every(Number.isFinite));
  if (fits) for (const [at, { references }] of sets.entries()) references.set(lists[at] as number[]);
  return fits;
}
