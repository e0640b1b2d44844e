/** @file How far rewards go with the length of answers, and what is left of them when a part of that is taken off. */

import type { AnswerScores, EvaluationSet } from "./evaluation-set.ts";

/**
 * What a hundred characters more are worth to a model, among answers to the same prompt: the slope of the least squares of rewards on lengths, both less their
 * means over the prompt's answers. 0 where no two answers to a prompt differ in length.
 */
export function lengthSlope(set: EvaluationSet, rewards: Float64Array): number {
  const { products, lengthSquares } = withinPrompts(set, rewards);
  return lengthSquares === 0 ? 0 : products / lengthSquares;
}

/** Pearson's correlation of rewards and lengths among answers to the same prompt; not a number where either is always the same. */
export function lengthCorrelation(set: EvaluationSet, rewards: Float64Array): number {
  const { products, lengthSquares, rewardSquares } = withinPrompts(set, rewards);
  return products / Math.sqrt(lengthSquares * rewardSquares);
}

/** The scores with `perHundred` taken off for every hundred characters. Dimensions stay as they are. */
export function penalizedScores({ answers }: EvaluationSet, scores: AnswerScores, perHundred: number): AnswerScores {
  return { ...scores, whole: scores.whole.map((reward, place) => reward - (perHundred * answers[place]!.text.length) / 100) };
}

interface Moments {
  products: number;
  lengthSquares: number;
  rewardSquares: number;
}

/** Sums over all answers, lengths in hundreds of characters. */
function withinPrompts({ answers }: EvaluationSet, rewards: Float64Array): Moments {
  const byPrompt = new Map<number, { length: number; reward: number }[]>();
  for (const [place, { prompt, text }] of answers.entries()) {
    const of = byPrompt.get(prompt) ?? [];
    of.push({ length: text.length / 100, reward: rewards[place]! });
    byPrompt.set(prompt, of);
  }
  const moments = { products: 0, lengthSquares: 0, rewardSquares: 0 };
  for (const of of byPrompt.values()) {
    const mean = (key: "length" | "reward"): number => of.reduce((sum, one) => sum + one[key], 0) / of.length;
    const [meanLength, meanReward] = [mean("length"), mean("reward")];
    for (const { length, reward } of of) {
      moments.products += (length - meanLength) * (reward - meanReward);
      moments.lengthSquares += (length - meanLength) ** 2;
      moments.rewardSquares += (reward - meanReward) ** 2;
    }
  }
  return moments;
}
