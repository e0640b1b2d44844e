/**
 * @file Whether differences of rewards are the probabilities that they stand for: by Bradley and Terry, sigmoid(r1 -
 * r2) is how often the first answer is preferred.
 */

import { sigmoid } from "./logistic.ts";

/** Preferences on which the model is about equally sure. */
export interface ReliabilityBin {
  /** Mean probability of the answer that the model prefers, from 0.5 to 1. */
  confidence: number;
  /** How often that answer is the preferred one. */
  accuracy: number;
  count: number;
}

export interface Calibration {
  /** The bins that are not empty, from unsure to sure. */
  bins: ReliabilityBin[];
  /** The mean distance of confidence and accuracy, weighted by count (Guo et al. 2017, equation 3). */
  expectedError: number;
}

/**
 * @param differences raw reward of the chosen answer less that of the rejected one, in nats
 * @param binCount bins of equal width over [0.5, 1]
 */
export function calibrationOf(differences: readonly number[], binCount = 10): Calibration {
  const bins = Array.from({ length: binCount }, () => ({ confidence: 0, accuracy: 0, count: 0 }));
  for (const difference of differences) {
    const confidence = sigmoid(Math.abs(difference));
    const bin = bins[Math.min(binCount - 1, Math.floor((confidence - 0.5) * 2 * binCount))]!;
    bin.confidence += confidence;
    bin.accuracy += difference === 0 ? 0.5 : difference > 0 ? 1 : 0;
    bin.count++;
  }
  const filled = bins
    .filter(({ count }) => count > 0)
    .map(({ confidence, accuracy, count }) => ({ confidence: confidence / count, accuracy: accuracy / count, count }));
  const error = filled.reduce((sum, { confidence, accuracy, count }) => sum + count * Math.abs(confidence - accuracy), 0);
  return { bins: filled, expectedError: error / differences.length };
}
