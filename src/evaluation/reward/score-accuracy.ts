/**
 * @file The accuracy of a model's scores on a set of preferences: by dimension, calibration, best of four, and under
 * label noise.
 */

import { calibrationOf, type Calibration } from "../../statistics/calibration.ts";
import type { AnswerScores, Comparison, EvaluationSet } from "./evaluation-set.ts";
import { shareOf, successOf, type Case, type Share } from "../../statistics/intervals.ts";
import { draw } from "../../random/seeded-draw.ts";

/** Shares of labels that are flipped, to measure the accuracy under label noise. */
export const noiseLevels = [0, 0.1, 0.2, 0.3, 0.4] as const;

export interface SetEvaluation {
  /** Accuracy of the scores of whole answers. */
  accuracy: Share;
  /** Accuracy by dimension, over the labels that decide; a dimension that the model does not know is absent. */
  dimensions: ReadonlyMap<string, Share>;
  /** Undefined where scores are no logits. */
  calibration: Calibration | undefined;
  /** How often the best of four has the highest score; undefined where the set has no four. */
  bestOfFour: Share | undefined;
  /** Accuracy at each of `noiseLevels`, the share of labels that were flipped. */
  noisyAccuracy: readonly Share[];
}

/** @param seed of noise and intervals */
export function evaluateScores(set: EvaluationSet, scores: AnswerScores, seed: number): SetEvaluation {
  const { comparisons, groups } = set;
  const difference = (values: Float64Array, { chosen, rejected }: Comparison): number => values[chosen]! - values[rejected]!;
  const dimensions = new Map<string, Share>();
  for (const dimension of labelledDimensions(set)) {
    const values = scores.dimensions.get(dimension);
    if (values !== undefined)
      dimensions.set(
        dimension,
        shareOf(
          dimensionCases(comparisons, dimension, (one) => difference(values, one)),
          seed,
        ),
      );
  }
  const wholeCases = (noise: number): Case[] =>
    comparisons.map((one, index) => ({
      success: successOf(difference(scores.whole, one), draw(seed, "noise", index) < noise ? -1 : 1),
      prompt: one.prompt,
    }));
  return {
    accuracy: shareOf(wholeCases(0), seed),
    dimensions,
    calibration: scores.isLogit ? calibrationOf(comparisons.map((one) => difference(scores.whole, one))) : undefined,
    bestOfFour:
      groups.length === 0
        ? undefined
        : shareOf(
            groups.map(({ prompt, best, others }) => ({ prompt, success: bestSuccess(scores.whole, best, others) })),
            seed,
          ),
    noisyAccuracy: noiseLevels.map((noise) => shareOf(wholeCases(noise), seed)),
  };
}

/** The dimensions that some label of the set decides. */
export function labelledDimensions({ comparisons }: EvaluationSet): string[] {
  const found = new Set<string>();
  for (const { preferences } of comparisons)
    for (const [dimension, preference] of Object.entries(preferences)) if (preference !== 0) found.add(dimension);
  return [...found];
}

/** The comparisons that a dimension's labels decide. @param difference of the chosen answer over the rejected one */
function dimensionCases(comparisons: readonly Comparison[], dimension: string, difference: (one: Comparison) => number): Case[] {
  return comparisons.flatMap((one) => {
    const preference = one.preferences[dimension];
    return preference === undefined || preference === 0 ? [] : [{ success: successOf(difference(one), preference), prompt: one.prompt }];
  });
}

/** 1 where the best answer scores highest; 1/k where k answers share the highest score. */
function bestSuccess(values: Float64Array, best: number, others: readonly number[]): number {
  if (others.some((other) => values[other]! > values[best]!)) return 0;
  return 1 / (1 + others.filter((other) => values[other] === values[best]).length);
}

/** The length baseline: in every dimension the longer answer is better. */
export function lengthScores({ answers }: EvaluationSet, dimensions: readonly string[]): AnswerScores {
  const whole = Float64Array.from(answers, ({ text }) => text.length);
  return { name: "length", whole, dimensions: new Map(dimensions.map((dimension) => [dimension, whole])), isLogit: false };
}
