/** @file The input of the decoder's graph that says which adapter each token has. */

import { tensor, type Tensor } from "./session.ts";

/**
 * @param chosen each token's adapter, or -1
 * @param count of adapters; a graph without any has no such input
 */
export function adapterFeed(chosen: readonly number[], count: number): Record<string, Tensor> {
  if (count === 0) return {};
  const rows = new Float32Array(chosen.length * count);
  chosen.forEach((adapter, row) => {
    if (adapter >= 0) rows[row * count + adapter] = 1;
  });
  return { adapters: tensor("float32", rows, [chosen.length, count]) };
}
