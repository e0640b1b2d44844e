/**
 * @file Draws of a collection: each is a pure function of seed, purpose and number, so that a run that was interrupted
 * draws the same again.
 */

import { candidateSeed, uniform } from "./philox.ts";
import { shuffleInPlace } from "./shuffle.ts";

/** What a draw is for. The numbers are part of the data's identity, and none is one of the teddy world's purposes. */
const purposes = {
  candidate: 101,
  pairing: 102,
  order: 103,
  noise: 104,
  coin: 105,
  "rater's choice": 106,
  "rater's mark": 107,
  "rater's dimension": 108,
  question: 109,
  bootstrap: 110,
  split: 111,
} as const;

export type DrawPurpose = keyof typeof purposes;

/** The seed of all draws for one purpose and one thing. @param number integer in [0, 2^53 - 1) */
export function drawSeed(seed: number, purpose: DrawPurpose, number: number): number {
  return candidateSeed(candidateSeed(seed, purposes[purpose]), number + 1);
}

/** Uniform in [0, 1): draw `position` for a thing. */
export function draw(seed: number, purpose: DrawPurpose, number: number, position = 0): number {
  return uniform(drawSeed(seed, purpose, number), position);
}

/** The items in an order that seed, purpose and number decide (Fisher and Yates). */
export function shuffled<T>(items: readonly T[], seed: number, purpose: DrawPurpose, number: number): T[] {
  const order = [...items];
  shuffleInPlace(order, drawSeed(seed, purpose, number));
  return order;
}
