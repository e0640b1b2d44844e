/** @file Shares with 95% intervals: Wilson's where each prompt is one case, else the bootstrap over prompts, whose cases are not independent. */

import { drawSeed } from "../random/seeded-draw.ts";

export interface Share {
  /** In [0, 1]; of no cases it is not a number. */
  share: number;
  cases: number;
  prompts: number;
  /** Of the 95% interval. */
  low: number;
  high: number;
  interval: "Wilson" | "bootstrap";
}

/** The quantile of the normal distribution that leaves 2.5% on each side. */
const deviations = 1.959963984540054;
const resamples = 2000;

/**
 * The 95% interval of a share (Wilson 1927), which stays inside [0, 1] and holds for shares near its ends.
 * @param successes may have halves, for ties.
 */
export function wilsonInterval(successes: number, cases: number): { low: number; high: number } {
  if (cases === 0) return { low: 0, high: 1 };
  const share = successes / cases;
  const square = deviations ** 2;
  const middle = (share + square / (2 * cases)) / (1 + square / cases);
  const half = (deviations / (1 + square / cases)) * Math.sqrt((share * (1 - share)) / cases + square / (4 * cases ** 2));
  return { low: Math.max(0, middle - half), high: Math.min(1, middle + half) };
}

/** One case: how far it succeeded, from 0 to 1, and the prompt that it is of. */
export interface Case {
  success: number;
  prompt: number;
}

/** @param seed of the bootstrap's draws */
export function shareOf(cases: readonly Case[], seed = 0): Share {
  const byPrompt = new Map<number, { sum: number; count: number }>();
  for (const { success, prompt } of cases) {
    const of = byPrompt.get(prompt) ?? { sum: 0, count: 0 };
    byPrompt.set(prompt, { sum: of.sum + success, count: of.count + 1 });
  }
  const sum = cases.reduce((total, { success }) => total + success, 0);
  const found = { share: sum / cases.length, cases: cases.length, prompts: byPrompt.size };
  if (byPrompt.size === cases.length) return { ...found, ...wilsonInterval(sum, cases.length), interval: "Wilson" };
  return { ...found, ...bootstrapInterval([...byPrompt.values()], seed), interval: "bootstrap" };
}

/** The percentile interval (Efron 1979) of the share when prompts, with all their cases, are drawn anew. */
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

/** splitmix32 (after Steele, Lea and Flood 2014): uniform in [0, 1), fast enough for millions of draws. */
function uniformStream(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x9e3779b9) | 0;
    let mixed = Math.imul(state ^ (state >>> 16), 0x21f0aaad);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
    return ((mixed ^ (mixed >>> 15)) >>> 0) / 2 ** 32;
  };
}

/** 1 where the difference has the sign that it should have, a half where there is none. @param wanted 1 or -1 */
export function successOf(difference: number, wanted: number): number {
  return difference === 0 ? 0.5 : Math.sign(difference) === wanted ? 1 : 0;
}
