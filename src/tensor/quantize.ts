/** @file Quantises rows of weights to the integer layouts that ONNX Runtime's matrix products take. */

/** Weights of `MatMulNBits`: one fp32 scale for each block of inputs of each output. */
export interface BlockQuantized {
  /** [outputs, blocks, block size * bits / 8]; the zero point is 2^(bits - 1). */
  data: Uint8Array<ArrayBuffer>;
  /** [outputs, blocks]. */
  scales: Float32Array<ArrayBuffer>;
  blocks: number;
}

/** Values of a block in GGML's files. */
export const fileBlockSize = 32;

/**
 * Larger blocks are computed faster (a fifth from 32 to 64) and follow the weights less closely; they must divide the
 * inputs to waste nothing.
 */
export function blockSizeFor(inputs: number): 32 | 64 {
  return inputs % 64 === 0 ? 64 : 32;
}

/**
 * 8-bit symmetric blocks, round to nearest: w = scale * (q - 128), scale = max|w| / 127.
 * @param weights [outputs, inputs]
 */
export function quantizeBlocks8(weights: Float32Array, outputs: number, inputs: number, blockSize = blockSizeFor(inputs)): BlockQuantized {
  const blocks = Math.ceil(inputs / blockSize);
  const data = new Uint8Array(outputs * blocks * blockSize).fill(128);
  const scales = new Float32Array(outputs * blocks);
  for (let output = 0; output < outputs; output++) {
    for (let block = 0; block < blocks; block++) {
      const start = output * inputs + block * blockSize;
      const end = Math.min(start + blockSize, (output + 1) * inputs);
      const scale = Math.fround(largestMagnitude(weights, start, end) / 127);
      scales[output * blocks + block] = scale;
      if (scale === 0) continue;
      const inverse = 1 / scale;
      const shift = (output * blocks + block) * blockSize - start;
      for (let at = start; at < end; at++) data[shift + at] = roundWithZeroPoint((weights[at] as number) * inverse);
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

/** The largest sum of two neighbouring weights of the same sign: 255 times it still fits in 16 bits. */
export const largestPair = 128;

/**
 * 8-bit symmetric, one scale an output: w = scale * q, |q| <= 127.
 *
 * x86 processors without VNNI add two neighbouring products of an unsigned and a signed byte in 16 bits, and cut what
 * passes them (Intel, PMADDUBSW). So the integers of inputs 2i and 2i + 1, where they have one sign, are at most
 * `largestPair` together: no row of bytes can make their sum pass. It takes a scale a fifth larger on average than the
 * largest weight alone would.
 * @param weights [outputs, inputs]
 */
export function quantizeChannels8(weights: Float32Array, outputs: number, inputs: number): ChannelQuantized {
  const data = new Int8Array(inputs * outputs);
  const scales = new Float32Array(outputs);
  const inverses = new Float64Array(outputs);
  for (let output = 0; output < outputs; output++) {
    const scale = Math.fround(largestPairMagnitude(weights, output * inputs, (output + 1) * inputs) / 127);
    scales[output] = scale;
    inverses[output] = scale === 0 ? 0 : 1 / scale;
  }
  // Reading along rows and writing along columns: a tile of both stays in the nearest cache.
  for (let firstOutput = 0; firstOutput < outputs; firstOutput += tile) {
    const endOutput = Math.min(firstOutput + tile, outputs);
    for (let firstInput = 0; firstInput < inputs; firstInput += tile) {
      const endInput = Math.min(firstInput + tile, inputs);
      for (let output = firstOutput; output < endOutput; output++) {
        const inverse = inverses[output] as number;
        for (let input = firstInput; input < endInput; input++) {
          data[input * outputs + output] = roundWithZeroPoint((weights[output * inputs + input] as number) * inverse) - 128;
        }
      }
    }
  }
  return { data, scales };
}

/** Values of a square that is transposed at once. */
const tile = 64;

function largestMagnitude(values: Float32Array, start: number, end: number): number {
  let largest = 0;
  for (let at = start; at < end; at++) {
    const value = values[at] as number;
    if (value > largest) largest = value;
    else if (-value > largest) largest = -value;
  }
  return largest;
}

/**
 * The largest absolute value, of single values and of the sums of neighbours 2i and 2i + 1 that have the same sign.
 */
function largestPairMagnitude(values: Float32Array, start: number, end: number): number {
  let largest = 0;
  for (let at = start; at < end; at += 2) {
    const first = values[at] as number;
    const second = at + 1 < end ? (values[at + 1] as number) : 0;
    largest = Math.max(largest, Math.abs(first), Math.abs(second), Math.abs(first + second));
  }
  return largest;
}

/** Nearest integer plus 128, for values in [-127, 127]: truncation is rounding once all are positive. */
function roundWithZeroPoint(value: number): number {
  return (value + 128.5) | 0;
}
