/**
 * @file SmoothQuant (Xiao et al. 2023, equation 4): factors that move outliers of activations into the weights they
 * meet.
 */

/** For each linear layer, by name, what its inputs are divided by: [inputs]. */
export type Smoothing = ReadonlyMap<string, Float32Array>;

/**
 * s_j = max|X_j|^alpha / max|W_j|^(1 - alpha).
 * @param activations largest magnitude of each input channel over the calibration text, [inputs]
 * @param weights [outputs, inputs]
 */
export function smoothingFactors(
  activations: Float32Array,
  weights: Float32Array,
  outputs: number,
  alpha = 0.5,
): Float32Array<ArrayBuffer> {
  const inputs = activations.length;
  const largest = new Float32Array(inputs);
  for (let output = 0; output < outputs; output++) {
    for (let input = 0; input < inputs; input++) {
      const magnitude = Math.abs(weights[output * inputs + input] as number);
      if (magnitude > (largest[input] as number)) largest[input] = magnitude;
    }
  }
  // Dead channels would give 0 or infinity; the floor is far below any live one.
  const floor = 1e-5;
  return Float32Array.from(activations, (activation, input) => {
    const factor = Math.max(activation, floor) ** alpha / Math.max(largest[input] as number, floor) ** (1 - alpha);
    return Math.max(factor, floor);
  });
}
