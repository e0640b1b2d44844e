/** @file Tests quantiles, medians and slopes. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { slope } from "../../src/statistics/least-squares.ts";
import { median, quantile, spread, upperMedian } from "../../src/statistics/quantiles.ts";

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

  it("takes the greater of the two in the middle as upper median", () => {
    assert.equal(upperMedian([4, 1, 3, 2]), 3);
    assert.equal(upperMedian([5, 1, 3]), 3);
    assert.equal(upperMedian([]), undefined);
  });

  it("finds the extremes of more values than one call takes arguments", () => {
    const many = Array.from({ length: 200_000 }, (_, place) => place);
    assert.deepEqual(spread(many), { median: 99_999.5, lowest: 0, highest: 199_999 });
  });

  it("interpolates between ranks as R's default does", () => {
    // quantile(c(1, 2, 4, 8), c(0.1, 0.25, 0.9)) in R.
    assert.deepEqual(
      [quantile([8, 1, 4, 2], 0.1), quantile([8, 1, 4, 2], 0.25)].map((x) => x.toFixed(12)),
      ["1.300000000000", "1.750000000000"],
    );
    assert.equal(quantile([8, 1, 4, 2], 0.9).toFixed(12), "6.800000000000");
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
