/** @file What queries, keys and values are in units of where they are multiplied as bytes, from the largest that were seen. */

import type { MeasuredUnits } from "../architectures/cache-units.ts";
import type { DecoderConfig } from "../architectures/decoder-config.ts";

/** Largest magnitude of each channel of each key/value head, and of the queries that meet it: [layers, kvHeads, headDim]. */
export interface AttentionPeaks {
  keys: Float32Array<ArrayBuffer>;
  values: Float32Array<ArrayBuffer>;
  queries: Float32Array<ArrayBuffer>;
}

type Shape = Pick<DecoderConfig, "layers" | "kvHeads" | "headDim">;

/** Room above the largest that was seen; what passes it is clipped. */
const headroom = 1.25;

/** Keys of a head whose queries are small have at most so much coarser a unit. */
const coarsest = 4;

/** @param attention of the base and then of each adapter */
export function attentionUnits(attention: readonly AttentionPeaks[], shape: Shape): MeasuredUnits {
  const together = (sets: number[][]): Float32Array<ArrayBuffer> => new Float32Array(sets.flat());
  const ofQueriesAndKeys = attention.map((peaks) => queryAndKeyUnits(peaks, shape));
  return {
    keys: together(ofQueriesAndKeys.map(({ keys }) => keys)),
    queries: together(ofQueriesAndKeys.map(({ queries }) => queries)),
    values: together(attention.map(({ values }) => unitsOf(values))),
  };
}

/**
 * All queries of a layer have one unit, but those of some heads are smaller. A unit of keys that is coarser by a factor makes that head's queries
 * larger by it: both get half of what is to be made up, as SmoothQuant's factors do (smoothing.ts).
 */
function queryAndKeyUnits({ keys, queries }: AttentionPeaks, { layers, kvHeads, headDim }: Shape): { keys: number[]; queries: number[] } {
  const units = unitsOf(keys);
  /** Largest query of a head of a layer, in units of keys. */
  const peak = (head: number): number => {
    const channels = Array.from({ length: headDim }, (_, channel) => head * headDim + channel);
    return Math.max(...channels.map((at) => (queries[at] as number) * (units[at] as number)), tiny);
  };
  const ofLayers = Array.from({ length: layers }, (_, layer) => {
    const heads = Array.from({ length: kvHeads }, (_unused, head) => layer * kvHeads + head);
    const peaks = heads.map(peak);
    const largest = Math.max(...peaks);
    for (const [index, head] of heads.entries()) {
      const factor = Math.min(coarsest, Math.sqrt(largest / (peaks[index] as number)));
      for (let at = head * headDim; at < (head + 1) * headDim; at++) units[at] = (units[at] as number) * factor;
    }
    return (Math.max(...heads.map(peak)) * headroom) / Math.sqrt(headDim) / 127;
  });
  return { keys: units, queries: ofLayers };
}

/** A channel that was always zero still needs a unit that has a reciprocal. */
const tiny = 1e-12;

function unitsOf(largest: Float32Array): number[] {
  return Array.from(largest, (value) => Math.max((value * headroom) / 127, tiny));
}
