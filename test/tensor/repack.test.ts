/** @file GGML's blocks in MatMulNBits' layout stand for the very values that dequantising the file gives. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { dequantize } from "../../src/tensor/blocks.ts";
import { dtypes } from "../../src/tensor/dtype.ts";
import { float32ToFloat16 } from "../../src/tensor/half.ts";
import { repackQ4_0, repackQ4_1, repackQ8_0, type OffsetBlocks } from "../../src/tensor/repack.ts";

type BlockType = "Q4_0" | "Q4_1" | "Q8_0";

/** Rows of blocks with any quants, and scales and minima as weights have them. */
function blocksOf(type: BlockType): fc.Arbitrary<{ raw: Uint8Array<ArrayBuffer>; outputs: number; inputs: number }> {
  const { blockBytes } = dtypes[type];
  const halves = type === "Q4_1" ? 2 : 1;
  const half = fc.float({ min: Math.fround(-0.5), max: Math.fround(0.5), noNaN: true });
  return fc.record({ outputs: fc.integer({ min: 1, max: 5 }), blocks: fc.integer({ min: 1, max: 4 }) }).chain(({ outputs, blocks }) => {
    const block = fc.record({
      heads: fc.array(half, { minLength: halves, maxLength: halves }),
      quants: fc.uint8Array({ minLength: blockBytes - 2 * halves, maxLength: blockBytes - 2 * halves }),
    });
    return fc.array(block, { minLength: outputs * blocks, maxLength: outputs * blocks }).map((all) => {
      const raw = new Uint8Array(all.length * blockBytes);
      all.forEach(({ heads, quants }, index) => {
        const bits = Uint16Array.from(heads, float32ToFloat16);
        raw.set(new Uint8Array(bits.buffer), index * blockBytes);
        raw.set(quants, index * blockBytes + 2 * halves);
      });
      return { raw, outputs, inputs: 32 * blocks };
    });
  });
}

/** The value at [output, input] that MatMulNBits would multiply by, and with it the offset of the block. */
function valueAt(
  { data, scales, blocks, offsets }: Pick<OffsetBlocks, "data" | "scales" | "blocks"> & Partial<OffsetBlocks>,
  bits: 4 | 8,
  outputs: number,
  output: number,
  input: number,
): number {
  const block = Math.floor(input / 32);
  const index = output * blocks + block;
  const within = input % 32;
  const byte = data[bits === 8 ? index * 32 + within : index * 16 + (within >> 1)]!;
  const quant = bits === 8 ? byte : within % 2 === 0 ? byte & 15 : byte >> 4;
  return scales[index]! * (quant - 2 ** (bits - 1)) + (offsets?.[block * outputs + output] ?? 0);
}

describe("repacked blocks", () => {
  const cases = [
    { type: "Q4_0", bits: 4, repack: repackQ4_0, tolerance: 0 },
    // m + 8d is rounded to fp32 once.
    { type: "Q4_1", bits: 4, repack: repackQ4_1, tolerance: 2 ** -22 },
    { type: "Q8_0", bits: 8, repack: repackQ8_0, tolerance: 0 },
  ] as const;
  for (const { type, bits, repack, tolerance } of cases) {
    test(`of ${type} equal the dequantised file${tolerance === 0 ? " exactly" : " to the rounding of the offset"}`, () => {
      fc.assert(
        fc.property(blocksOf(type), ({ raw, outputs, inputs }) => {
          const expected = dequantize(type, raw, outputs * inputs);
          const repacked = repack(raw, outputs, inputs);
          for (let output = 0; output < outputs; output++) {
            for (let input = 0; input < inputs; input++) {
              const value = valueAt(repacked, bits, outputs, output, input);
              const wanted = expected[output * inputs + input]!;
              assert.ok(Math.abs(value - wanted) <= tolerance * 8, `${value} at [${output}, ${input}] is not ${wanted}`);
            }
          }
        }),
        { numRuns: 60 },
      );
    });
  }
});
