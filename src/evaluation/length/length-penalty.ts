/** @file How far rewards grow with the length of answers, and the rewards when a part of that is subtracted. */

import type { AnswerScores, EvaluationSet } from "../reward/evaluation-set.ts";
import { lengthCost } from "../../reward/normalization.ts";
import { correlationOf, momentsWithin, slopeOf, type WithinMoments } from "../../statistics/within-prompt-correlation.ts";

/**
 * The reward for a hundred characters more, among answers to the same prompt: the slope of the least squares of rewards
 * on lengths, both less their means over the prompt's answers. 0 where no two answers to a prompt differ in
 * length.
 */
export function lengthSlope(set: EvaluationSet, rewards: Float64Array): number {
  return slopeOf(lengthMoments(set, rewards));
}

/**
 * Pearson's correlation of rewards and lengths among answers to the same prompt; not a number where either is always
 * the same.
 */
export function lengthCorrelation(set: EvaluationSet, rewards: Float64Array): number {
  return correlationOf(lengthMoments(set, rewards));
}

/** The scores less `perHundred` for every hundred characters. Dimensions stay as they are. */
export function penalizedScores({ answers }: EvaluationSet, scores: AnswerScores, perHundred: number): AnswerScores {
  return { ...scores, whole: scores.whole.map((reward, place) => reward - lengthCost({ perHundred }, answers[place]!.text)) };
}

/** Moments within prompts of lengths, in hundreds of characters, and rewards. */
function lengthMoments({ answers }: EvaluationSet, rewards: Float64Array): WithinMoments {
  const byPrompt = new Map<number, [length: number, reward: number][]>();
  for (const [place, { prompt, text }] of answers.entries()) {
    const pairs = byPrompt.get(prompt) ?? [];
    pairs.push([text.length / 100, rewards[place]!]);
    byPrompt.set(prompt, pairs);
  }
  return momentsWithin(byPrompt.values());
}
