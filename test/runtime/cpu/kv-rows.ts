/** @file New keys and values as the graphs return them, out of nested arrays that are easy to read. */

import type { KvRows } from "../../../src/runtime/cpu/kv-segment.ts";

/** [head][place][channel] of one row in the order in which keys or values are stored. */
export function flatPlaces<T>(heads: readonly (readonly (readonly T[])[])[], isKeys: boolean): T[] {
  if (!isKeys) return heads.flat(2);
  return heads.flatMap((places) => (places[0] ?? []).flatMap((_, channel) => places.map((place) => place[channel] as T)));
}

/** @param arrays by [array][row][head][place][channel]: the keys of each layer, then the values of each */
export function kvRows(arrays: readonly (readonly (readonly (readonly (readonly number[])[])[])[])[]): KvRows {
  const layers = arrays.length / 2;
  const flat = (part: typeof arrays, isKeys: boolean): Float32Array<ArrayBuffer> =>
    Float32Array.from(part.flatMap((rows) => rows.flatMap((heads) => flatPlaces(heads, isKeys))));
  return { keys: flat(arrays.slice(0, layers), true), values: flat(arrays.slice(layers), false) };
}
