/**
 * @file A stream of random choices that is a pure function of seed, purpose and index, so that row i of a data set is
 * made alone and alike whatever came before.
 */

import { candidateSeed, uniform } from "./philox.ts";

/**
 * What a stream is for: streams of different purposes share no draws. The numbers are part of the data's identity.
 * `other` draws nothing that a model learns from: best answers for reports, and new names of bears.
 */
export const purposes = { question: 1, demonstration: 2, corpus: 3, prompt: 4, rater: 5, other: 6, pair: 7 } as const;

export class RandomStream {
  readonly #seed: number;
  #position = 0;

  /**
   * @param seed integer in [0, 2^53).
   * @param index the row, an integer in [0, 2^53 - 1).
   */
  constructor(seed: number, purpose: keyof typeof purposes, index: number) {
    this.#seed = candidateSeed(candidateSeed(seed, purposes[purpose]), index + 1);
  }

  /** Uniform in [0, 1). */
  uniform(): number {
    return uniform(this.#seed, this.#position++);
  }

  chance(probability: number): boolean {
    return this.uniform() < probability;
  }

  /** An integer in [0, count). */
  integer(count: number): number {
    return Math.floor(this.uniform() * count);
  }

  pick<T>(choices: readonly T[]): T {
    return choices[this.integer(choices.length)]!;
  }

  /** A key of `weights`, as often as its weight says. */
  weighted<K extends string>(weights: Readonly<Record<K, number>>): K {
    const entries = Object.entries(weights) as [K, number][];
    let left = this.uniform() * entries.reduce((sum, [, weight]) => sum + weight, 0);
    for (const [key, weight] of entries) {
      left -= weight;
      if (left < 0) return key;
    }
    return entries.at(-1)![0];
  }
}
