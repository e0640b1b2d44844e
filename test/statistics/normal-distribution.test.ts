/** @file The normal distribution against published values, and its tail against its density. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { normalDensity, normalQuantile975, normalTail } from "../../src/statistics/normal-distribution.ts";

test("the tail is that of published tables, to 1e-7, on both sides", () => {
  // Abramowitz and Stegun 1964, table 26.1.
  for (const [x, below] of [
    [0, 0.5],
    [0.5, 0.69146_24613],
    [1, 0.84134_47461],
    [2, 0.97724_98681],
    [3, 0.99865_01020],
  ] as const) {
    assert.ok(Math.abs(normalTail(x) - (1 - below)) < 1e-7, `P(X > ${x})`);
    assert.ok(Math.abs(normalTail(-x) - below) < 1e-7, `P(X > -${x})`);
  }
});

test("the tail falls by the density", () => {
  const step = 1e-3;
  for (let x = -4; x < 4; x += 0.37) {
    const fall = (normalTail(x - step) - normalTail(x + step)) / (2 * step);
    assert.ok(Math.abs(fall - normalDensity(x)) < 2e-4, `density at ${x}`);
  }
});

test("the quantile of 95% intervals leaves 2.5% above it", () => {
  assert.ok(Math.abs(normalTail(normalQuantile975) - 0.025) < 1e-7);
});
