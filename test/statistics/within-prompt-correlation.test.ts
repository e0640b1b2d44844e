/** @file Correlation within prompts against Anscombe's published numbers, and by what must not change it. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { correlationOf, momentsWithin, slopeOf } from "../../src/statistics/within-prompt-correlation.ts";

type Pair = [first: number, second: number];

/** The first set of Anscombe 1973, "Graphs in statistical analysis": correlation 0.816, slope 0.500. */
const anscombe: Pair[] = [
  [10, 8.04],
  [8, 6.95],
  [13, 7.58],
  [9, 8.81],
  [11, 8.33],
  [14, 9.96],
  [6, 7.24],
  [4, 4.26],
  [12, 10.84],
  [7, 4.82],
  [5, 5.68],
];

describe("the correlation within prompts", () => {
  it("is Pearson's over the answers to one prompt", () => {
    const moments = momentsWithin([anscombe]);
    assert.equal(moments.count, 11);
    assert.equal(correlationOf(moments).toFixed(3), "0.816");
    assert.equal(slopeOf(moments).toFixed(3), "0.500");
  });

  it("is not changed by what sets prompts apart, nor by prompts with one answer", () => {
    const shifts = fc.array(fc.tuple(fc.integer({ min: -100, max: 100 }), fc.integer({ min: -100, max: 100 })), {
      minLength: 1,
      maxLength: 4,
    });
    fc.assert(
      fc.property(shifts, (prompts) => {
        const shifted = prompts.map(([right, up]) => anscombe.map(([x, y]): Pair => [x + right, y + up]));
        const moments = momentsWithin([...shifted, ...prompts.map((single): Pair[] => [single])]);
        assert.equal(moments.count, 11 * prompts.length);
        assert.ok(Math.abs(correlationOf(moments) - correlationOf(momentsWithin([anscombe]))) < 1e-9);
        assert.ok(Math.abs(slopeOf(moments) - slopeOf(momentsWithin([anscombe]))) < 1e-9);
      }),
    );
  });

  it("is none, and the slope 0, where the answers to a prompt do not differ", () => {
    const moments = momentsWithin([[[1, 2], [1, 3]], [[5, 2], [5, 7]]]); // prettier-ignore
    assert.ok(Number.isNaN(correlationOf(moments)));
    assert.equal(slopeOf(moments), 0);
  });
});
