/**
 * @file Measures what a reward model's judgement of beginnings is worth: how it goes with that of the whole, among answers to one prompt; and what any
 * judgement of them could be worth.
 */

import type { PrefixMeasurement } from "../../engine/contract/reward-description.ts";
import { correlationOf, momentsWithin, type WithinMoments } from "../../statistics/within-prompt-correlation.ts";

/** One answer to a prompt. */
export interface MeasuredAnswer {
  tokens: number;
  /** Of the whole answer; undefined for none. */
  reward: number | undefined;
  /** Of its first tokens, by the lengths that are measured; undefined where it is no longer than that, or has none. */
  prefixRewards: readonly (number | undefined)[];
  /** By the same lengths: mean reward of other answers that the policy made of that beginning. */
  continuedRewards?: readonly (number | undefined)[];
}

/** Fewer answers than this measure nothing. */
const fewestAnswers = 30;

/**
 * For each length the correlation (Pearson's) of the beginning's reward with the whole answer's, over all answers that go on beyond it, both less their
 * means over the answers to the same prompt: what sets prompts apart helps no choice among candidates.
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
 * The correlation that a perfect judge of beginnings would have, one that knows the mean reward of all answers that the policy may make of a beginning.
 * An answer and another one of the same beginning have that mean in common and nothing else, so their covariance is the variance of what it knows, and
 * the root of its part of the whole variance is its correlation with the answer's reward. No reward model can do better.
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

/** Of the other values and the whole answers' rewards, over all answers that have both; undefined for too few. */
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
