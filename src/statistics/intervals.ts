/**
 * @file Means and shares over prompts with their 95% intervals: by the normal distribution, by Wilson, and by the
 * bootstrap.
 */

import { drawSeed } from "../random/seeded-draw.ts";
import { uniformStream } from "../random/uniform-stream.ts";
import { meanOf } from "./moments.ts";
import { normalQuantile975 } from "./normal-distribution.ts";

export interface Estimate {
  mean: number;
  /** Half the width of the 95% interval of the mean, by the normal distribution. */
  margin: number;
}

/** `normalQuantile975`, rounded as in the reports that are kept in docs/ and models/. */
export const roundedQuantile975 = 1.96;

/** @param values independent numbers, such as one for each prompt */
export function estimateMean(values: readonly number[]): Estimate {
  const middle = meanOf(values);
  const variance = values.reduce((sum, value) => sum + (value - middle) ** 2, 0) / Math.max(1, values.length - 1);
  return { mean: middle, margin: roundedQuantile975 * Math.sqrt(variance / values.length) };
}

export interface Share {
  /** In [0, 1]; NaN without cases. */
  share: number;
  cases: number;
  prompts: number;
  /** The ends of the 95% interval. */
  low: number;
  high: number;
  interval: "Wilson" | "bootstrap";
}

const resamples = 2000;

/**
 * The 95% interval of a share (Wilson 1927), which stays inside [0, 1] and holds for shares near its ends.
 * @param successes may have halves, for ties.
 */
export function wilsonInterval(successes: number, cases: number): { low: number; high: number } {
  if (cases === 0) return { low: 0, high: 1 };
  const share = successes / cases;
  const square = normalQuantile975 ** 2;
  const middle = (share + square / (2 * cases)) / (1 + square / cases);
  const half = (normalQuantile975 / (1 + square / cases)) * Math.sqrt((share * (1 - share)) / cases + square / (4 * cases ** 2));
  return { low: Math.max(0, middle - half), high: Math.min(1, middle + half) };
}

/** One case: how far it succeeded, from 0 to 1, and its prompt. */
export interface Case {
  success: number;
  prompt: number;
}

/**
 * The share with Wilson's interval where each prompt is one case, and with the bootstrap's over prompts elsewhere: the
 * cases of one prompt are not independent.
 * @param seed seeds the bootstrap's draws
 */
export function shareOf(cases: readonly Case[], seed = 0): Share {
  const byPrompt = new Map<number, { sum: number; count: number }>();
  for (const { success, prompt } of cases) {
    const { sum: before, count } = byPrompt.get(prompt) ?? { sum: 0, count: 0 };
    byPrompt.set(prompt, { sum: before + success, count: count + 1 });
  }
  const sum = cases.reduce((total, { success }) => total + success, 0);
  const found = { share: sum / cases.length, cases: cases.length, prompts: byPrompt.size };
  if (byPrompt.size === cases.length) return { ...found, ...wilsonInterval(sum, cases.length), interval: "Wilson" };
  return { ...found, ...bootstrapInterval([...byPrompt.values()], seed), interval: "bootstrap" };
}

/** The percentile interval (Efron 1979) of the share when prompts are drawn anew, each with all its cases. */
function bootstrapInterval(prompts: readonly { sum: number; count: number }[], seed: number): { low: number; high: number } {
  const next = uniformStream(drawSeed(seed, "bootstrap", prompts.length));
  const shares = Float64Array.from({ length: resamples }, () => {
    let [sum, count] = [0, 0];
    for (let at = 0; at < prompts.length; at++) {
      const prompt = prompts[Math.floor(next() * prompts.length)]!;
      sum += prompt.sum;
      count += prompt.count;
    }
    return sum / count;
  }).toSorted();
  return { low: shares[Math.floor(0.025 * resamples)]!, high: shares[Math.ceil(0.975 * resamples) - 1]! };
}

/** 1 where the difference has the wanted sign, 0.5 where it is zero. @param wanted 1 or -1 */
export function successOf(difference: number, wanted: number): number {
  return difference === 0 ? 0.5 : Math.sign(difference) === wanted ? 1 : 0;
}
