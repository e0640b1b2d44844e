/**
 * @file What PyTorch computed of reward models (test/oracle/reward-training.py), and the batches that it computed it
 * on.
 */

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { groupCount, makeComparisonBatch, type ComparisonBatch, type LossType } from "../../../src/training/reward/batch.ts";
import type { Comparison } from "../../../src/training/reward/comparisons.ts";
import type { ComparisonSizes } from "../../../src/training/reward/loss.ts";
import type { Ranking } from "../../../src/training/data/ranking.ts";

/** By measure; null where nothing is known. */
type GoldenRankings = (Ranking | null)[];

export interface LossGolden {
  rankings: GoldenRankings[];
  weights: number[];
  lossType: LossType;
  centring: number;
  /** Outputs of each comparison, [K, D] flat. */
  outputs: number[][];
  loss: number;
  gradients: number[][];
}

export interface RewardGolden {
  rankings: GoldenRankings[];
  weights: number[];
  centring: number;
  /** Token ids by step, comparison and answer. */
  batches: number[][][][];
  /** Outputs for the first step's answers, [N, D]. */
  outputs: number[];
  losses: number[];
  norms: number[];
  /** Digests by name: of the first step's gradient, and of the weights after the last. */
  gradients: Record<string, number[]>;
  trained: Record<string, number[]>;
  /** LoRA's target modules. */
  targets?: string[];
}

function read(name: string): unknown {
  return JSON.parse(readFileSync(fileURLToPath(new URL(`../../oracle/reward-training/${name}.json`, import.meta.url)), "utf8"));
}

export function lossGoldens(): Record<string, LossGolden> {
  return read("losses") as Record<string, LossGolden>;
}

export function rewardGolden(model: "llama" | "qwen3" | "gpt2"): { full: RewardGolden; lora?: RewardGolden } {
  return read(model) as { full: RewardGolden; lora?: RewardGolden };
}

/** The comparisons of a step. */
export function goldenComparisons({ rankings, batches }: RewardGolden, step: number): Comparison[] {
  return batches[step]!.map((answers, index) => ({
    answers: answers.map((ids) => ({ ids: Int32Array.from(ids) })),
    rankings: definedOf(rankings[index]!),
  }));
}

/** As JSON has it, absent is null. */
export function definedOf(rankings: GoldenRankings): (Ranking | undefined)[] {
  return rankings.map((ranking) => ranking ?? undefined);
}

/** The batch of rows of comparisons, and the sizes that hold it exactly. */
export function exactBatch(
  rows: readonly (readonly Comparison[])[],
  dimensions: number,
  lossType: LossType,
): { batch: ComparisonBatch; sizes: ComparisonSizes } {
  const batch = makeComparisonBatch(rows, lossType);
  const sizes = {
    dimensions,
    measures: dimensions === 1 ? 1 : dimensions + 1,
    answers: batch.answers.length,
    comparisons: rows.flat().reduce((sum, comparison) => sum + groupCount(comparison, lossType), 0),
    compared: Math.max(...batch.groups.map(({ answers }) => answers.length)),
  };
  return { batch, sizes };
}
