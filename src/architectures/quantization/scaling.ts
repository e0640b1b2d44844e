/** @file Factors that are folded into the weights of a linear layer, and what such weights are called. */

/** W'[o, i] = W[o, i] * inputs[i] * outputs[o], b' = b * outputs. */
export interface LinearScaling {
  inputs?: Float32Array | undefined;
  outputs?: Float32Array | undefined;
}

/** What is multiplied by factors is kept beside what is not, as a measurement of the plain model may need. */
export function scaledKey(key: string, ...factors: readonly (Float32Array | undefined)[]): string {
  return factors.every((factor) => factor === undefined) ? key : `${key}.scaled`;
}
