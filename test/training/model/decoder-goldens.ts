/** @file Steps of training as PyTorch took them (test/oracle/training.py), and the batches that it took them on. */

import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { StateTensor, TokenBatch } from "../../../src/training/run/trainable-model.ts";
import { assertClose, relativeDifference } from "../../autodiff/assert-close.ts";
import { goldenPath } from "../../architectures/goldens.ts";
import { sharedDataPath, withoutSharedData } from "../../fixtures/real-models.ts";

export const trainingModels = ["llama", "llama3-rope", "qwen2", "qwen3", "gpt2", "stories260K"] as const;
export type TrainingModel = (typeof trainingModels)[number];

export interface TrainingGolden {
  rows: number;
  length: number;
  /** Lengths of the documents of each row. */
  documents: number[][];
  batches: { ids: number[]; targets: number[] }[];
  /** By step, before it. */
  losses: number[];
  norms: number[];
  /** Digests by name: of the first step's gradient, and of the weights after the last. */
  gradients: Record<string, number[]>;
  weights: Record<string, number[]>;
  /** LoRA's target modules. */
  targets?: string[];
}

/** As in the script. */
export const goldenOptions = { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0.1 };
export const goldenLearningRate = 3e-3;
export const goldenSgdLearningRate = 0.3;
export const goldenMaxGradNorm = 0.5;
export const goldenLora = { rank: 4, alpha: 12, dropout: 0 };

export function modelPath(name: TrainingModel): string {
  return name === "stories260K" ? sharedDataPath("models/stories260K")! : goldenPath(name);
}

/** For node:test's `skip`. */
export function withoutModel(name: TrainingModel): string | false {
  return name === "stories260K" && withoutSharedData("models/stories260K");
}

type TrainingGoldens = {
  full: TrainingGolden;
  lora?: TrainingGolden;
  sgd?: TrainingGolden;
  /** Eight rows, whose gradients were added up row by row. */
  accumulated?: TrainingGolden;
};

export function trainingGolden(name: TrainingModel): TrainingGoldens {
  const path = fileURLToPath(new URL(`../../oracle/training/${name}.json`, import.meta.url));
  if (!existsSync(path)) throw new Error(`${path} is absent: run test/oracle/training.py.`);
  return JSON.parse(readFileSync(path, "utf8")) as TrainingGoldens;
}

export function goldenBatch({ rows, length, documents, batches }: TrainingGolden, step: number): TokenBatch {
  const { ids, targets } = batches[step]!;
  const each = <T>(of: (document: number, place: number) => T): T[] =>
    documents.flatMap((lengths) => lengths.flatMap((size, document) => Array.from({ length: size }, (_, place) => of(document, place))));
  return {
    rows,
    length,
    ids: Int32Array.from(ids),
    targets: Int32Array.from(targets),
    segments: Int32Array.from(each((document) => document)),
    positions: Int32Array.from(each((_, place) => place)),
  };
}

/** Norm, and products with two directions that see every element, as the script takes them. */
function digest(data: Float32Array): number[] {
  const sum = (of: (value: number, at: number) => number): number => data.reduce((total, value, at) => total + of(value, at), 0);
  return [
    Math.sqrt(sum((value) => value ** 2)),
    sum((value, at) => value * Math.cos(at * 0.7 + 1)),
    sum((value, at) => value * Math.cos(at * 0.013 + 2)),
  ];
}

/**
 * A key's bias adds the same to all scores of a query, which softmax ignores: its gradient is zero but for rounding,
 * which Adam makes as large as any other.
 */
export const withoutInfluence = /\.(?:k_proj|c_attn)\.bias$/;

/** The worst digest, relative to its tensor's norm. */
export function worstDigest(
  actual: ReadonlyMap<string, StateTensor>,
  expected: Record<string, number[]>,
): { name: string; difference: number } {
  const differences = Object.entries(expected).map(([name, numbers]) => {
    const tensor = actual.get(name);
    return { name, difference: tensor === undefined ? Infinity : relativeDifference(digest(tensor.data), numbers) };
  });
  return differences.reduce((worst, next) => (next.difference > worst.difference ? next : worst));
}

/**
 * Asserts that a model has taken the golden's steps: its losses, norms of gradients and weights, by name. Disposes it.
 */
export async function assertGoldenTraining(
  model: { trainedWeights: () => ReadonlyMap<string, StateTensor>; dispose: () => Promise<void> },
  { losses, norms }: Pick<TrainingGolden, "losses" | "norms">,
  golden: Pick<TrainingGolden, "losses" | "norms"> & { trained: Record<string, number[]> },
): Promise<void> {
  const moved = Object.fromEntries(Object.entries(golden.trained).filter(([weight]) => !withoutInfluence.test(weight)));
  assert.deepEqual([...model.trainedWeights().keys()].toSorted(), Object.keys(golden.trained).toSorted());
  const { name: worst, difference } = worstDigest(model.trainedWeights(), moved);
  await model.dispose();
  assertClose(losses, golden.losses, 1e-4, "losses");
  assertClose(norms, golden.norms, 1e-4, "gradient norms");
  assert.ok(difference < 1e-4, `${worst} differs by ${difference} of its norm`);
}

/** LoRA factors by the script's formula. */
export function goldenFactors(weights: ReadonlyMap<string, StateTensor>): void {
  for (const [name, { data }] of weights) data.forEach((_, at) => (data[at] = 0.1 * Math.cos(at * 0.37 + name.length)));
}
