/** @file Tests quantiles, medians and slopes. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { median, quantile, slope, spread } from "../../src/statistics/quantiles.ts";

const numbers = fc.array(fc.double({ min: -1e6, max: 1e6, noNaN: true }), { minLength: 1, maxLength: 40 });

describe("statistics", () => {
  it("gives the extremes as the first and the last quantile, and never leaves them", () => {
    fc.assert(
      fc.property(numbers, fc.double({ min: 0, max: 1, noNaN: true }), (values, share) => {
        const [least, most] = [Math.min(...values), Math.max(...values)];
        // Not assert.equal, to which 0 and -0 differ.
        assert.ok(quantile(values, 0) === least && quantile(values, 1) === most);
        const between = quantile(values, share);
        assert.ok(between >= least - 1e-9 && between <= most + 1e-9);
      }),
    );
  });

  it("takes the middle value, or the mean of the two in the middle, as median", () => {
    assert.equal(median([5, 1, 3]), 3);
    assert.equal(median([4, 1, 3, 2]), 2.5);
    assert.deepEqual(spread([5, 1, 3]), { median: 3, lowest: 1, highest: 5 });
    assert.throws(() => median([]), RangeError);
  });

  it("finds the slope of a line, and none of a single point", () => {
    fc.assert(
      fc.property(fc.integer({ min: -50, max: 50 }), fc.integer({ min: -50, max: 50 }), fc.integer({ min: 2, max: 30 }), (a, b, count) => {
        const points = Array.from({ length: count }, (_, x) => ({ x, y: a * x + b }));
        assert.ok(Math.abs(slope(points) - a) < 1e-6);
      }),
    );
    assert.equal(slope([{ x: 1, y: 2 }]), 0);
  });
});
