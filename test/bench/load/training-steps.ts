/**
 * @file Steps of training in a process of their own, timed: what a subject of the training measurement prints, and how
 * it is read.
 */

import { execFile } from "node:child_process";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { readDecoderConfig } from "../../../src/architectures/decoder/decoder-config.ts";
import type { TrainingMode } from "../../../src/architectures/training/trained-weights.ts";
import { openModel } from "../../../src/formats/open-model.ts";
import { createTrainableDecoder } from "../../../src/training/model/decoder-trainable.ts";
import type { TokenBatch } from "../../../src/training/run/trainable-model.ts";
import { readMemory } from "./process-memory.ts";

export const trainingKinds = ["lora", "full"] as const;
export type TrainingKind = (typeof trainingKinds)[number];

export interface TrainingLoad {
  kind: TrainingKind;
  model: string;
  rows: number;
  length: number;
  steps: number;
  recompute: boolean;
}

/** One JSON line at the end of a subject's output. */
export interface TimedSteps {
  /** One for each step. */
  seconds: number[];
  peakMB: number;
}

/** All seven projections of a layer. */
export const loraTargets = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"];
export const loraRank = 16;
export const benchLora = { rank: loraRank, alpha: 2 * loraRank, dropout: 0, targetModules: loraTargets };

/** Takes the steps in this process. */
export async function takeSteps({ kind, model, rows, length, steps, recompute }: TrainingLoad): Promise<TimedSteps> {
  const file = openModel(model);
  const config = readDecoderConfig(file.config, file.path);
  const mode: TrainingMode = kind === "full" ? { kind } : { kind, lora: benchLora };
  const { weights, path } = file;
  const threads = availableParallelism();
  const trainable = await createTrainableDecoder({ config, weights, path, rows, length, mode, maxGradNorm: 1, threads, recompute });
  weights.close();
  const batches = Array.from({ length: steps }, (_, step) => randomBatch(rows, length, config.vocabSize, step));
  const seconds = await timed(batches, (batch) => trainable.step([batch], 1e-4));
  const { peakMB } = readMemory(process.pid);
  await trainable.dispose();
  return { seconds, peakMB };
}

/** Seconds of each batch's step. */
export async function timed<Batch>(batches: readonly Batch[], step: (batch: Batch) => Promise<unknown>): Promise<number[]> {
  const seconds: number[] = [];
  for (const batch of batches) {
    const startMs = performance.now();
    await step(batch);
    seconds.push((performance.now() - startMs) / 1000);
  }
  return seconds;
}

/** Each row is a document of random tokens, all trained. */
function randomBatch(rows: number, length: number, vocabSize: number, seed: number): TokenBatch {
  const places = rows * length;
  const ids = Int32Array.from({ length: places }, (_, at) => (Math.imul(at + 1 + seed * places, 0x9e3779b1) >>> 0) % vocabSize);
  const targets = ids.map((_, at) => (at % length === length - 1 ? -1 : (ids[at + 1] as number)));
  return { rows, length, ids, targets, segments: new Int32Array(places), positions: ids.map((_, at) => at % length) };
}

/** Our own subjects run the measurement's program again, with their load in this environment variable. */
const loadVariable = "BONSAI_BENCH_TRAINING_LOAD";

/** The load of this process as a subject; undefined where it measures. */
export function givenLoad(): unknown {
  const load = process.env[loadVariable];
  return load === undefined ? undefined : JSON.parse(load);
}

/** The steps of the measurement at that URL as a subject. */
export async function ownSteps(moduleUrl: string, load: object): Promise<TimedSteps> {
  return timedProcess(process.execPath, ["--import", "tsx", fileURLToPath(moduleUrl)], { [loadVariable]: JSON.stringify(load) });
}

/** Runs a subject and reads its last line. */
export async function timedProcess(
  program: string,
  parameters: readonly string[],
  environment: Record<string, string>,
): Promise<TimedSteps> {
  const { stdout } = await promisify(execFile)(program, parameters, { env: { ...process.env, ...environment }, maxBuffer: 2 ** 24 });
  const last = stdout.trim().split("\n").at(-1);
  return JSON.parse(last ?? "") as TimedSteps;
}
