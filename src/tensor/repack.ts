/** @file Moves GGML's own 4-bit and 8-bit blocks into the layout of ONNX Runtime's `MatMulNBits`, value for value. */

import { float16At } from "./half.ts";
import type { BlockQuantized } from "./quantize.ts";

const values = 32;

/** Q8_0: w = d * q. Exact. @param raw [outputs, blocks] blocks of 34 bytes: fp16 d, 32 int8 */
export function repackQ8_0(raw: Uint8Array, outputs: number, inputs: number): BlockQuantized {
  const blocks = inputs / values;
  const data = new Uint8Array(outputs * blocks * values);
  const scales = new Float32Array(outputs * blocks);
  for (let block = 0; block < outputs * blocks; block++) {
    const source = block * 34;
    scales[block] = float16At(raw, source);
    // Two's complement plus 128 modulo 256 flips the sign bit.
    for (let at = 0; at < values; at++) data[block * values + at] = (raw[source + 2 + at] as number) ^ 128;
  }
  return { data, scales, blocks };
}

/** 4-bit blocks whose values are w = scale * (q - 8) + offset. */
export interface OffsetBlocks extends BlockQuantized {
  /** [blocks, outputs]; undefined when every offset is zero. */
  offsets: Float32Array<ArrayBuffer> | undefined;
}

/** Q4_0: w = d * (q - 8). Exact. @param raw blocks of 18 bytes: fp16 d, 16 bytes of nibbles */
export function repackQ4_0(raw: Uint8Array, outputs: number, inputs: number): OffsetBlocks {
  return repackNibbles(raw, outputs, inputs, 18);
}

/**
 * Q4_1: w = d * q + m = d * (q - 8) + (m + 8 d). Exact up to fp32 rounding of the offset. @param raw blocks of 20
 * bytes: fp16 d, fp16 m, nibbles
 */
export function repackQ4_1(raw: Uint8Array, outputs: number, inputs: number): OffsetBlocks {
  return repackNibbles(raw, outputs, inputs, 20);
}

function repackNibbles(raw: Uint8Array, outputs: number, inputs: number, blockBytes: 18 | 20): OffsetBlocks {
  const blocks = inputs / values;
  const data = new Uint8Array(outputs * blocks * 16);
  const scales = new Float32Array(outputs * blocks);
  const offsets = blockBytes === 20 ? new Float32Array(blocks * outputs) : undefined;
  for (let output = 0; output < outputs; output++) {
    for (let block = 0; block < blocks; block++) {
      const index = output * blocks + block;
      const source = index * blockBytes;
      const scale = float16At(raw, source);
      scales[index] = scale;
      if (offsets !== undefined) offsets[block * outputs + output] = float16At(raw, source + 2) + 8 * scale;
      const nibbles = source + blockBytes - 16;
      // GGML's byte j holds values j and j + 16; MatMulNBits' holds 2j and 2j + 1.
      for (let at = 0; at < 16; at++) {
        data[index * 16 + at] = nibble(raw, nibbles, 2 * at) | (nibble(raw, nibbles, 2 * at + 1) << 4);
      }
    }
  }
  return { data, scales, blocks, offsets };
}

function nibble(raw: Uint8Array, start: number, value: number): number {
  return value < 16 ? (raw[start + value] as number) & 15 : (raw[start + value - 16] as number) >> 4;
}
