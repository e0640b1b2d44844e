/** @file The scales of keys and values that are cached as bytes, from the largest magnitudes that calibration saw. */

import type { MeasuredScales } from "../../architectures/quantization/kv-scales.ts";

/** Largest magnitude of each channel of each key/value head: [layers, kvHeads, headDim]. */
export interface AttentionPeaks {
  keys: Float32Array<ArrayBuffer>;
  values: Float32Array<ArrayBuffer>;
}

/** Room above the largest that was seen; what passes it is clipped. */
const headroom = 1.25;

/** A channel that was always zero still needs a scale that has a reciprocal. */
const tiny = 1e-12;

/** @param attention one entry for the base, then one for each adapter */
export function measuredKvScales(attention: readonly AttentionPeaks[]): MeasuredScales {
  const scales = (kind: keyof AttentionPeaks): Float32Array<ArrayBuffer> =>
    new Float32Array(attention.flatMap((peaks) => Array.from(peaks[kind], (largest) => Math.max((largest * headroom) / 127, tiny))));
  return { keys: scales("keys"), values: scales("values") };
}
