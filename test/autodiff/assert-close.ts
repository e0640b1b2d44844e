/** @file Compares computed numbers with those of an oracle. */

import assert from "node:assert/strict";

/** Largest difference as a share of the oracle's largest magnitude. */
export function relativeDifference(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  assert.equal(actual.length, expected.length, "lengths differ");
  let largest = 0;
  let difference = 0;
  for (let at = 0; at < expected.length; at++) {
    largest = Math.max(largest, Math.abs(expected[at]!));
    difference = Math.max(difference, Math.abs(actual[at]! - expected[at]!));
    if (Number.isNaN(actual[at]!)) difference = Infinity;
  }
  return difference === 0 ? 0 : difference / Math.max(largest, Number.MIN_VALUE);
}

export function assertClose(actual: ArrayLike<number>, expected: ArrayLike<number>, tolerance: number, what: string): void {
  const difference = relativeDifference(actual, expected);
  assert.ok(difference <= tolerance, `${what}: relative difference ${difference}, more than ${tolerance}`);
}
