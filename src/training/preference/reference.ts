/**
 * @file The log-probabilities that the reference gives every answer: computed once before the first step, and kept in
 * the output folder for a resumed run.
 */

import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { join } from "node:path";

import { readJsonObject, type JsonObject } from "../../formats/json-file.ts";
import { writeJsonFile } from "../../formats/written-file.ts";
import { fillReferences, type LaidOutPairs } from "./pair-rows.ts";
import type { PolicyData } from "./data.ts";
import type { TrainablePolicy } from "./model.ts";

/** In the output folder of a run. */
const fileName = "reference.json";
const largestBytes = 2 ** 30;

interface ReferenceRun {
  outputDir: string;
  batchSize: number;
  totalSteps: number;
  /** Decides the log-probabilities, among others. */
  identity: JsonObject;
  stop: AbortSignal;
  log: (line: string) => void;
}

/**
 * Fills in the reference's log-probabilities of all pairs that the run will read, from its file or by the policy, which
 * must not have been trained yet.
 * @returns false where `stop` came before the end.
 */
export async function fillAllReferences(policy: TrainablePolicy, data: PolicyData, run: ReferenceRun): Promise<boolean> {
  const { outputDir, batchSize, identity, totalSteps, stop, log } = run;
  const sets = data.heldOutPairs === undefined ? [data.pairs] : [data.pairs, data.heldOutPairs];
  const path = join(outputDir, fileName);
  const key = createHash("sha256").update(JSON.stringify(identity)).digest("hex");
  if (restore(path, key, sets)) return true;
  log("The reference computes the log-probabilities of all answers, once.");
  for (const set of sets) {
    // A few steps do not need the whole of a long data set.
    const rows = set === data.pairs ? data.training.rowsOfFirst(totalSteps) : [...set.rows.keys()];
    if (!(await fillReferences(set, rows, data.length, batchSize, async (batch) => policy.logProbabilities(batch), stop))) return false;
  }
  writeJsonFile(path, { key, log_probabilities: sets.map(({ references }) => [...references]) });
  return true;
}

/** @returns whether the file is there, whole and of this run. */
function restore(path: string, key: string, sets: readonly LaidOutPairs[]): boolean {
  if (!existsSync(path)) return false;
  const { key: keptKey, log_probabilities: kept } = readJsonObject(path, largestBytes);
  if (keptKey !== key || !Array.isArray(kept) || kept.length !== sets.length) return false;
  const lists = kept as unknown[][];
  const fits = lists.every((list, at) => Array.isArray(list) && list.length === sets[at]!.references.length && list.every(Number.isFinite));
  if (fits) for (const [at, { references }] of sets.entries()) references.set(lists[at] as number[]);
  return fits;
}
