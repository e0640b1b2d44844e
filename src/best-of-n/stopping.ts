/**
 * @file When to stop sampling: at a target reward, or when the expected gain of another sample is below its cost
 * (Pandora's rule).
 */

import { normalDensity, normalTail } from "../statistics/normal-distribution.ts";

/** Rules by which a request does not wait for the rest of its candidates. */
export interface StoppingRules {
  /** Answers that are wanted. */
  returned: number;
  /** Enough once as many candidates as are wanted have this reward. */
  targetReward: number | undefined;
  /** What one more candidate costs, in units of reward: enough once it is not expected to gain as much. */
  sampleCost: number | undefined;
}

/** @param rewards of the candidates that have ended so far, finite, in any order */
export function isEnough(rewards: readonly number[], { returned, targetReward, sampleCost }: StoppingRules): boolean {
  // Another candidate would have to beat the worst of those that come back.
  const worstReturned = rewards.toSorted((one, other) => other - one)[returned - 1];
  if (worstReturned === undefined) return false;
  if (targetReward !== undefined && worstReturned >= targetReward) return true;
  return sampleCost !== undefined && expectedGain(rewards, worstReturned) <= sampleCost;
}

/**
 * How many observed rewards the reference set of a reward model counts for: on that set, rewards have mean 0 and
 * deviation 1.
 */
const referenceWeight = 1;

/**
 * What one more sample is expected to add to `best`: E[max(0, X - best)].
 *
 * Weitzman 1979, "Optimal search for the best alternative": a box of cost c is worth opening while the best so far is
 * below the reservation value z that solves c = E[max(0, X - z)], which is while this exceeds c, for the expectation
 * falls as z grows. Kalayci, Raman and Dughmi 2025, arXiv 2510.01394, stop the sampling of language models by it. X is
 * taken as normal, with the mean and variance that the rewards seen give to a conjugate prior (Murphy 2007, "Conjugate
 * Bayesian analysis of the Gaussian distribution") which weighs as much as one reward of the reference set. So one
 * reward already decides something, and a lucky one cannot make the deviation 0.
 */
export function expectedGain(rewards: readonly number[], best: number): number {
  const count = rewards.length;
  const mean = rewards.reduce((sum, reward) => sum + reward, 0) / (referenceWeight + count);
  const squares = rewards.reduce((sum, reward) => sum + (reward - mean) ** 2, 0) + referenceWeight * mean ** 2;
  const deviation = Math.sqrt((referenceWeight + squares) / (referenceWeight + count));
  const distance = (best - mean) / deviation;
  return deviation * (normalDensity(distance) - distance * normalTail(distance));
}
