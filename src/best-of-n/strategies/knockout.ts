/** @file A knockout tournament: pairs are judged against each other, and the better of each goes on. */

import type { RankedCandidate } from "./ranking.ts";

/**
 * Which of two candidates is better, by their indexes: 1 the first, -1 the second, 0 neither, undefined where the judge
 * has no opinion.
 */
export type Comparison = (first: number, second: number) => Promise<1 | 0 | -1 | undefined>;

/**
 * A tournament of single elimination (Liu et al. 2025, "PairJudge RM: perform Best-of-N sampling with knockout
 * tournament", arXiv 2501.13007), with N - 1 comparisons; those of one round run together. Neighbours among the
 * remaining candidates are compared, and the last of an odd number goes on without a comparison. After a draw, and
 * where the judge has no opinion, the lower index goes on.
 *
 * @param indexes of the candidates, ascending
 * @returns the winner first, then by rounds survived, then by index; the score is the share of the rounds that were
 * survived, 1 for the winner
 */
export async function rankByKnockout(indexes: readonly number[], compare: Comparison): Promise<RankedCandidate[]> {
  const survived = new Map(indexes.map((index) => [index, 0]));
  let left = [...indexes];
  let rounds = 0;
  while (left.length > 1) {
    const round = left;
    const pairs = Array.from({ length: Math.floor(round.length / 2) }, (_, pair) => [round[2 * pair]!, round[2 * pair + 1]!] as const);
    const winners = await Promise.all(pairs.map(async ([first, second]) => ((await compare(first, second)) === -1 ? second : first)));
    left = round.length % 2 === 1 ? [...winners, round.at(-1)!] : winners;
    rounds++;
    for (const index of left) survived.set(index, rounds);
  }
  return [...survived]
    .toSorted(([one, roundsOfOne], [other, roundsOfOther]) => roundsOfOther - roundsOfOne || one - other)
    .map(([index, count]) => ({ index, score: rounds === 0 ? 1 : count / rounds }));
}
