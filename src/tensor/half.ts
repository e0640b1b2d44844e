/**
 * @file Conversion between fp32 and the two 16-bit floats, IEEE 754 binary16 and bfloat16, one value or a whole array
 * at a time.
 */

const scratchFloat = new Float32Array(1);
const scratchBits = new Uint32Array(scratchFloat.buffer);

let float16Table: Float32Array<ArrayBuffer> | undefined;

/** All 65,536 binary16 values as fp32, indexed by their bits: 256 KB, made at first use. */
function float16Values(): Float32Array<ArrayBuffer> {
  if (float16Table === undefined) {
    const values = new Float32Array(65536);
    const bits = new Uint32Array(values.buffer);
    for (let half = 0; half < 65536; half++) bits[half] = binary16ToBinary32Bits(half);
    float16Table = values;
  }
  return float16Table;
}

function binary16ToBinary32Bits(half: number): number {
  const sign = (half & 0x8000) << 16;
  const exponent = (half >>> 10) & 0x1f;
  const fraction = half & 0x3ff;
  if (exponent === 0x1f) return sign | 0x7f800000 | (fraction << 13);
  if (exponent !== 0) return sign | ((exponent + 112) << 23) | (fraction << 13);
  if (fraction === 0) return sign;
  const shift = Math.clz32(fraction) - 21; // brings the leading one of a subnormal to bit 10
  return sign | ((113 - shift) << 23) | (((fraction << shift) & 0x3ff) << 13);
}

/** The fp32 value of binary16 bits. */
export function float16ToFloat32(bits: number): number {
  return float16Values()[bits & 0xffff]!;
}

/** The fp32 value of two little-endian bytes of binary16. */
export function float16At(bytes: Uint8Array, at: number): number {
  return float16Values()[bytes[at]! | (bytes[at + 1]! << 8)]!;
}

/**
 * The binary16 bits nearest to a value, ties to even, as IEEE 754-2019 section 4.3.1 asks; too large a value becomes
 * infinity and a NaN stays a (quiet) NaN. The value is first rounded to fp32, which all our numbers already are.
 */
export function float32ToFloat16(value: number): number {
  scratchFloat[0] = value;
  return binary32ToBinary16Bits(scratchBits[0]!);
}

function binary32ToBinary16Bits(bits: number): number {
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00 | ((magnitude >>> 13) & 0x1ff);
  if (magnitude >= 0x477ff000) return sign | 0x7c00; // 65520 and above round to infinity
  if (magnitude >= 0x38800000) {
    const rebased = magnitude - 0x38000000;
    return sign | ((rebased + 0xfff + ((rebased >>> 13) & 1)) >>> 13);
  }
  if (magnitude <= 0x33000000) return sign; // up to half of the smallest subnormal: to even, zero
  const fraction = (magnitude & 0x7fffff) | 0x800000;
  const shift = 126 - (magnitude >>> 23);
  const kept = fraction >>> shift;
  const rest = fraction & ((1 << shift) - 1);
  const half = 1 << (shift - 1);
  return sign | (kept + (rest > half || (rest === half && (kept & 1) === 1) ? 1 : 0));
}

/** The fp32 value of bfloat16 bits. */
export function bfloat16ToFloat32(bits: number): number {
  scratchBits[0] = (bits & 0xffff) << 16;
  return scratchFloat[0]!;
}

/** The bfloat16 bits nearest to an fp32 value, ties to even; a NaN stays a (quiet) NaN. */
export function float32ToBfloat16(value: number): number {
  scratchFloat[0] = value;
  return binary32ToBfloat16Bits(scratchBits[0]!);
}

function binary32ToBfloat16Bits(bits: number): number {
  if ((bits & 0x7fffffff) > 0x7f800000) return (bits >>> 16) | 0x40;
  return ((bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16) & 0xffff;
}

/** Converts every binary16 value of `source`, into `target` where given (same length). */
export function float16ArrayToFloat32(source: Uint16Array, target = new Float32Array(source.length)): Float32Array<ArrayBuffer> {
  const table = float16Values();
  for (let index = 0; index < source.length; index++) target[index] = table[source[index]!]!;
  return target;
}

/** Rounds every value of `source` to binary16, into `target` where given (same length). */
export function float32ArrayToFloat16(source: Float32Array, target = new Uint16Array(source.length)): Uint16Array<ArrayBuffer> {
  const bits = new Uint32Array(source.buffer, source.byteOffset, source.length);
  for (let index = 0; index < bits.length; index++) target[index] = binary32ToBinary16Bits(bits[index]!);
  return target;
}

/** Converts every bfloat16 value of `source`, into `target` where given (same length). */
export function bfloat16ArrayToFloat32(source: Uint16Array, target = new Float32Array(source.length)): Float32Array<ArrayBuffer> {
  const bits = new Uint32Array(target.buffer, target.byteOffset, target.length);
  for (let index = 0; index < source.length; index++) bits[index] = source[index]! << 16;
  return target;
}

/** Rounds every value of `source` to bfloat16, into `target` where given (same length). */
export function float32ArrayToBfloat16(source: Float32Array, target = new Uint16Array(source.length)): Uint16Array<ArrayBuffer> {
  const bits = new Uint32Array(source.buffer, source.byteOffset, source.length);
  for (let index = 0; index < bits.length; index++) target[index] = binary32ToBfloat16Bits(bits[index]!);
  return target;
}
