/** @file Soft Best-of-N: a candidate is drawn with probability proportional to exp(reward / temperature). */

import { rankByScore, type Scored, type RankedCandidate } from "./ranking.ts";

/**
 * The candidates in a random order: first one with the probability softmax(reward / temperature), then one of the rest
 * with the same probabilities over them, and so on (Verdun et al. 2025, "Soft Best-of-N sampling for model alignment",
 * arXiv 2505.03156).
 *
 * It is drawn by the Gumbel-max trick (Gumbel 1954; for orders Yellott 1977): each candidate's key is reward /
 * temperature plus a Gumbel variable of its own, so the draw of one does not depend on how many others there are.
 *
 * @param temperature in units of the reward, above 0. Towards 0 the best reward is first, towards infinity any
 * candidate.
 * @param draw the uniform draw in [0, 1) of a candidate by its index, a pure function of the request's seed and the
 * index
 * @returns the ranking in the drawn order, with the rewards as scores; candidates without a finite reward come last
 */
export function rankSoftly(candidates: readonly Scored[], temperature: number, draw: (index: number) => number): RankedCandidate[] {
  const rewards = new Map(candidates.map(({ index, score }) => [index, score]));
  const keys = candidates.map(({ index, score }) => ({
    index,
    score: score === undefined ? undefined : score / temperature + gumbel(draw(index)),
  }));
  return rankByScore(keys).map(({ index, score }) => ({ index, score: score === undefined ? undefined : rewards.get(index) }));
}

/** Draws are multiples of 2^-53: half a step above each, 0 is not among them and 1 is out of reach. */
const halfStep = 2 ** -54;

/** A standard Gumbel variable from a uniform one, finite for each of its values. */
function gumbel(uniform: number): number {
  return -Math.log(-Math.log(Math.min(uniform + halfStep, 1 - 2 ** -53)));
}
