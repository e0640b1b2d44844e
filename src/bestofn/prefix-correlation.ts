/** @file Measures what a reward model's judgement of beginnings is worth: how it goes with that of the whole, among answers to one prompt. */

import type { PrefixMeasurement } from "../engine/reward-description.ts";

/** One answer to a prompt. */
export interface MeasuredAnswer {
  tokens: number;
  /** Of the whole answer; undefined for none. */
  reward: number | undefined;
  /** Of its first tokens, by the lengths that are measured; undefined where it is no longer than that, or has none. */
  prefixRewards: readonly (number | undefined)[];
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
    const correlation = pooledCorrelation(prompts, place);
    return correlation === undefined ? [] : [{ tokens, correlation }];
  });
  return { reference, meanTokens, correlations };
}

function pooledCorrelation(prompts: readonly (readonly MeasuredAnswer[])[], place: number): number | undefined {
  let [count, products, prefixSquares, wholeSquares] = [0, 0, 0, 0];
  for (const answers of prompts) {
    const pairs = answers.flatMap(({ reward, prefixRewards }) => {
      const prefix = prefixRewards[place];
      return reward === undefined || prefix === undefined ? [] : [{ prefix, reward }];
    });
    if (pairs.length < 2) continue;
    const meanPrefix = pairs.reduce((sum, { prefix }) => sum + prefix, 0) / pairs.length;
    const meanReward = pairs.reduce((sum, { reward }) => sum + reward, 0) / pairs.length;
    for (const { prefix, reward } of pairs) {
      products += (prefix - meanPrefix) * (reward - meanReward);
      prefixSquares += (prefix - meanPrefix) ** 2;
      wholeSquares += (reward - meanReward) ** 2;
    }
    count += pairs.length;
  }
  if (count < fewestAnswers || prefixSquares === 0 || wholeSquares === 0) return undefined;
  return Math.max(-1, Math.min(1, products / Math.sqrt(prefixSquares * wholeSquares)));
}
