/** @file Metrics of a reward model on comparisons: TRL's accuracy, margin and rewards, over a step or an evaluation. */

import type { ComparisonBatch } from "./batch.ts";
import { pairsOf } from "../data/ranking.ts";

/** Pairs of answers of which one is known to be better by a measure. */
export interface PairSums {
  pairs: number;
  /** Pairs whose better answer has the higher reward: a tie counts as wrong. */
  correct: number;
  /** Sum of the better answer's reward minus the other's. */
  margin: number;
}

/** Sums over a batch, so that batches add up. */
export interface RewardSums {
  loss: number;
  /** Number of labels; the loss is the mean over them. */
  labels: number;
  /** Sums by measure; the last measure is the holistic reward. */
  measures: readonly PairSums[];
  /** Count, sum and extremes of the holistic rewards of answers. */
  answers: number;
  reward: number;
  least: number;
  greatest: number;
}

/**
 * Sums of one batch.
 * @param rewards by answer and measure, [N, M], N being at least the batch's answers.
 */
export function rewardSums(
  { answers, groups, labels }: ComparisonBatch,
  rewards: Float32Array,
  measureCount: number,
  loss: number,
): RewardSums {
  const rewardOf = (answer: number, measure: number): number => rewards[answer * measureCount + measure]!;
  const measures = Array.from({ length: measureCount }, (_, measure): PairSums => {
    const sums = { pairs: 0, correct: 0, margin: 0 };
    for (const group of groups) {
      const ranks = group.rankings[measure]?.ranks;
      for (const [a, b] of ranks === undefined ? [] : pairsOf(group.answers.length)) {
        if (ranks![a] === ranks![b]) continue;
        const [better, worse] = ranks![a]! < ranks![b]! ? [a, b] : [b, a];
        const difference = rewardOf(group.answers[better]!, measure) - rewardOf(group.answers[worse]!, measure);
        sums.pairs++;
        sums.correct += Number(difference > 0);
        sums.margin += difference;
      }
    }
    return sums;
  });
  const holistic = answers.map((_, index) => rewardOf(index, measureCount - 1));
  return {
    loss,
    labels,
    measures,
    answers: answers.length,
    reward: holistic.reduce((sum, value) => sum + value, 0),
    least: holistic.reduce((least, value) => Math.min(least, value), Infinity),
    greatest: holistic.reduce((greatest, value) => Math.max(greatest, value), -Infinity),
  };
}

/** Sums of several batches. */
export function addRewardSums(all: readonly [RewardSums, ...RewardSums[]]): RewardSums {
  return all.reduce((a, b) => ({
    loss: a.loss + b.loss,
    labels: a.labels + b.labels,
    measures: a.measures.map((sums, measure) => addPairs(sums, b.measures[measure]!)),
    answers: a.answers + b.answers,
    reward: a.reward + b.reward,
    least: Math.min(a.least, b.least),
    greatest: Math.max(a.greatest, b.greatest),
  }));
}

function addPairs(a: PairSums, b: PairSums): PairSums {
  return { pairs: a.pairs + b.pairs, correct: a.correct + b.correct, margin: a.margin + b.margin };
}

/**
 * TRL's names: accuracy, margin, min_reward, mean_reward, max_reward; and accuracy/DIMENSION, margin/DIMENSION where
 * there are several. What no pair says anything of is left out.
 */
export function namedRewardMetrics(sums: RewardSums, dimensions: readonly string[]): Record<string, number> {
  const pairMetrics = (pairs: PairSums, suffix: string): Record<string, number> =>
    pairs.pairs === 0 ? {} : { [`accuracy${suffix}`]: pairs.correct / pairs.pairs, [`margin${suffix}`]: pairs.margin / pairs.pairs };
  const byDimension = dimensions.length === 1 ? [] : dimensions.map((name, index) => pairMetrics(sums.measures[index]!, `/${name}`));
  return Object.assign(
    pairMetrics(sums.measures.at(-1)!, ""),
    { min_reward: sums.least, mean_reward: sums.reward / sums.answers, max_reward: sums.greatest },
    ...byDimension,
  ) as Record<string, number>;
}
