/** @file The 16-bit floats against their definition, for all 65,536 values and for random fp32 ones. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";

import {
  bfloat16ArrayToFloat32,
  bfloat16ToFloat32,
  float16ArrayToFloat32,
  float16ToFloat32,
  float32ArrayToBfloat16,
  float32ArrayToFloat16,
  float32ToBfloat16,
  float32ToFloat16,
} from "../../src/tensor/half.ts";

/** IEEE 754-2019 section 3.4, for an exponent and a fraction of the given widths. */
function valueByDefinition(bits: number, exponentBits: number, fractionBits: number): number {
  const sign = bits >>> (exponentBits + fractionBits) === 0 ? 1 : -1;
  const exponent = (bits >>> fractionBits) & (2 ** exponentBits - 1);
  const fraction = (bits & (2 ** fractionBits - 1)) / 2 ** fractionBits;
  const bias = 2 ** (exponentBits - 1) - 1;
  if (exponent === 2 ** exponentBits - 1) return fraction === 0 ? sign * Infinity : NaN;
  return exponent === 0 ? sign * fraction * 2 ** (1 - bias) : sign * (1 + fraction) * 2 ** (exponent - bias);
}

/** The nearest of all finite values and infinity, ties to the even one, by looking at each. */
function nearestByDefinition(value: number, exponentBits: number, fractionBits: number): number {
  const magnitude = Math.abs(value);
  const infinity = (2 ** exponentBits - 1) * 2 ** fractionBits;
  let low = 0;
  let high = infinity;
  // Magnitudes grow with their bits; infinity stands where the next value would be.
  const valueOf = (bits: number): number =>
    bits === infinity ? 2 ** (2 ** (exponentBits - 1)) : valueByDefinition(bits, exponentBits, fractionBits);
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (valueOf(middle) <= magnitude) low = middle;
    else high = middle;
  }
  const below = magnitude - valueOf(low);
  const above = valueOf(high) - magnitude;
  const nearest = below < above || (below === above && low % 2 === 0) ? low : high;
  return (value < 0 || Object.is(value, -0) ? 2 ** (exponentBits + fractionBits) : 0) + nearest;
}

const formats = [
  { name: "binary16", toFloat: float16ToFloat32, fromFloat: float32ToFloat16, exponentBits: 5, fractionBits: 10 },
  { name: "bfloat16", toFloat: bfloat16ToFloat32, fromFloat: float32ToBfloat16, exponentBits: 8, fractionBits: 7 },
];

for (const { name, toFloat, fromFloat, exponentBits, fractionBits } of formats) {
  test(`every ${name} value has the fp32 value of its definition, and comes back`, () => {
    for (let bits = 0; bits < 65536; bits++) {
      const value = toFloat(bits);
      const expected = valueByDefinition(bits, exponentBits, fractionBits);
      assert.ok(Object.is(value, expected), `bits ${bits}: ${value} instead of ${expected}`);
      if (Number.isNaN(value)) assert.ok(Number.isNaN(toFloat(fromFloat(value))));
      else assert.equal(fromFloat(value), bits);
    }
  });

  test(`an fp32 value rounds to the nearest ${name} value, ties to even`, () => {
    const values = fc.oneof(
      fc.float({ noNaN: true, noDefaultInfinity: true }),
      fc.float({ min: -70000, max: 70000, noNaN: true }),
      fc.float({ min: Math.fround(-1e-4), max: Math.fround(1e-4), noNaN: true }),
    );
    fc.assert(
      fc.property(values, (value) => assert.equal(fromFloat(value), nearestByDefinition(value, exponentBits, fractionBits))),
      { numRuns: 3000 },
    );
  });

  test(`the middle between two ${name} values rounds to the even one, and a hair above it up`, () => {
    const largest = (2 ** exponentBits - 1) * 2 ** fractionBits - 2;
    for (let bits = 0; bits <= largest; bits += 7) {
      const middle = (toFloat(bits) + toFloat(bits + 1)) / 2;
      if (Math.fround(middle) !== middle) continue;
      assert.equal(fromFloat(middle), bits % 2 === 0 ? bits : bits + 1);
      assert.equal(fromFloat(-middle), 0x8000 + (bits % 2 === 0 ? bits : bits + 1));
    }
  });
}

test("whole arrays convert as their elements do", () => {
  fc.assert(
    fc.property(fc.uint16Array({ maxLength: 50 }), fc.float32Array({ maxLength: 50, noNaN: true }), (bits, floats) => {
      assert.deepEqual(Array.from(float16ArrayToFloat32(bits)), Array.from(bits, float16ToFloat32));
      assert.deepEqual(Array.from(bfloat16ArrayToFloat32(bits)), Array.from(bits, bfloat16ToFloat32));
      assert.deepEqual(Array.from(float32ArrayToFloat16(floats)), Array.from(floats, float32ToFloat16));
      assert.deepEqual(Array.from(float32ArrayToBfloat16(floats)), Array.from(floats, float32ToBfloat16));
    }),
  );
});
