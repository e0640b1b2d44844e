/** @file The inputs of the decoder's graph that say which adapter each row has. */

import { tensor, type Tensor } from "./session.ts";

/**
 * @param chosen each row's adapter, or -1
 * @param tokens of each row in this run
 * @param count of adapters; a graph without any has no such inputs
 * @param hasInt8Caches whose scales differ by adapter
 */
export function adapterFeed(chosen: readonly number[], tokens: number, count: number, hasInt8Caches: boolean): Record<string, Tensor> {
  if (count === 0) return {};
  const byToken = new Float32Array(chosen.length * tokens * count);
  const byRow = new Float32Array(chosen.length * (count + 1));
  chosen.forEach((adapter, row) => {
    byRow[row * (count + 1) + adapter + 1] = 1;
    if (adapter < 0) return;
    for (let token = 0; token < tokens; token++) byToken[(row * tokens + token) * count + adapter] = 1;
  });
  return {
    adapters: tensor("float32", byToken, [chosen.length * tokens, count]),
    ...(hasInt8Caches ? { adapter_rows: tensor("float32", byRow, [chosen.length, count + 1]) } : {}),
  };
}
