/**
 * @file How two numbers of answers vary together among the answers to one prompt. What sets prompts apart is left out:
 * it helps no choice among candidates.
 */

import { meanOf } from "./moments.ts";

/** Sums over all pairs of numbers, each number less its mean over the answers to its prompt. */
export interface WithinMoments {
  /** Pairs of the prompts that have two or more. */
  count: number;
  products: number;
  firstSquares: number;
  secondSquares: number;
}

/** @param prompts pairs of numbers, one for each answer of each prompt; a prompt with one answer says nothing */
export function momentsWithin(prompts: Iterable<readonly (readonly [first: number, second: number])[]>): WithinMoments {
  const moments = { count: 0, products: 0, firstSquares: 0, secondSquares: 0 };
  for (const pairs of prompts) {
    if (pairs.length < 2) continue;
    const meanFirst = meanOf(pairs.map(([first]) => first));
    const meanSecond = meanOf(pairs.map(([, second]) => second));
    for (const [first, second] of pairs) {
      moments.products += (first - meanFirst) * (second - meanSecond);
      moments.firstSquares += (first - meanFirst) ** 2;
      moments.secondSquares += (second - meanSecond) ** 2;
    }
    moments.count += pairs.length;
  }
  return moments;
}

/** Pearson's correlation; NaN where either number never differs among the answers to a prompt. */
export function correlationOf({ products, firstSquares, secondSquares }: WithinMoments): number {
  return products / Math.sqrt(firstSquares * secondSquares);
}

/**
 * Change of the second number for each unit of the first, by least squares; 0 where the first never differs among the
 * answers to a prompt.
 */
export function slopeOf({ products, firstSquares }: WithinMoments): number {
  return firstSquares === 0 ? 0 : products / firstSquares;
}
