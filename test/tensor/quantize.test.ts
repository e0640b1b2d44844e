/**
 * @file Quantised weights against the definition: each value is its block's or channel's scale times the nearest
 * integer.
 */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { blockSizeFor, largestPair, quantizeBlocks8, quantizeChannels8 } from "../../src/tensor/quantize.ts";
import { transpose } from "../../src/tensor/transpose.ts";

/** Magnitudes of weights, zeros and whole rows of zeros among them. */
const weight = fc.oneof(
  fc.constant(0),
  fc.float({ min: Math.fround(-4), max: Math.fround(4), noNaN: true }).filter((value) => Math.abs(value) > 1e-20),
);

const matrix = fc
  .record({ outputs: fc.integer({ min: 1, max: 70 }), inputs: fc.integer({ min: 1, max: 70 }) })
  .chain(({ outputs, inputs }) =>
    fc.record({
      outputs: fc.constant(outputs),
      inputs: fc.constant(inputs),
      weights: fc.array(weight, { minLength: outputs * inputs, maxLength: outputs * inputs }).map((values) => Float32Array.from(values)),
    }),
  );

/** The scale of values that share one, and how far from each its quantised form may be. */
function scaleOf(values: readonly number[]): { scale: number; tolerance: number } {
  const scale = Math.fround(Math.max(...values.map(Math.abs)) / 127);
  return { scale, tolerance: scale * 0.5 * (1 + 1e-6) };
}

describe("8-bit blocks", () => {
  test("hold each weight to within half a step of its block's scale", () => {
    fc.assert(
      fc.property(matrix, fc.constantFrom(32, 64, undefined), ({ outputs, inputs, weights }, given) => {
        const blockSize = given ?? blockSizeFor(inputs);
        const { data, scales, blocks } = quantizeBlocks8(weights, outputs, inputs, given);
        assert.equal(blocks, Math.ceil(inputs / blockSize));
        assert.equal(data.length, outputs * blocks * blockSize);
        for (let output = 0; output < outputs; output++) {
          for (let block = 0; block < blocks; block++) {
            const row = Array.from(weights.subarray(output * inputs, (output + 1) * inputs));
            const values = row.slice(block * blockSize, (block + 1) * blockSize);
            const { scale, tolerance } = scaleOf(values);
            assert.equal(scales[output * blocks + block], scale);
            for (let at = 0; at < blockSize; at++) {
              const quantised = scale * (data[(output * blocks + block) * blockSize + at]! - 128);
              // Past the row's end are zeros.
              assert.ok(Math.abs(quantised - (values[at] ?? 0)) <= tolerance, `output ${output}, input ${block * blockSize + at}`);
            }
          }
        }
      }),
      { numRuns: 40 },
    );
  });
});

describe("8-bit channels", () => {
  test("hold each weight to within half a step of its output's scale, outputs along the columns, and neighbours to what 16 bits hold", () => {
    fc.assert(
      fc.property(matrix, ({ outputs, inputs, weights }) => {
        const { data, scales } = quantizeChannels8(weights, outputs, inputs);
        for (let output = 0; output < outputs; output++) {
          const values = Array.from(weights.subarray(output * inputs, (output + 1) * inputs));
          // Two neighbours share a scale as their sum does, where they have one sign.
          const sums = values.map((value, input) => (input % 2 === 0 ? value + (values[input + 1] ?? 0) : value));
          const { scale, tolerance } = scaleOf([...values, ...sums]);
          assert.equal(scales[output], scale);
          for (let input = 0; input + 1 < inputs; input += 2) {
            const [first, second] = [data[input * outputs + output]!, data[(input + 1) * outputs + output]!];
            assert.ok(Math.abs(first + second) <= largestPair, `output ${output}, inputs ${input} and ${input + 1}`);
          }
          values.forEach((value, input) => {
            const quantised = data[input * outputs + output]!;
            assert.ok(Math.abs(quantised) <= 127);
            assert.ok(Math.abs(scale * quantised - value) <= tolerance, `output ${output}, input ${input}`);
          });
        }
      }),
      { numRuns: 40 },
    );
  });
});

test("transposing puts the value of each row and column at that column and row, whatever the tiles", () => {
  for (const [rows, columns] of [
    [1, 1],
    [3, 130],
    [64, 64],
    [65, 129],
  ] as const) {
    const values = Float32Array.from({ length: rows * columns }, (_, at) => at);
    const transposed = transpose(values, rows, columns);
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++) assert.equal(transposed[column * rows + row], values[row * columns + column]);
    }
  }
});
