/** @file Prompts of random tokens: no two alike, so that no cache answers one, and the same in every run. */

import { uniform } from "../../../src/random/philox.ts";

/** Below this, vocabularies keep their control tokens. */
const firstPlainToken = 256;

/** Deals prompts; each call continues the one stream of its seed. */
export function promptDealer(vocabSize: number, seed = 1): (tokens: number) => number[] {
  let position = 0;
  return (tokens) =>
    Array.from({ length: tokens }, () => firstPlainToken + Math.floor(uniform(seed, position++) * (vocabSize - firstPlainToken)));
}
