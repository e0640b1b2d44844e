/** @file What keys and values are in units of where they are multiplied as bytes, from the largest that were seen. */

import type { MeasuredUnits } from "../../architectures/quantization/kv-scales.ts";

/** Largest magnitude of each channel of each key/value head: [layers, kvHeads, headDim]. */
export interface AttentionPeaks {
  keys: Float32Array<ArrayBuffer>;
  values: Float32Array<ArrayBuffer>;
}

/** Room above the largest that was seen; what passes it is clipped. */
const headroom = 1.25;

/** A channel that was always zero still needs a unit that has a reciprocal. */
const tiny = 1e-12;

/** @param attention of the base and then of each adapter */
export function attentionUnits(attention: readonly AttentionPeaks[]): MeasuredUnits {
  const units = (kind: keyof AttentionPeaks): Float32Array<ArrayBuffer> =>
    new Float32Array(attention.flatMap((peaks) => Array.from(peaks[kind], (largest) => Math.max((largest * headroom) / 127, tiny))));
  return { keys: units("keys"), values: units("values") };
}
