/** @file Mean and deviation against a worked example, and against the deviation by differences of pairs. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { meanOf, standardDeviation } from "../../src/statistics/moments.ts";

test("the mean and the deviation of a worked example are right, and those of nothing are none", () => {
  const values = [2, 4, 4, 4, 5, 5, 7, 9];
  assert.deepEqual([meanOf(values), standardDeviation(values)], [5, 2]);
  assert.ok(Number.isNaN(meanOf([])) && Number.isNaN(standardDeviation([])));
});

test("the variance is half the mean square of the differences of all pairs", () => {
  const numbers = fc.array(fc.double({ min: -1e3, max: 1e3, noNaN: true }), { minLength: 1, maxLength: 20 });
  fc.assert(
    fc.property(numbers, (values) => {
      const squares = values.flatMap((one) => values.map((other) => (one - other) ** 2));
      const variance = meanOf(squares) / 2;
      assert.ok(Math.abs(standardDeviation(values) ** 2 - variance) <= 1e-9 * (1 + variance));
    }),
  );
});
