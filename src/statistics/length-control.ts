/**
 * @file A win rate as it would be between answers of one length: a logistic regression on the difference of lengths
 * (Dubois et al. 2024, "Length-Controlled AlpacaEval", section 3).
 */

import { roundedQuantile975 } from "./intervals.ts";
import { sigmoid } from "./logistic.ts";
import { standardDeviation } from "./moments.ts";

/** One comparison: how far it was won, from 0 to 1, by an answer that is so many words longer than the other. */
export interface LengthCase {
  success: number;
  prompt: number;
  longer: number;
}

export interface ControlledRate {
  share: number;
  /** The ends of the 95% interval. */
  low: number;
  high: number;
}

/**
 * 1 / variance of the normal prior of both coefficients, in logits. It matters for perfectly separated cases alone,
 * which have no finite solution without it.
 */
const precision = 1e-2;
const mostSteps = 50;

/**
 * P(win) = sigmoid(a + b tanh(d / s)) for a difference of d words, where s is the deviation of d over all cases; the
 * rate is sigmoid(a), that of d = 0. The paper's term of each instruction's difficulty is left out, since it needs many
 * models. The interval is that of `a` by the sandwich estimator (Liang and Zeger 1986), with prompts as clusters.
 *
 * @returns undefined without cases.
 */
export function lengthControlled(cases: readonly LengthCase[]): ControlledRate | undefined {
  if (cases.length === 0) return undefined;
  const deviation = standardDeviation(cases.map(({ longer }) => longer));
  const points = cases.map(({ longer, success, prompt }) => ({ x: Math.tanh(longer / (deviation || 1)), success, prompt }));
  let [a, b] = [0, 0];
  let inverse: Symmetric = [0, 0, 0];
  for (let step = 0; step < mostSteps; step++) {
    let [gradientA, gradientB] = [-precision * a, -precision * b];
    let [aa, ab, bb] = [precision, 0, precision];
    for (const { x, success } of points) {
      const chance = sigmoid(a + b * x);
      const weight = chance * (1 - chance);
      gradientA += success - chance;
      gradientB += (success - chance) * x;
      [aa, ab, bb] = [aa + weight, ab + weight * x, bb + weight * x * x];
    }
    inverse = inverseOf([aa, ab, bb]);
    // A step of Newton's method, cut where the curve is so flat that it would leap.
    const [stepA, stepB] = [inverse[0] * gradientA + inverse[1] * gradientB, inverse[1] * gradientA + inverse[2] * gradientB];
    const cut = Math.min(1, 2 / Math.max(Math.abs(stepA), Math.abs(stepB), 1e-300));
    [a, b] = [a + cut * stepA, b + cut * stepB];
    if (Math.abs(stepA) + Math.abs(stepB) < 1e-10) break;
  }
  const scores = new Map<number, [number, number]>();
  for (const { x, success, prompt } of points) {
    const [ofA, ofB] = scores.get(prompt) ?? [0, 0];
    const residual = success - sigmoid(a + b * x);
    scores.set(prompt, [ofA + residual, ofB + residual * x]);
  }
  const variance = [...scores.values()].reduce((sum, [ofA, ofB]) => sum + (inverse[0] * ofA + inverse[1] * ofB) ** 2, 0);
  const half = roundedQuantile975 * Math.sqrt(variance);
  return { share: sigmoid(a), low: sigmoid(a - half), high: sigmoid(a + half) };
}

/** [aa, ab, bb] of a 2 x 2 matrix. */
type Symmetric = readonly [number, number, number];

function inverseOf([aa, ab, bb]: Symmetric): Symmetric {
  const determinant = aa * bb - ab * ab;
  return [bb / determinant, -ab / determinant, aa / determinant];
}
