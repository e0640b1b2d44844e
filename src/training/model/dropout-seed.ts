/** @file The seed of dropout, from run, step and batch, so that a resumed run drops the same inputs. */

import { philox4x32 } from "../../random/philox.ts";

/** Two words: a hash of the run's seed, the steps before this one, and the batch within it. */
export function dropoutSeed(seed: number, step: number, batch: number): Int32Array<ArrayBuffer> {
  const [first, second] = philox4x32([step, batch, 0, 0xd20], [seed >>> 0, Math.floor(seed / 2 ** 32)]);
  return Int32Array.of(first, second);
}
