/** @file Rotary frequencies against their papers' formulas, and tables against PyTorch's rounding. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { rotaryFrequencies, rotaryTables, type RotaryConfig } from "../../../src/architectures/decoder/rotary.ts";

const plain: RotaryConfig = { theta: 10_000, scaling: { kind: "none" } };

describe("rotary frequencies", () => {
  test("fall from one turn a radian by the powers of theta", () => {
    assert.deepEqual(Array.from(rotaryFrequencies(plain, 4)), [1, 0.01]);
    assert.deepEqual(
      Array.from(rotaryFrequencies({ ...plain, theta: 1e6 }, 6)).map((value) => Number(value.toPrecision(12))),
      [1, 0.01, 0.0001],
    );
  });

  test("of linear scaling are divided by the factor", () => {
    assert.deepEqual(Array.from(rotaryFrequencies({ ...plain, scaling: { kind: "linear", factor: 4 } }, 4)), [0.25, 0.0025]);
  });

  test("of Llama 3 are kept where waves are short, divided where they are long, and between them in between", () => {
    const scaling = { kind: "llama3", factor: 8, lowFrequencyFactor: 1, highFrequencyFactor: 4, originalContextLength: 8192 } as const;
    const before = rotaryFrequencies({ ...plain, theta: 500_000 }, 128);
    const scaled = rotaryFrequencies({ theta: 500_000, scaling }, 128);
    const kinds = new Set<string>();
    before.forEach((frequency, pair) => {
      const wavelength = (2 * Math.PI) / frequency;
      const value = scaled[pair]!;
      if (wavelength < 2048) assert.equal(value, frequency);
      else if (wavelength > 8192) assert.equal(value, frequency / 8);
      else assert.ok(value > frequency / 8 && value < frequency);
      kinds.add(wavelength < 2048 ? "short" : wavelength > 8192 ? "long" : "between");
      if (pair > 0) assert.ok(value < scaled[pair - 1]!);
    });
    assert.deepEqual(kinds, new Set(["short", "between", "long"]));
  });
});

test("rotary tables hold each position's cosines and sines, of angles rounded as PyTorch rounds them", () => {
  const { cos, sin } = rotaryTables(plain, 8, 8192);
  const frequencies = rotaryFrequencies(plain, 8);
  for (const position of [0, 1, 100, 8191]) {
    for (let pair = 0; pair < 4; pair++) {
      const angle = position * frequencies[pair]!;
      // At position 8191 the rounding of the angle to fp32 is worth 2^-11.
      assert.ok(Math.abs(cos[position * 4 + pair]! - Math.cos(angle)) < 1e-3);
      assert.ok(Math.abs(sin[position * 4 + pair]! - Math.sin(angle)) < 1e-3);
      assert.ok(Math.abs(cos[position * 4 + pair]! ** 2 + sin[position * 4 + pair]! ** 2 - 1) < 1e-6);
    }
  }
});
