/**
 * @file Estimates of the best of n candidates from a larger group of N: without sampling for each n, and with less
 * noise.
 */

import type { Candidate } from "../scenarios/quality.ts";

/**
 * Probabilities of each rank of N candidates, best first, to be the best of n that are drawn from them without
 * replacement: C(N - r, n - 1) / C(N, n) for rank r from 1. Averages weighted so are unbiased for the best of n (Nakano
 * et al. 2021, "WebGPT", arXiv 2112.09332, appendix).
 */
export function rankWeights(groupSize: number, n: number): number[] {
  const weights: number[] = [];
  // Rank 1 is drawn with probability n / N; each further rank has the ratio C(N - r - 1, n - 1) / C(N - r, n - 1).
  let weight = n / groupSize;
  for (let rank = 1; rank <= groupSize; rank++) {
    weights.push(weight);
    const left = groupSize - rank;
    weight *= left === 0 ? 0 : Math.max(0, left - n + 1) / left;
  }
  return weights;
}

/** Best first; a candidate without a reward comes last, equal ones in their own order. */
export function ranked<C extends Candidate>(group: readonly C[]): C[] {
  const rewardOf = ({ reward }: C): number => reward ?? -Infinity;
  return group.toSorted((one, other) => (rewardOf(one) === rewardOf(other) ? 0 : rewardOf(other) - rewardOf(one)));
}

/** The candidate that the server would choose among the first n of a group. */
export function chosenOfFirst<C extends Candidate>(group: readonly C[], n: number): C {
  return ranked(group.slice(0, n))[0]!;
}

/** Expectation of `value` for the best of n. */
export function expectedBest<C extends Candidate>(group: readonly C[], n: number, value: (candidate: C) => number): number {
  const weights = rankWeights(group.length, n);
  return ranked(group).reduce((sum, candidate, rank) => sum + weights[rank]! * value(candidate), 0);
}

/**
 * Expectation of `value` for soft selection among n: a candidate is chosen with probability softmax(reward /
 * temperature). The mean over the groups of n that follow each other in the whole.
 */
export function expectedSoft<C extends Candidate>(
  group: readonly C[],
  n: number,
  temperature: number,
  value: (candidate: C) => number,
): number {
  const groups = Array.from({ length: Math.floor(group.length / n) }, (_, index) => group.slice(index * n, (index + 1) * n));
  const means = groups.map((candidates) => {
    const scored = candidates.filter(({ reward }) => reward !== null);
    const highest = Math.max(...scored.map(({ reward }) => reward!));
    const weights = scored.map(({ reward }) => Math.exp((reward! - highest) / temperature));
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    return scored.reduce((sum, candidate, index) => sum + (weights[index]! / total) * value(candidate), 0);
  });
  return means.reduce((sum, mean) => sum + mean, 0) / means.length;
}

/** How often a score beats the baseline's answers to the same prompt; equal ones count a half. */
export function winShare(score: number, baseline: readonly number[]): number {
  const wins = baseline.reduce((sum, other) => sum + (score > other ? 1 : score === other ? 0.5 : 0), 0);
  return wins / baseline.length;
}
