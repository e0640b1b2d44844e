/**
 * @file From stored weights to fp32: GGML's block quantisations and the plain float types.
 *
 * Block layouts are those of ggml/src/ggml-common.h of llama.cpp and the arithmetic that of its ggml-quants.c
 * (`dequantize_row_*`). All numbers are little-endian, as is every machine that ONNX Runtime's Node package runs on.
 * In every formula a product has at most 24 significant bits, so that doubles rounded once on storing give exactly
 * the fp32 arithmetic of the originals.
 */

import { dtypes, type DType } from "./dtype.ts";
import { bfloat16ArrayToFloat32, float16ArrayToFloat32, float16At } from "./half.ts";

/** Writes the values of `blockCount` blocks that begin at byte `from` of `source` to `target` from index `to` on. */
type Dequantizer = (source: Uint8Array, from: number, blockCount: number, target: Float32Array<ArrayBuffer>, to: number) => void;

/** A view of `source`'s bytes that is aligned for the wider elements: the bytes are copied only where they are not. */
function alignedBytes(source: Uint8Array, from: number, length: number, alignment: number): Uint8Array {
  const view = source.subarray(from, from + length);
  return view.byteOffset % alignment === 0 ? view : view.slice();
}

const dequantizers: { [Type in DType]: Dequantizer } = {
  F64(source, from, count, target, to) {
    const bytes = alignedBytes(source, from, count * 8, 8);
    target.set(new Float64Array(bytes.buffer, bytes.byteOffset, count), to);
  },

  F32(source, from, count, target, to) {
    const bytes = alignedBytes(source, from, count * 4, 4);
    target.set(new Float32Array(bytes.buffer, bytes.byteOffset, count), to);
  },

  F16(source, from, count, target, to) {
    const bytes = alignedBytes(source, from, count * 2, 2);
    float16ArrayToFloat32(new Uint16Array(bytes.buffer, bytes.byteOffset, count), target.subarray(to, to + count));
  },

  BF16(source, from, count, target, to) {
    const bytes = alignedBytes(source, from, count * 2, 2);
    bfloat16ArrayToFloat32(new Uint16Array(bytes.buffer, bytes.byteOffset, count), target.subarray(to, to + count));
  },

  // scale: f16, quants: 16 x u8 (low nibbles are the first half)
  Q4_0(source, from, blockCount, target, to) {
    for (let block = 0; block < blockCount; block++, from += 18, to += 32) {
      const scale = float16At(source, from);
      for (let index = 0; index < 16; index++) {
        const pair = source[from + 2 + index]!;
        target[to + index] = scale * ((pair & 15) - 8);
        target[to + index + 16] = scale * ((pair >> 4) - 8);
      }
    }
  },

  // scale: f16, minimum: f16, quants: 16 x u8
  Q4_1(source, from, blockCount, target, to) {
    for (let block = 0; block < blockCount; block++, from += 20, to += 32) {
      const scale = float16At(source, from);
      const minimum = float16At(source, from + 2);
      for (let index = 0; index < 16; index++) {
        const pair = source[from + 4 + index]!;
        target[to + index] = scale * (pair & 15) + minimum;
        target[to + index + 16] = scale * (pair >> 4) + minimum;
      }
    }
  },

  // scale: f16, fifth bits: u32, quants: 16 x u8
  Q5_0(source, from, blockCount, target, to) {
    for (let block = 0; block < blockCount; block++, from += 22, to += 32) {
      const scale = float16At(source, from);
      const fifth = readUint32(source, from + 2);
      for (let index = 0; index < 16; index++) {
        const pair = source[from + 6 + index]!;
        target[to + index] = scale * (((pair & 15) | (((fifth >>> index) & 1) << 4)) - 16);
        target[to + index + 16] = scale * (((pair >> 4) | (((fifth >>> (index + 16)) & 1) << 4)) - 16);
      }
    }
  },

  // scale: f16, minimum: f16, fifth bits: u32, quants: 16 x u8
  Q5_1(source, from, blockCount, target, to) {
    for (let block = 0; block < blockCount; block++, from += 24, to += 32) {
      const scale = float16At(source, from);
      const minimum = float16At(source, from + 2);
      const fifth = readUint32(source, from + 4);
      for (let index = 0; index < 16; index++) {
        const pair = source[from + 8 + index]!;
        target[to + index] = scale * ((pair & 15) | (((fifth >>> index) & 1) << 4)) + minimum;
        target[to + index + 16] = scale * ((pair >> 4) | (((fifth >>> (index + 16)) & 1) << 4)) + minimum;
      }
    }
  },

  // scale: f16, quants: 32 x i8
  Q8_0(source, from, blockCount, target, to) {
    for (let block = 0; block < blockCount; block++, from += 34, to += 32) {
      const scale = float16At(source, from);
      for (let index = 0; index < 32; index++) target[to + index] = scale * ((source[from + 2 + index]! << 24) >> 24);
    }
  },

  // scale of scales: f16, scale of minima: f16, 8 scales and 8 minima of 6 bits: 12 x u8, quants: 128 x u8
  Q4_K(source, from, blockCount, target, to) {
    for (let block = 0; block < blockCount; block++, from += 144, to += 256) {
      const scale = float16At(source, from);
      const minimumScale = float16At(source, from + 2);
      for (let group = 0; group < 4; group++) {
        const lowScale = scale * sixBitScale(source, from + 4, 2 * group);
        const lowMinimum = minimumScale * sixBitMinimum(source, from + 4, 2 * group);
        const highScale = scale * sixBitScale(source, from + 4, 2 * group + 1);
        const highMinimum = minimumScale * sixBitMinimum(source, from + 4, 2 * group + 1);
        const quants = from + 16 + 32 * group;
        const out = to + 64 * group;
        for (let index = 0; index < 32; index++) {
          const pair = source[quants + index]!;
          target[out + index] = lowScale * (pair & 15) - lowMinimum;
          target[out + index + 32] = highScale * (pair >> 4) - highMinimum;
        }
      }
    }
  },

  // as Q4_K, with the fifth bits (32 x u8, bit g for the g-th run of 32 values) before the quants
  Q5_K(source, from, blockCount, target, to) {
    for (let block = 0; block < blockCount; block++, from += 176, to += 256) {
      const scale = float16At(source, from);
      const minimumScale = float16At(source, from + 2);
      for (let group = 0; group < 4; group++) {
        const lowScale = scale * sixBitScale(source, from + 4, 2 * group);
        const lowMinimum = minimumScale * sixBitMinimum(source, from + 4, 2 * group);
        const highScale = scale * sixBitScale(source, from + 4, 2 * group + 1);
        const highMinimum = minimumScale * sixBitMinimum(source, from + 4, 2 * group + 1);
        const quants = from + 48 + 32 * group;
        const out = to + 64 * group;
        for (let index = 0; index < 32; index++) {
          const pair = source[quants + index]!;
          const fifth = source[from + 16 + index]! >> (2 * group);
          target[out + index] = lowScale * ((pair & 15) | ((fifth & 1) << 4)) - lowMinimum;
          target[out + index + 32] = highScale * ((pair >> 4) | ((fifth & 2) << 3)) - highMinimum;
        }
      }
    }
  },

  // low nibbles: 128 x u8, high pairs of bits: 64 x u8, scales of 16 values: 16 x i8, scale of scales: f16
  Q6_K(source, from, blockCount, target, to) {
    for (let block = 0; block < blockCount; block++, from += 210, to += 256) {
      const scale = float16At(source, from + 208);
      for (let part = 0; part < 2; part++) {
        const low = from + 64 * part;
        const high = from + 128 + 32 * part;
        const out = to + 128 * part;
        for (let index = 0; index < 32; index++) {
          const scales = from + 192 + 8 * part + (index >> 4);
          const first = source[low + index]!;
          const second = source[low + index + 32]!;
          const bits = source[high + index]!;
          target[out + index] = scale * readInt8(source, scales) * (((first & 15) | ((bits & 3) << 4)) - 32);
          target[out + index + 32] = scale * readInt8(source, scales + 2) * (((second & 15) | ((bits & 12) << 2)) - 32);
          target[out + index + 64] = scale * readInt8(source, scales + 4) * (((first >> 4) | (bits & 48)) - 32);
          target[out + index + 96] = scale * readInt8(source, scales + 6) * (((second >> 4) | ((bits & 192) >> 2)) - 32);
        }
      }
    }
  },
};

function readUint32(source: Uint8Array, at: number): number {
  return source[at]! | (source[at + 1]! << 8) | (source[at + 2]! << 16) | (source[at + 3]! << 24);
}

function readInt8(source: Uint8Array, at: number): number {
  return (source[at]! << 24) >> 24;
}

/**
 * The 6-bit scale of run `index` (0 to 7) in a K block's 12 bytes: runs 4 to 7 keep their two high bits in those of 0
 * to 3.
 */
function sixBitScale(source: Uint8Array, at: number, index: number): number {
  if (index < 4) return source[at + index]! & 63;
  return (source[at + index + 4]! & 15) | ((source[at + index - 4]! >> 6) << 4);
}

function sixBitMinimum(source: Uint8Array, at: number, index: number): number {
  if (index < 4) return source[at + index + 4]! & 63;
  return (source[at + index + 4]! >> 4) | ((source[at + index]! >> 6) << 4);
}

/** Bytes that `valueCount` values take. @throws RangeError when they are not a whole number of blocks. */
export function storedBytes(dtype: DType, valueCount: number): number {
  const { blockSize, blockBytes } = dtypes[dtype];
  if (valueCount % blockSize !== 0) throw new RangeError(`${valueCount} values are not a whole number of ${dtype} blocks of ${blockSize}`);
  return (valueCount / blockSize) * blockBytes;
}

/**
 * All values of `source` as fp32.
 * @param source Exactly the bytes of `valueCount` values.
 * @throws RangeError when the byte count does not fit.
 */
export function dequantize(dtype: DType, source: Uint8Array, valueCount: number): Float32Array<ArrayBuffer> {
  const expected = storedBytes(dtype, valueCount);
  if (source.byteLength !== expected)
    throw new RangeError(`${valueCount} values of ${dtype} take ${expected} bytes, not ${source.byteLength}`);
  const target = new Float32Array(valueCount);
  dequantizers[dtype](source, 0, valueCount / dtypes[dtype].blockSize, target, 0);
  return target;
}

/**
 * The rows `firstRow` (inclusive) to `endRow` (exclusive) of a matrix [rows, rowLength] as fp32, without touching the
 * rest.
 * @param target Where they go, (endRow - firstRow) * rowLength values; a fresh array by default.
 * @throws RangeError when a row is not a whole number of blocks or the range is not inside the matrix.
 */
export function dequantizeRows(
  dtype: DType,
  source: Uint8Array,
  rowLength: number,
  firstRow: number,
  endRow: number,
  target?: Float32Array<ArrayBuffer>,
): Float32Array<ArrayBuffer> {
  const rowBytes = storedBytes(dtype, rowLength);
  const valueCount = (endRow - firstRow) * rowLength;
  if (!(firstRow >= 0 && endRow >= firstRow && endRow * rowBytes <= source.byteLength)) {
    throw new RangeError(`rows ${firstRow} to ${endRow} of ${rowBytes} bytes are not inside ${source.byteLength} bytes`);
  }
  const result = target ?? new Float32Array(valueCount);
  if (result.length !== valueCount) throw new RangeError(`the target has ${result.length} values, not ${valueCount}`);
  dequantizers[dtype](source, firstRow * rowBytes, valueCount / dtypes[dtype].blockSize, result, 0);
  return result;
}
