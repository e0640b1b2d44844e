/** @file Quantises rows of weights to the integer layouts that ONNX Runtime's matrix products take. */

/** Weights of `MatMulNBits`: one fp32 scale for each block of inputs of each output. */
export interface BlockQuantized {
  /** [outputs, blocks, blockSize * bits / 8]; the zero point is 2^(bits - 1). */
  data: Uint8Array<ArrayBuffer>;
  /** [outputs, blocks]. */
  scales: Float32Array<ArrayBuffer>;
  blocks: number;
}

/** ONNX Runtime's fast int8 path takes blocks of 16 to 256; GGML's files use 32. */
export const blockSize = 32;

/**
 * 8-bit symmetric blocks, round to nearest: w = scale * (q - 128), scale = max|w| / 127.
 * @param weights [outputs, inputs]
 */
export function quantizeBlocks8(weights: Float32Array, outputs: number, inputs: number): BlockQuantized {
  const blocks = Math.ceil(inputs / blockSize);
  const data = new Uint8Array(outputs * blocks * blockSize).fill(128);
  const scales = new Float32Array(outputs * blocks);
  for (let output = 0; output < outputs; output++) {
    for (let block = 0; block < blocks; block++) {
      const start = output * inputs + block * blockSize;
      const end = Math.min(start + blockSize, (output + 1) * inputs);
      let largest = 0;
      for (let at = start; at < end; at++) largest = Math.max(largest, Math.abs(weights[at] as number));
      const scale = Math.fround(largest / 127);
      scales[output * blocks + block] = scale;
      if (scale === 0) continue;
      const target = (output * blocks + block) * blockSize;
      for (let at = start; at < end; at++) data[target + at - start] = Math.round((weights[at] as number) / scale) + 128;
    }
  }
  return { data, scales, blocks };
}

/** Weights of `MatMulIntegerToFloat`: one fp32 scale for each output. */
export interface ChannelQuantized {
  /** [inputs, outputs], the right-hand side of a product. */
  data: Int8Array<ArrayBuffer>;
  /** [outputs]. */
  scales: Float32Array<ArrayBuffer>;
}

/**
 * 8-bit symmetric, one scale an output: w = scale * q, |q| <= 127.
 * @param weights [outputs, inputs]
 */
export function quantizeChannels8(weights: Float32Array, outputs: number, inputs: number): ChannelQuantized {
  const data = new Int8Array(inputs * outputs);
  const scales = new Float32Array(outputs);
  for (let output = 0; output < outputs; output++) {
    const start = output * inputs;
    let largest = 0;
    for (let at = start; at < start + inputs; at++) largest = Math.max(largest, Math.abs(weights[at] as number));
    const scale = Math.fround(largest / 127);
    scales[output] = scale;
    if (scale === 0) continue;
    for (let input = 0; input < inputs; input++) data[input * outputs + output] = Math.round((weights[start + input] as number) / scale);
  }
  return { data, scales };
}
