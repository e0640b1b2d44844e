/** @file Intervals of means and shares against published values, worked cases and naive computations. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { draw } from "../../src/random/seeded-draw.ts";
import { estimateMean, shareOf, successOf, wilsonInterval } from "../../src/statistics/intervals.ts";

const near = (actual: number, expected: number, tolerance = 1e-9): void =>
  assert.ok(Math.abs(actual - expected) <= tolerance, `${actual}, not ${expected}`);

describe("a mean", () => {
  it("has the margin of the textbook: 1.96 standard errors, by the unbiased variance", () => {
    // Deviations from 5: squares add up to 32, over 7 degrees of freedom.
    const { mean, margin } = estimateMean([2, 4, 4, 4, 5, 5, 7, 9]);
    assert.equal(mean, 5);
    near(margin, 1.96 * Math.sqrt(32 / 7 / 8));
  });

  it("of one value has no margin", () => {
    assert.deepEqual(estimateMean([3]), { mean: 3, margin: 0 });
  });
});

describe("a share", () => {
  it("has Wilson's interval where each prompt is one case", () => {
    // By the formula, in Python.
    const { low, high } = wilsonInterval(8, 10);
    near(low, 0.4901624715, 1e-9);
    near(high, 0.9433178485, 1e-9);
    near(wilsonInterval(0, 10).high, 0.2775327999, 1e-9);
    assert.equal(wilsonInterval(0, 10).low, 0);
    near(wilsonInterval(85, 100).low, 0.7671644041, 1e-9);
    const cases = Array.from({ length: 10 }, (_, prompt) => ({ prompt, success: prompt < 8 ? 1 : 0 }));
    assert.deepEqual(shareOf(cases), { share: 0.8, cases: 10, prompts: 10, low, high, interval: "Wilson" });
  });

  it("has the interval of the prompts, and not of their many cases, where prompts have several", () => {
    const prompts = Array.from({ length: 200 }, (_, prompt) => ({ prompt, success: draw(1, "coin", prompt) < 0.7 ? 1 : 0 }));
    const once = shareOf(prompts);
    const tenfold = shareOf(prompts.flatMap((one) => Array.from({ length: 10 }, () => one)));
    assert.deepEqual([tenfold.share, tenfold.cases, tenfold.prompts, tenfold.interval], [once.share, 2000, 200, "bootstrap"]);
    near(tenfold.low, once.low, 0.015);
    near(tenfold.high, once.high, 0.015);
  });

  it("has the same bootstrap interval in every run and on every machine", () => {
    const successes = [1, 0, 1, 0.5, 1, 1, 0, 1, 1, 0.5, 1, 1];
    const { low, high } = shareOf(successes.map((success, place) => ({ success, prompt: Math.floor(place / 2) })), 7); // prettier-ignore
    assert.deepEqual([low.toFixed(6), high.toFixed(6)], ["0.583333", "0.916667"]);
  });

  it("lies in its interval, whatever the cases", () => {
    const cases = fc.array(fc.record({ success: fc.constantFrom(0, 0.5, 1), prompt: fc.nat(8) }), { minLength: 1, maxLength: 40 });
    fc.assert(
      fc.property(cases, (all) => {
        const { share, low, high } = shareOf(all);
        assert.ok(0 <= low && low <= share + 0.2 && share - 0.2 <= high && high <= 1);
      }),
    );
  });
});

describe("a success", () => {
  it("is a difference of the wanted sign, and half a success without a difference", () => {
    assert.deepEqual([successOf(0.1, 1), successOf(-0.1, 1), successOf(-3, -1), successOf(0, -1)], [1, 0, 1, 0.5]);
  });
});
