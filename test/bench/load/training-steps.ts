/** @file Steps of training in a process of their own, timed: what a subject of the training measurement prints, and how it is read. */

import { execFile } from "node:child_process";
import { availableParallelism } from "node:os";
import { promisify } from "node:util";
import { readDecoderConfig } from "../../../src/architectures/decoder-config.ts";
import type { TrainingMode } from "../../../src/architectures/training/trained-weights.ts";
import { openModel } from "../../../src/formats/open-model.ts";
import { createTrainableDecoder } from "../../../src/train/decoder-trainable.ts";
import type { TokenBatch } from "../../../src/train/trainable-model.ts";
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

/** Takes the steps in this process. */
export async function takeSteps({ kind, model, rows, length, steps, recompute }: TrainingLoad): Promise<TimedSteps> {
  const file = openModel(model);
  const config = readDecoderConfig(file.config, file.path);
  const lora = { rank: loraRank, alpha: 2 * loraRank, dropout: 0, targetModules: loraTargets };
  const mode: TrainingMode = kind === "full" ? { kind } : { kind, lora };
  const { weights, path } = file;
  const threads = availableParallelism();
  const trainable = await createTrainableDecoder({ config, weights, path, rows, length, mode, maxGradNorm: 1, threads, recompute });
  weights.close();
  const seconds: number[] = [];
  for (let step = 0; step < steps; step++) {
    const startMs = performance.now();
    await trainable.step([randomBatch(rows, length, config.vocabSize, step)], 1e-4);
    seconds.push((performance.now() - startMs) / 1000);
  }
  const { peakMB } = readMemory(process.pid);
  await trainable.dispose();
  return { seconds, peakMB };
}

/** Each row is a document of random tokens, all trained. */
function randomBatch(rows: number, length: number, vocabSize: number, seed: number): TokenBatch {
  const places = rows * length;
  const ids = Int32Array.from({ length: places }, (_, at) => (Math.imul(at + 1 + seed * places, 0x9e3779b1) >>> 0) % vocabSize);
  const targets = ids.map((_, at) => (at % length === length - 1 ? -1 : (ids[at + 1] as number)));
  return { rows, length, ids, targets, segments: new Int32Array(places), positions: ids.map((_, at) => at % length) };
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
