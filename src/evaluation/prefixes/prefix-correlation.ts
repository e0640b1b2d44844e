/**
 * @file Measures how well the reward of a prefix predicts the reward of the whole answer, among answers to one prompt;
 * and how well any score of prefixes could predict it.
 */

import type { PrefixMeasurement } from "../../engine/contract/reward-description.ts";
import { correlationOf, momentsWithin, type WithinMoments } from "../../statistics/within-prompt-correlation.ts";

/** One answer to a prompt. */
export interface MeasuredAnswer {
  tokens: number;
  /** Reward of the whole answer; undefined where it has none. */
  reward: number | undefined;
  /**
   * Rewards of the prefixes, by the measured lengths; undefined where the answer is no longer than that, or the prefix
   * has none.
   */
  prefixRewards: readonly (number | undefined)[];
  /** Mean rewards of other answers that the policy sampled from the prefixes, by the same lengths. */
  continuedRewards?: readonly (number | undefined)[];
}

/** Fewer answers than this measure nothing. */
const fewestAnswers = 30;

/**
 * For each length, Pearson's correlation of the prefix's reward with the whole answer's, over all longer answers. Both
 * are taken less their means over the answers to the same prompt, because differences between prompts do not help to
 * choose among candidates.
 *
 * @param prompts the answers to each
 * @param lengths in tokens, ascending, as `prefixRewards` has them
 * @param reference whose answers they are, as a sentence
 * @returns without the lengths that too few answers have, or at which all rewards are the same
 */
export function measurePrefixes(
  prompts: readonly (readonly MeasuredAnswer[])[],
  lengths: readonly number[],
  reference: string,
): PrefixMeasurement {
  const answers = prompts.flat();
  const meanTokens = answers.reduce((sum, { tokens }) => sum + tokens, 0) / Math.max(1, answers.length);
  const correlations = lengths.flatMap((tokens, place) => {
    const moments = pooledMoments(prompts, ({ prefixRewards }) => prefixRewards[place]);
    if (moments === undefined || moments.firstSquares === 0 || moments.secondSquares === 0) return [];
    return [{ tokens, correlation: within(correlationOf(moments), -1) }];
  });
  return { reference, meanTokens, correlations };
}

/**
 * The correlation that a perfect model of prefixes would have, which knows the mean reward of all answers that the
 * policy may sample from a prefix. Two answers with the same prefix share that mean and nothing else, so the covariance
 * of their rewards is the variance of that mean. The root of its part of the whole variance is the correlation with the
 * answer's reward. No reward model can do better.
 *
 * @param prompts with `continuedRewards`
 */
export function perfectPrefixes(
  prompts: readonly (readonly MeasuredAnswer[])[],
  lengths: readonly number[],
  measured: PrefixMeasurement,
): PrefixMeasurement {
  const correlations = lengths.flatMap((tokens, place) => {
    const moments = pooledMoments(prompts, ({ continuedRewards }) => continuedRewards?.[place]);
    if (moments === undefined || moments.secondSquares === 0) return [];
    return [{ tokens, correlation: within(Math.sqrt(Math.max(0, moments.products / moments.secondSquares)), 0) }];
  });
  return { ...measured, correlations };
}

const within = (correlation: number, least: number): number => Math.max(least, Math.min(1, correlation));

/**
 * Moments of another value with the whole answer's reward, over all answers that have both; undefined for too few
 * answers.
 */
function pooledMoments(
  prompts: readonly (readonly MeasuredAnswer[])[],
  otherOf: (answer: MeasuredAnswer) => number | undefined,
): WithinMoments | undefined {
  const moments = momentsWithin(
    prompts.map((answers) =>
      answers.flatMap((answer): [number, number][] => {
        const [other, { reward }] = [otherOf(answer), answer];
        return reward === undefined || other === undefined ? [] : [[other, reward]];
      }),
    ),
  );
  return moments.count < fewestAnswers ? undefined : moments;
}
