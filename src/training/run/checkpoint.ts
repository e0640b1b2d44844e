/**
 * @file Checkpoints: `checkpoints/step-N/` holds all that a run needs to resume, and exists only when it is complete.
 */

import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";

import { BonsaiError } from "../../errors/bonsai-error.ts";
import { BoundedFile } from "../../formats/bounded-file.ts";
import { isJsonObject, readJsonObject, type JsonObject } from "../../formats/json-file.ts";
import { checksumOfFile } from "../../formats/file-checksum.ts";
import { writeSafetensors } from "../../formats/safetensors/safetensors-writer.ts";
import { readSafetensorsHeader } from "../../formats/safetensors/safetensors.ts";
import { onDisk, syncFolder, writeJsonFile } from "../../formats/written-file.ts";
import type { StateTensor } from "./trainable-model.ts";

/** In the output folder of a run. */
export const checkpointsFolder = "checkpoints";
const STATE = "state.safetensors";
const PROGRESS = "progress.json";
const LARGEST_PROGRESS_BYTES = 2 ** 20;
const complete = /^step-(\d{1,15})$/;
const incomplete = /^\.step-\d+\.partial$/;

/** What a checkpoint is refused for that is damaged, as opposed to one that may not be read. */
const damageCodes: ReadonlySet<string> = new Set(["invalid_model_file", "unsupported_model", "file_not_found"]);

export interface Checkpoint {
  progress: RunProgress;
  state: Map<string, StateTensor>;
}

export interface PassedOver {
  path: string;
  /** What is wrong with it. */
  reason: string;
}

/** Progress of a run. */
export interface RunProgress {
  /** Steps that were done. */
  step: number;
  /** The position in the data: the step's epoch and how many of its steps were done. */
  epoch: number;
  stepInEpoch: number;
  /** Tokens that were read so far. */
  numTokens: number;
  /** Length of metrics.jsonl at this step; lines beyond it belong to steps that will be repeated. */
  metricsBytes: number;
  /** Seconds that steps took so far, over all processes of the run. */
  trainSeconds: number;
  /** See `runIdentity`: a run resumes only where it is the same. */
  identity: JsonObject;
}

/**
 * Writes a checkpoint under a temporary name, brings it to the disk, renames it, and removes all but the newest `keep`.
 * @param folder the run's `checkpoints`, made if absent.
 * @returns the checkpoint's folder.
 * @throws BonsaiError `write_failed`; earlier checkpoints are then untouched and nothing of this one is left.
 */
export function writeCheckpoint(folder: string, progress: RunProgress, state: ReadonlyMap<string, StateTensor>, keep: number): string {
  const path = join(folder, `step-${progress.step}`);
  const temporaryPath = join(folder, `.step-${progress.step}.partial`);
  onDisk(path, () => {
    mkdirSync(folder, { recursive: true });
    rmSync(temporaryPath, { recursive: true, force: true });
    mkdirSync(temporaryPath);
  });
  try {
    const tensors = [...state].map(([name, { shape, data }]) => ({
      name,
      dtype: "F32" as const,
      shape,
      bytes: new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
    }));
    writeSafetensors(join(temporaryPath, STATE), tensors);
    writeJsonFile(join(temporaryPath, PROGRESS), { ...progress, stateChecksum: checksumOfFile(join(temporaryPath, STATE)) });
  } catch (error) {
    rmSync(temporaryPath, { recursive: true, force: true });
    throw error;
  }
  onDisk(path, () => {
    rmSync(path, { recursive: true, force: true });
    renameSync(temporaryPath, path);
    syncFolder(folder);
    for (const step of checkpointSteps(folder).slice(0, -keep)) rmSync(join(folder, `step-${step}`), { recursive: true, force: true });
  });
  return path;
}

/** The steps of the checkpoints that are there, ascending. */
export function checkpointSteps(folder: string): number[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .flatMap((name) => complete.exec(name)?.[1] ?? [])
    .map(Number)
    .toSorted((a, b) => a - b);
}

/** Removes the partial checkpoints of killed processes. */
export function removeIncompleteCheckpoints(folder: string): void {
  if (!existsSync(folder)) return;
  for (const name of readdirSync(folder)) {
    if (incomplete.test(name)) rmSync(join(folder, name), { recursive: true, force: true });
  }
}

/**
 * The newest checkpoint that `read` can read, and the newer ones that are damaged; undefined where there is none.
 * @param folder the run's `checkpoints`
 * @throws BonsaiError as `readCheckpoint` of the newest one, where all are damaged.
 */
export function newestWhole<T>(folder: string, read: (path: string) => T): { found: T; passedOver: PassedOver[] } | undefined {
  const passedOver: PassedOver[] = [];
  let newest: BonsaiError | undefined;
  for (const step of checkpointSteps(folder).toReversed()) {
    const path = join(folder, `step-${step}`);
    try {
      return { found: read(path), passedOver };
    } catch (error) {
      if (!(error instanceof BonsaiError && damageCodes.has(error.code))) throw error;
      newest ??= error;
      passedOver.push({ path, reason: error.message });
    }
  }
  if (newest !== undefined) throw newest;
  return undefined;
}

/**
 * Renames a damaged checkpoint, so that it neither counts among those that are kept nor takes the place of a newer one.
 * @returns its new path
 */
export function setAside(path: string): string {
  const aside = `${path}.damaged`;
  onDisk(aside, () => {
    rmSync(aside, { recursive: true, force: true });
    renameSync(path, aside);
  });
  return aside;
}

/** @throws BonsaiError `file_not_found`, or `invalid_model_file` naming the part, when the checkpoint is damaged. */
export function readCheckpoint(path: string): Checkpoint {
  const { stateChecksum, ...progress } = readProgress(path);
  const file = new BoundedFile(join(path, STATE));
  try {
    const state = new Map<string, StateTensor>();
    for (const { name, dtype, shape, offset, byteLength } of readSafetensorsHeader(file).entries.values()) {
      if (dtype !== "F32")
        throw new BonsaiError("invalid_model_file", `${file.path}: tensor ${JSON.stringify(name)} has type ${dtype}, not F32.`);
      state.set(name, { shape, data: new Float32Array(file.read(offset, byteLength, `tensor ${JSON.stringify(name)}`).buffer) });
    }
    // Checkpoints of earlier versions have none.
    if (stateChecksum !== undefined && checksumOfFile(file.path) !== stateChecksum)
      throw new BonsaiError("invalid_model_file", `${file.path}: it is damaged: its checksum is not the one in ${PROGRESS}.`);
    return { progress, state };
  } finally {
    file.close();
  }
}

/** The progress of a checkpoint, without its state. Errors as `readCheckpoint`. */
export function readProgress(path: string): RunProgress & { stateChecksum?: number } {
  const progressPath = join(path, PROGRESS);
  const progress = readJsonObject(progressPath, LARGEST_PROGRESS_BYTES);
  const fail = (key: string, right: string): never => {
    throw new BonsaiError("invalid_model_file", `${progressPath}: ${key} must be ${right}.`, { param: key });
  };
  for (const key of ["step", "epoch", "stepInEpoch", "numTokens", "metricsBytes"]) {
    if (!Number.isSafeInteger(progress[key]) || (progress[key] as number) < 0) fail(key, "a whole number from 0");
  }
  if (typeof progress["trainSeconds"] !== "number") fail("trainSeconds", "a number");
  if (!isJsonObject(progress["identity"])) fail("identity", "an object");
  if (!["undefined", "number"].includes(typeof progress["stateChecksum"])) fail("stateChecksum", "a number");
  return progress as unknown as ReturnType<typeof readProgress>;
}
