/** @file Fisher and Yates' shuffle (Durstenfeld 1964), as a pure function of the seed. */

import { uniform } from "./philox.ts";

/** @param seed integer in [0, 2^53); place i is swapped by the draw at position i. */
export function shuffleInPlace(values: unknown[] | Int32Array, seed: number): void {
  for (let last = values.length - 1; last > 0; last--) {
    const chosen = Math.floor(uniform(seed, last) * (last + 1));
    [values[last], values[chosen]] = [values[chosen], values[last]];
  }
}
