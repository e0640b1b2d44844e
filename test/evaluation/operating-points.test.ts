/**
 * @file Tests what is advised for a budget, and the points that no other beats, on cases worked by hand and against a
 * naive search.
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { adviseFor, paretoFrontier, type OperatingPoint } from "../../src/evaluation/operating-points.ts";

function point(id: string, p90: number, mean: number, margin = 0.01): OperatingPoint {
  return {
    id,
    title: id,
    model: "policy",
    rewardModel: "judge",
    bestOf: 1,
    pruned: false,
    prune: null,
    latencyMs: { p50: p90 / 2, p90, p99: p90 * 2, measured: 10 },
    tokensGenerated: p90,
    gold: { mean, low: mean - margin, high: mean + margin },
    winRate: { mean: 0.5, low: 0.4, high: 0.6 },
  };
}

const points = [point("fast", 50, 0.4), point("middle", 200, 0.5), point("slow", 900, 0.7), point("wasteful", 800, 0.45)];

describe("advice for a latency budget", () => {
  it("is the surest gold score that comes in time, and names what more time would buy", () => {
    const advice = adviseFor(points, 850, "p90");
    assert.equal(advice?.chosen.id, "middle");
    assert.equal(advice.beyond?.id, "slow");
    assert.equal(advice.fasterWithinNoise, undefined);
  });

  it("goes by the percentile that is asked for", () => {
    assert.equal(adviseFor(points, 500, "p50")?.chosen.id, "slow");
    assert.equal(adviseFor(points, 500, "p99")?.chosen.id, "middle");
  });

  it("names a faster one that the chosen one's interval holds", () => {
    const noisy = [point("fast", 50, 0.485), point("slow", 200, 0.52, 0.04)];
    assert.equal(adviseFor(noisy, 1000, "p90")?.fasterWithinNoise?.id, "fast");
    assert.equal(adviseFor(noisy, 1000, "p90")?.beyond, undefined);
  });

  it("does not go by a mean that few prompts have made high", () => {
    const noisy = [point("sure", 200, 0.5), point("lucky", 100, 0.53, 0.08)];
    assert.equal(adviseFor(noisy, 1000, "p90")?.chosen.id, "sure");
    assert.equal(adviseFor(noisy, 150, "p90")?.chosen.id, "lucky");
  });

  it("is none where nothing is that fast", () => {
    assert.equal(adviseFor(points, 49, "p90"), undefined);
  });
});

describe("the frontier", () => {
  it("holds exactly the points that no other beats, of any points", () => {
    const anyPoints = fc.array(fc.tuple(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 0, max: 20 })), { minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(anyPoints, (pairs) => {
        const all = pairs.map(([cost, mean], index) => point(String(index), cost, mean));
        const cost = ({ latencyMs }: OperatingPoint): number => latencyMs.p90;
        const isBeaten = (one: OperatingPoint): boolean =>
          all.some(
            (other) =>
              cost(other) <= cost(one) && other.gold.mean >= one.gold.mean && (cost(other) < cost(one) || other.gold.mean > one.gold.mean),
          );
        const key = (one: OperatingPoint): string => `${cost(one)} ${one.gold.mean}`;
        const frontier = paretoFrontier(all, cost, ({ gold }) => gold.mean);
        assert.deepEqual(new Set(frontier.map(key)), new Set(all.filter((one) => !isBeaten(one)).map(key)));
      }),
    );
  });
});
