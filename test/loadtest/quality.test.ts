/**
 * @file Tests the estimates of quality against all choices counted one by one, and the advice against cases worked by
 * hand.
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { chosenOfFirst, expectedBest, expectedSoft, rankWeights, winShare } from "../../loadtest/quality/best-of-estimate.ts";
import type { JudgedCandidate } from "../../loadtest/scenarios/quality.ts";

const candidate = (reward: number | null, gold: number): JudgedCandidate => ({ text: `${reward}/${gold}`, tokens: 1, reward, gold });
const gold = (of: JudgedCandidate): number => of.gold;

/** All subsets of n of the group. */
function subsets<T>(group: readonly T[], n: number): T[][] {
  if (n === 0) return [[]];
  return group.flatMap((first, index) => subsets(group.slice(index + 1), n - 1).map((rest) => [first, ...rest]));
}

describe("the expected best of n", () => {
  it("is the mean over all choices of n among the group, counted one by one", () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.integer({ min: -50, max: 50 }), { minLength: 1, maxLength: 8 }),
        fc.integer({ min: 1, max: 8 }),
        fc.infiniteStream(fc.integer({ min: 0, max: 100 })),
        (rewards, wanted, golds) => {
          const n = Math.min(wanted, rewards.length);
          const group = rewards.map((reward) => candidate(reward, golds.next().value as number));
          const means = subsets(group, n).map((some) => gold(some.toSorted((a, b) => b.reward! - a.reward!)[0]!));
          const counted = means.reduce((sum, value) => sum + value, 0) / means.length;
          assert.ok(Math.abs(expectedBest(group, n, gold) - counted) < 1e-9);
        },
      ),
    );
  });

  it("has weights that add up to 1, is the mean for n = 1 and the best for all", () => {
    for (const n of [1, 2, 7, 32]) assert.ok(Math.abs(rankWeights(32, n).reduce((a, b) => a + b, 0) - 1) < 1e-12);
    const group = [candidate(1, 0.2), candidate(3, 0.9), candidate(2, 0.4)];
    assert.ok(Math.abs(expectedBest(group, 1, gold) - 0.5) < 1e-12);
    assert.ok(Math.abs(expectedBest(group, 3, gold) - 0.9) < 1e-12);
  });

  it("chooses a candidate without a reward only where there is no other", () => {
    const group = [candidate(null, 1), candidate(-5, 0.1)];
    assert.equal(chosenOfFirst(group, 2).gold, 0.1);
    assert.equal(chosenOfFirst(group, 1).gold, 1);
    assert.equal(expectedBest(group, 2, gold), 0.1);
  });
});

describe("the expectation of soft selection", () => {
  it("is a softmax of the rewards, averaged over the groups of n", () => {
    const group = [candidate(0, 0), candidate(Math.log(3), 1), candidate(0, 0.5), candidate(0, 0.7)];
    // Among the first two 3/4; among the next two the mean 0.6.
    assert.ok(Math.abs(expectedSoft(group, 2, 1, gold) - (0.75 + 0.6) / 2) < 1e-12);
  });

  it("tends to the best reward for a small temperature and to the mean for a large one", () => {
    const group = [candidate(1, 0.2), candidate(3, 0.9), candidate(2, 0.4)];
    assert.ok(Math.abs(expectedSoft(group, 3, 1e-3, gold) - 0.9) < 1e-9);
    assert.ok(Math.abs(expectedSoft(group, 3, 1e6, gold) - 0.5) < 1e-5);
  });
});

describe("the share of wins", () => {
  it("counts a tie as a half", () => {
    assert.equal(winShare(0.5, [0.4, 0.5, 0.6, 0.1]), 0.625);
  });
});
