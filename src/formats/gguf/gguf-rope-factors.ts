/**
 * @file Llama 3's rope scaling, which a GGUF keeps as one factor for each frequency, back to the parameters it came
 * from.
 */

import { BonsaiError } from "../../errors/bonsai-error.ts";
import type { JsonObject } from "../json-file.ts";

/** What all Llama 3.1, 3.2 and 3.3 models use, apart from the factor. */
const LOW_FREQUENCY_FACTOR = 1;
const HIGH_FREQUENCY_FACTOR = 4;
const ORIGINAL_CONTEXT = 8192;

/**
 * Factors by which Llama 3 divides the rotary frequencies: 1 for wavelengths much shorter than the original context,
 * `factor` for longer ones, and in between (transformers' `_compute_llama3_parameters`) the interpolation of the
 * reciprocals.
 * @returns headDim / 2 values.
 */
export function llama3RopeFactors(headDim: number, ropeTheta: number, factor: number): Float64Array {
  return Float64Array.from({ length: headDim / 2 }, (_, index) => {
    const wavelength = 2 * Math.PI * ropeTheta ** ((2 * index) / headDim);
    const cycles = ORIGINAL_CONTEXT / wavelength;
    if (cycles > HIGH_FREQUENCY_FACTOR) return 1;
    if (cycles < LOW_FREQUENCY_FACTOR) return factor;
    const smooth = (cycles - LOW_FREQUENCY_FACTOR) / (HIGH_FREQUENCY_FACTOR - LOW_FREQUENCY_FACTOR);
    return 1 / ((1 - smooth) / factor + smooth);
  });
}

/**
 * The `rope_scaling` of config.json whose factors are those of a GGUF's `rope_freqs.weight`; null when they are all 1.
 * @throws BonsaiError `unsupported_model` when they are not those of Llama 3.
 */
export function ropeScalingOfFactors(path: string, factors: Float32Array, headDim: number, ropeTheta: number): JsonObject | null {
  if (factors.length !== headDim / 2) {
    throw new BonsaiError(
      "invalid_model_file",
      `${path}: tensor "rope_freqs.weight" has ${factors.length} values instead of ${headDim / 2}.`,
    );
  }
  const factor = factors.reduce((largest, value) => Math.max(largest, value), 1);
  const expected = llama3RopeFactors(headDim, ropeTheta, factor);
  // The converter computes in fp32, these in fp64.
  if (!factors.every((value, index) => Math.abs(value - expected[index]!) <= 1e-3 * expected[index]!)) {
    throw new BonsaiError(
      "unsupported_model",
      `${path}: tensor "rope_freqs.weight" holds other factors than Llama 3's, the only ones that are supported.`,
    );
  }
  if (factor === 1) return null;
  return {
    rope_type: "llama3",
    factor,
    low_freq_factor: LOW_FREQUENCY_FACTOR,
    high_freq_factor: HIGH_FREQUENCY_FACTOR,
    original_max_position_embeddings: ORIGINAL_CONTEXT,
  };
}
