/** @file The masks that say where each token may look. */

/** Added to the score of a place that may not be seen: its exponential is an exact zero. */
export const masked = -3.4028234663852886e38;

/**
 * The mask of one row of new tokens over a prompt cache and themselves: [group * count, places + count]. A token sees
 * what is filled of the cache, itself and the new tokens before it; the tokens are repeated for each query head of a
 * group.
 */
export function causalMask(count: number, group: number, places: number, filled: number): Float32Array<ArrayBuffer> {
  const width = places + count;
  const mask = new Float32Array(group * count * width).fill(masked);
  for (let token = 0; token < count; token++) {
    const start = token * width;
    mask.fill(0, start, start + filled);
    mask.fill(0, start + places, start + places + token + 1);
  }
  for (let copy = 1; copy < group; copy++) mask.copyWithin(copy * count * width, 0, count * width);
  return mask;
}
