/**
 * @file The schedule that measurements allow, against a simulation of its own, and the measurement against rewards of a
 * known correlation.
 */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { AutomaticSchedules, automaticSchedule, sampledShare } from "../../../src/best-of-n/pruning/automatic-schedule.ts";
import { measurePrefixes, perfectPrefixes, type MeasuredAnswer } from "../../../src/evaluation/prefixes/prefix-correlation.ts";
import { keptOfRunning, type TokenStage } from "../../../src/best-of-n/pruning/schedule.ts";
import { uniform } from "../../../src/random/philox.ts";
import type { PrefixMeasurement } from "../../../src/engine/contract/reward-description.ts";

/** Standard normal numbers of one seed, one after the other. */
class Normals {
  readonly #seed: number;
  #draw = 0;

  constructor(seed: number) {
    this.#seed = seed;
  }

  next(): number {
    const [one, other] = [uniform(this.#seed, this.#draw++), uniform(this.#seed, this.#draw++)];
    return Math.sqrt(-2 * Math.log(1 - one)) * Math.cos(2 * Math.PI * other);
  }
}

const measured = (meanTokens: number, correlations: readonly (readonly [tokens: number, correlation: number])[]): PrefixMeasurement => ({
  reference: "made up",
  meanTokens,
  correlations: correlations.map(([tokens, correlation]) => ({ tokens, correlation })),
});

/** Plays a schedule forwards: a prefix's reward is a sum of what was seen so far, as of a random walk. */
function play(
  { meanTokens, correlations }: PrefixMeasurement,
  stages: readonly TokenStage[],
  candidates: number,
): { gain: number; tokens: number } {
  const normals = new Normals(99);
  const rounds = 4000;
  let [pruned, unpruned, tokens] = [0, 0, 0];
  for (let round = 0; round < rounds; round++) {
    // A walk whose value at a length has variance correlation^2 has that correlation with its value at the end, of
    // variance 1.
    const walks = Array.from({ length: candidates }, () => {
      let [value, variance] = [0, 0];
      const values = correlations.map(({ correlation }) => {
        value += Math.sqrt(correlation ** 2 - variance) * normals.next();
        variance = correlation ** 2;
        return value;
      });
      return { values, final: value + Math.sqrt(1 - variance) * normals.next() };
    });
    unpruned += Math.max(...walks.map(({ final }) => final));
    let left = walks;
    let at = 0;
    for (const stage of stages) {
      tokens += left.length * (stage.tokens - at);
      at = stage.tokens;
      const place = correlations.findIndex((one) => one.tokens === stage.tokens);
      const kept = keptOfRunning(stage.keep, left.length, 0, 1);
      left = left.toSorted((one, other) => other.values[place]! - one.values[place]!).slice(0, kept);
    }
    tokens += left.length * (meanTokens - at);
    pruned += Math.max(...left.map(({ final }) => final));
  }
  return { gain: pruned / unpruned, tokens: tokens / (rounds * candidates * meanTokens) };
}

describe("an automatic schedule", () => {
  const good = measured(100, [
    [10, 0.4],
    [25, 0.7],
    [50, 0.9],
    [75, 0.97],
  ]);

  test("keeps the gain that it promises, on a simulation of its own, and saves tokens", () => {
    for (const candidates of [4, 8, 16, 32]) {
      const stages = automaticSchedule(good, candidates, 1);
      const { gain, tokens } = play(good, stages, candidates);
      assert.ok(stages.length > 0 && gain > 0.97, `N ${candidates}: ${JSON.stringify(stages)} keeps ${gain}`);
      assert.ok(tokens < 0.8, `N ${candidates}: ${tokens} of the tokens`);
      if (candidates === 16) assert.ok(tokens <= 0.5, `${tokens} of the tokens`);
    }
  });

  test("prunes more the more the prefixes tell, and not at all where they tell nothing", () => {
    const tokensAt = (correlation: number): number => {
      const one = measured(100, [[25, correlation]]);
      return play(one, automaticSchedule(one, 16, 1), 16).tokens;
    };
    const shares = [0.95, 0.8, 0.6, 0.05].map(tokensAt);
    assert.deepEqual(
      shares,
      shares.toSorted((one, other) => one - other),
    );
    assert.ok(shares[0]! < 0.5);
    assert.equal(shares[3], 1);
    assert.deepEqual(automaticSchedule(measured(100, [[25, -0.5]]), 16, 1), []);
  });

  test("is the same for the same arguments, leaves what is wanted back, and has no stage at or after the mean length", () => {
    assert.deepEqual(automaticSchedule(good, 16, 1), automaticSchedule(good, 16, 1));
    assert.deepEqual(automaticSchedule(good, 4, 4), []);
    assert.deepEqual(automaticSchedule(measured(20, [[25, 0.99]]), 16, 1), []);
    for (const stage of automaticSchedule(good, 16, 4)) assert.ok(stage.tokens < 100 && stage.keep < 1);
  });

  test("is searched once for a server, in pieces that let other work run, and is the one that is found at once", async () => {
    const schedules = new AutomaticSchedules();
    const search = new AbortController();
    let turns = 0;
    const others = (async () => {
      for (; !search.signal.aborted; turns++) await nextTurn();
    })();
    const found = await schedules.of(good, 64, 1);
    search.abort();
    await others;
    // One turn for each of the 128 simulated groups, and one for each schedule that was tried.
    assert.ok(turns > 128, `${turns} turns of the event loop`);
    assert.deepEqual(found, automaticSchedule(good, 64, 1));
    for (const [candidates, returned] of [
      [5, 1],
      [16, 3],
      [33, 1],
    ] as const) {
      assert.deepEqual(await schedules.of(good, candidates, returned), automaticSchedule(good, candidates, returned));
    }
    assert.equal(schedules.of(good, 33, 1), schedules.of(good, 64, 1));
  });

  test("samples the prefixes of all, and the rest of those that go on", () => {
    assert.equal(sampledShare([], 16, 100), 1);
    // 16 to 25 tokens, 8 to 50, 2 to the end.
    const stages = [
      { tokens: 25, keep: 0.5 },
      { tokens: 50, keep: 0.25 },
    ];
    assert.equal(sampledShare(stages, 16, 100), (16 * 25 + 8 * 25 + 2 * 50) / 1600);
  });
});

describe("the measurement of prefixes", () => {
  /** Answers whose prefixes have this correlation with the whole; prompts differ by far more than answers. */
  function answersTo(prompt: number, correlation: number, count: number): MeasuredAnswer[] {
    const normals = new Normals(1000 + prompt);
    return Array.from({ length: count }, (_, index) => {
      const reward = normals.next();
      const prefix = correlation * reward + Math.sqrt(1 - correlation ** 2) * normals.next();
      const isLong = index % 2 === 0;
      return {
        tokens: isLong ? 60 : 20,
        reward: 50 * prompt + reward,
        prefixRewards: [20 * prompt + prefix, isLong ? 3 * prompt + prefix : undefined],
      };
    });
  }

  test("is the correlation among answers to one prompt, whatever sets prompts apart", () => {
    for (const correlation of [0.8, 0.3, -0.4]) {
      const prompts = Array.from({ length: 100 }, (_, prompt) => answersTo(prompt, correlation, 16));
      const { meanTokens, correlations, reference } = measurePrefixes(prompts, [10, 30], "made up");
      assert.deepEqual([meanTokens, reference, correlations.map(({ tokens }) => tokens)], [40, "made up", [10, 30]]);
      for (const found of correlations) assert.ok(Math.abs(found.correlation - correlation) < 0.07, `${found.correlation}`);
    }
  });

  test("knows what a perfect judge would, from other answers of the same beginnings", () => {
    // A reward is what the beginning decides plus what comes after it: the first has the correlation `known` with the
    // sum.
    for (const known of [0.9, 0.5, 0]) {
      const prompts = Array.from({ length: 150 }, (_, prompt) => {
        const normals = new Normals(5000 + prompt);
        return Array.from({ length: 16 }, (): MeasuredAnswer => {
          const beginning = 20 * prompt + known * normals.next();
          const ended = (): number => beginning + Math.sqrt(1 - known ** 2) * normals.next();
          // The reward model itself knows nothing of beginnings; the first length no answer has.
          return {
            tokens: 40,
            reward: ended(),
            prefixRewards: [undefined, normals.next()],
            continuedRewards: [undefined, (ended() + ended()) / 2],
          };
        });
      });
      const own = measurePrefixes(prompts, [8, 10], "made up");
      const perfect = perfectPrefixes(prompts, [8, 10], own);
      assert.deepEqual([perfect.meanTokens, perfect.reference, perfect.correlations.map(({ tokens }) => tokens)], [40, "made up", [10]]);
      assert.ok(Math.abs(own.correlations[0]!.correlation) < 0.1);
      // The root of a covariance near nothing is coarse.
      assert.ok(
        Math.abs(perfect.correlations[0]!.correlation - known) < (known === 0 ? 0.25 : 0.05),
        `${perfect.correlations[0]!.correlation}`,
      );
    }
  });

  test("says nothing of lengths that few answers have, or where all rewards are the same", () => {
    const few = [answersTo(1, 0.5, 16)];
    assert.deepEqual(measurePrefixes(few, [10, 30], "few").correlations, []);
    const same = Array.from({ length: 40 }, () => [0, 1].map((reward) => ({ tokens: 9, reward, prefixRewards: [1] })));
    assert.deepEqual(measurePrefixes(same, [5], "same").correlations, []);
    const lost = Array.from({ length: 40 }, () => [1, 2].map((reward) => ({ tokens: 9, reward: undefined, prefixRewards: [reward] })));
    assert.deepEqual(measurePrefixes(lost, [5], "lost").correlations, []);
  });
});
