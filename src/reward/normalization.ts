/**
 * @file From a model's raw outputs to rewards: the weighted sum, and the scale on which a reference set has mean 0 and
 * deviation 1.
 */

import type { LengthPenalty, Normalization, RewardDescription, Scale } from "../engine/contract/reward-description.ts";
import { BonsaiError } from "../errors/bonsai-error.ts";
import { meanOf, standardDeviation } from "../statistics/moments.ts";

export interface NormalizedReward {
  /** The holistic reward on the reference's scale. */
  reward: number;
  /** The holistic reward as the model gives it, less what the answer's length costs. */
  raw: number;
  /** Normalised reward of each dimension, on its own scale. */
  dimensions: number[];
}

/** Σ weight * output: the holistic reward before it is normalised. */
export function holisticRaw(weights: readonly number[], outputs: readonly number[]): number {
  return weights.reduce((sum, weight, dimension) => sum + weight * (outputs[dimension] as number), 0);
}

/** What the length of an answer takes off its holistic reward, before that is normalised. */
export function lengthCost(penalty: Pick<LengthPenalty, "perHundred"> | undefined, answer: string): number {
  return penalty === undefined ? 0 : (penalty.perHundred * answer.length) / 100;
}

/**
 * @param outputs the model's, one for each dimension
 * @param answer what was scored, whose length may cost something
 */
export function normalized(
  { weights, normalization, lengthPenalty }: Pick<RewardDescription, "weights" | "normalization" | "lengthPenalty">,
  outputs: readonly number[],
  answer: string,
): NormalizedReward {
  const raw = holisticRaw(weights, outputs) - lengthCost(lengthPenalty, answer);
  const on = (value: number, { mean, deviation }: Scale): number => (value - mean) / deviation;
  return {
    reward: on(raw, normalization.holistic),
    raw,
    dimensions: outputs.map((output, dimension) => on(output, normalization.dimensions[dimension] as Scale)),
  };
}

/**
 * The scale on which these rewards have mean 0 and deviation 1.
 * @param outputs of the reference set: a row of one number for each dimension for every answer
 * @param reference what was scored, as a sentence
 * @throws BonsaiError `invalid_dataset` for less than two answers, and where all have the same reward
 */
export function measureNormalization(
  outputs: readonly (readonly number[])[],
  weights: readonly number[],
  reference: string,
): Normalization {
  if (outputs.length < 2)
    throw new BonsaiError(
      "invalid_dataset",
      `Rewards are normalised on a reference set of at least 2 answers, and it has ${outputs.length}.`,
    );
  return {
    dimensions: weights.map((_, dimension) =>
      measureScale(
        outputs.map((row) => row[dimension] as number),
        `output ${dimension}`,
      ),
    ),
    holistic: measureScale(
      outputs.map((row) => holisticRaw(weights, row)),
      "the weighted reward",
    ),
    reference,
  };
}

/**
 * Mean and deviation of the set itself, not of what it was drawn from.
 * @throws BonsaiError `invalid_dataset` where all have the same reward
 */
export function measureScale(values: readonly number[], what: string): Scale {
  const middle = meanOf(values);
  const deviation = standardDeviation(values);
  if (!(deviation > 1e-9 * Math.max(1, Math.abs(middle))))
    throw new BonsaiError(
      "invalid_dataset",
      `All ${values.length} answers of the reference set have the same ${what}, so that it has no scale.`,
    );
  return { mean: middle, deviation };
}
