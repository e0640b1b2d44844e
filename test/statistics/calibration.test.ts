/** @file Calibration of reward differences: worked bins, and labels drawn from the scores themselves. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { draw } from "../../src/random/seeded-draw.ts";
import { calibrationOf } from "../../src/statistics/calibration.ts";
import { sigmoid } from "../../src/statistics/logistic.ts";

const near = (actual: number, expected: number): void => assert.ok(Math.abs(actual - expected) <= 1e-9, `${actual}, not ${expected}`);

describe("calibration", () => {
  it("is worked out by bins of confidence", () => {
    const atConfidence = (confidence: number): number => Math.log(confidence / (1 - confidence));
    // Of two pairs at 0.62 one is right; of two at 0.97 both are.
    const { bins, expectedError } = calibrationOf([atConfidence(0.62), -atConfidence(0.62), atConfidence(0.97), atConfidence(0.97)]);
    assert.deepEqual(bins.map(({ count, accuracy }) => [count, accuracy]), [[2, 0.5], [2, 1]]); // prettier-ignore
    near(expectedError, (2 * 0.12 + 2 * 0.03) / 4);
  });

  it("is nearly perfect for the scores that drew the labels, and not for the same scores doubled", () => {
    const differences = Array.from({ length: 20_000 }, (_, index) => {
      const difference = 4 * draw(1, "coin", index, 0) - 2;
      return draw(1, "coin", index, 1) < sigmoid(difference) ? difference : -difference;
    });
    assert.ok(calibrationOf(differences).expectedError < 0.02);
    const doubled = calibrationOf(differences.map((difference) => 2 * difference));
    assert.ok(doubled.expectedError > 0.08 && doubled.bins.at(-1)!.confidence > doubled.bins.at(-1)!.accuracy);
  });
});
