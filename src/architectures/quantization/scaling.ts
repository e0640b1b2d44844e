/** @file Factors that are folded into the weights of a linear layer, and what such weights are called. */

/** W'[o, i] = W[o, i] * inputs[i] * outputs[o], b' = b * outputs. */
export interface LinearScaling {
  inputs?: Float32Array | undefined;
  outputs?: Float32Array | undefined;
}

/** The key of a weight: a scaled one is kept beside the unscaled one, which the calibration may need. */
export function scaledKey(key: string, ...factors: readonly (Float32Array | undefined)[]): string {
  return factors.every((factor) => factor === undefined) ? key : `${key}.scaled`;
}
