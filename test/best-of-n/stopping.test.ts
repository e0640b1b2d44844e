/** @file When sampling stops: the expected gain against numerical integration, and the two rules by hand. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { expectedGain, isEnough } from "../../src/best-of-n/stopping.ts";

const none = { returned: 1, targetReward: undefined, sampleCost: undefined };

/** E[max(0, X - best)] of a normal X, by adding up rectangles. */
function integratedGain(mean: number, deviation: number, best: number): number {
  let sum = 0;
  const step = deviation / 1000;
  for (let x = best; x < mean + 9 * deviation; x += step) {
    const middle = x + step / 2;
    sum += ((middle - best) * Math.exp(-(((middle - mean) / deviation) ** 2) / 2) * step) / (deviation * Math.sqrt(2 * Math.PI));
  }
  return sum;
}

describe("the gain that is expected of one more sample", () => {
  test("is the integral over the normal distribution that prior and rewards give", () => {
    // No reward: the reference set itself. One of 1: mean 1/2, variance (1 + 1/4 + 1/4) / 2. Three: worked the same
    // way.
    for (const [rewards, mean, variance] of [
      [[], 0, 1],
      [[1], 0.5, 0.75],
      [[2, 2, 2], 1.5, (1 + 3 * 0.25 + 2.25) / 4],
    ] as const) {
      for (const best of [-2, 0, 0.5, 1, 3]) {
        const gain = expectedGain(rewards, best);
        assert.ok(Math.abs(gain - integratedGain(mean, Math.sqrt(variance), best)) < 1e-5, `${rewards.join()} ${best}: ${gain}`);
      }
    }
  });

  test("falls as the best grows, and is never negative beyond rounding", () => {
    let before = Infinity;
    for (let best = -3; best < 6; best += 0.25) {
      const gain = expectedGain([0.5, -1, 1], best);
      assert.ok(gain < before && gain > -1e-6);
      before = gain;
    }
  });
});

describe("enough", () => {
  test("are as many rewards at the target as are wanted back, and never fewer", () => {
    const rules = { ...none, targetReward: 1.5 };
    assert.equal(isEnough([], rules), false);
    assert.equal(isEnough([1.4], rules), false);
    assert.equal(isEnough([1.4, 1.5], rules), true);
    assert.equal(isEnough([3, 1.4], { ...rules, returned: 2 }), false);
    assert.equal(isEnough([3, 1.4, 1.6], { ...rules, returned: 2 }), true);
  });

  test("is a best that another sample is not expected to improve by its cost", () => {
    const rewards = [0.2, 1.8, -0.4];
    const gain = expectedGain(rewards, 1.8);
    assert.equal(isEnough(rewards, { ...none, sampleCost: gain * 1.01 }), true);
    assert.equal(isEnough(rewards, { ...none, sampleCost: gain * 0.99 }), false);
    assert.equal(isEnough(rewards, none), false);
  });

  test("comes sooner the more a sample costs, and keeps Pandora's promise on a known distribution", () => {
    // Rewards of the reference distribution itself, through its quantiles in an order without a pattern.
    const rewards = [0.1, -0.8, 0.6, 1.1, -0.2, -1.4, 1.7, 0.3, 2.2, -0.5, 0.9, 2.6];
    const stoppedAfter = (sampleCost: number): number => {
      for (let count = 1; count <= rewards.length; count++) if (isEnough(rewards.slice(0, count), { ...none, sampleCost })) return count;
      return Infinity;
    };
    const counts = [0.5, 0.2, 0.1, 0.05, 0.001].map(stoppedAfter);
    assert.deepEqual(
      counts,
      counts.toSorted((one, other) => one - other),
    );
    assert.ok(counts[0]! < counts[4]!);
  });
});
