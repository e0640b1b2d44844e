/**
 * @file The decisions of a set of candidates, against a twin that knows everything at once, however late scores and
 * drops are.
 */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { CandidateSet, type CandidateSetRules, type TextKind } from "../../src/best-of-n/candidate-set.ts";
import { rankByScore } from "../../src/best-of-n/strategies/ranking.ts";
import { keptOfRunning } from "../../src/best-of-n/pruning/schedule.ts";
import { isEnough } from "../../src/best-of-n/stopping.ts";
import { candidateSeed, uniform } from "../../src/random/philox.ts";

const plain: CandidateSetRules = {
  candidates: 4,
  returned: 1,
  seed: 7,
  stages: [],
  scoredBy: "reward",
  targetReward: undefined,
  sampleCost: undefined,
  hasPrefixModel: false,
};

const delta = (index: number, text: string, logprobSum?: number) => ({ type: "delta" as const, index, text, tokenIds: [1], logprobSum });

/** Candidates of these lengths, a letter a token, whose texts tell them apart only by `kind`. */
interface Script {
  lengths: readonly number[];
  kinds: readonly number[];
  rewardSeed: number;
}

const textOf = (kind: number, tokens: number): string => String.fromCodePoint(97 + kind).repeat(tokens);

/** A reward for each text; some have none. */
function rewardOf({ rewardSeed }: Script, text: string): number | undefined {
  const draw = uniform(rewardSeed + text.codePointAt(0)!, text.length);
  return draw < 0.1 ? undefined : Math.round((draw - 0.5) * 60) / 10;
}

/** What the judge of prefixes says, who is another one where they are judged apart. */
const prefixReward = (script: Script, text: string, { hasPrefixModel }: CandidateSetRules): number | undefined =>
  rewardOf(hasPrefixModel ? { ...script, rewardSeed: script.rewardSeed + 1000 } : script, text);

/** How each candidate ends, by one who sees all answers and rewards from the start. */
function endsAtOnce(script: Script, rules: CandidateSetRules): string[] {
  const { lengths, kinds } = script;
  const ends: string[] = lengths.map(() => "stop");
  const alive = new Set(lengths.keys());
  const seen = new Set<number>();
  const hasStopping = rules.targetReward !== undefined || rules.sampleCost !== undefined;
  for (let tokens = 1; tokens <= Math.max(...lengths); tokens++) {
    const group = [...alive].filter((index) => lengths[index] === tokens);
    if (hasStopping && group.length > 0) {
      for (const index of group) seen.add(index);
      const rewards = [...seen]
        .map((index) => rewardOf(script, textOf(kinds[index]!, lengths[index]!)))
        .filter((reward) => reward !== undefined);
      if (isEnough(rewards, rules)) {
        for (const index of alive) if (!seen.has(index)) ends[index] = "early_stop";
        return ends;
      }
    }
    const stage = rules.stages.find((one) => one.tokens === tokens);
    const running = [...alive].filter((index) => lengths[index]! > tokens);
    if (stage === undefined || running.length === 0) continue;
    const kept = keptOfRunning(stage.keep, running.length, alive.size - running.length, rules.returned);
    const scored = running.map((index) => ({ index, score: prefixReward(script, textOf(kinds[index]!, tokens), rules) }));
    if (scored.every(({ score }) => score === undefined)) continue;
    for (const { index } of rankByScore(scored).slice(kept)) {
      ends[index] = "pruned";
      alive.delete(index);
    }
  }
  return ends;
}

/** Plays a script, with scores and drops that arrive late by what `delays` draws. */
function play(script: Script, rules: CandidateSetRules, delaySeed: number): { set: CandidateSet; asked: string[]; steps: number } {
  const set = new CandidateSet(rules);
  const asked: string[] = [];
  let draws = 0;
  const late = (): number => Math.floor(uniform(delaySeed, draws++) * 9);
  const scores: { of: TextKind; text: string; due: number }[] = [];
  const drops: { index: number; due: number }[] = [];
  const rows = new Set(script.lengths.keys());
  let step = 0;
  while (!set.isSettled || rows.size > 0) {
    assert.ok(++step < 500, "never settled");
    for (const index of drops.filter(({ due }) => due <= step).map((drop) => drop.index)) {
      if (rows.delete(index)) set.finish(index, "dropped");
    }
    for (const index of rows) {
      const candidate = set.candidates[index]!;
      set.append(delta(index, textOf(script.kinds[index]!, 1)));
      if (candidate.generatedTokens === script.lengths[index]) {
        set.finish(index, "stop");
        rows.delete(index);
      }
      // Decisions may be taken in the middle of a step.
      set.decide();
    }
    for (const { of, text } of scores.filter(({ due }) => due <= step))
      set.setReward(of, text, of === "answers" ? rewardOf(script, text) : prefixReward(script, text, rules));
    set.decide();
    drops.push(...set.takeDropped().map((index) => ({ index, due: step + late() })));
    const unscored = set.takeUnscored();
    for (const of of ["answers", "prefixes"] as const) {
      for (const text of unscored[of]) {
        asked.push(rules.hasPrefixModel ? `${of} ${text}` : text);
        scores.push({ of, text, due: step + late() });
      }
    }
  }
  return { set, asked, steps: step };
}

const scripts = fc.integer({ min: 1, max: 8 }).chain((count) =>
  fc.record({
    lengths: fc.array(fc.integer({ min: 1, max: 40 }), { minLength: count, maxLength: count }),
    kinds: fc.array(fc.integer({ min: 0, max: 3 }), { minLength: count, maxLength: count }),
    rewardSeed: fc.integer({ min: 0, max: 1e6 }),
  }),
);
const rulesets = fc.record({
  returned: fc.integer({ min: 1, max: 3 }),
  stages: fc
    .uniqueArray(fc.integer({ min: 1, max: 39 }), { maxLength: 3 })
    .map((lengths) => lengths.toSorted((one, other) => one - other).map((tokens, at) => ({ tokens, keep: [0.5, 0.3, 0.7][at]! }))),
  targetReward: fc.option(fc.integer({ min: -1, max: 3 }), { nil: undefined }),
  sampleCost: fc.option(fc.double({ min: 0.01, max: 1, noNaN: true }), { nil: undefined }),
  hasPrefixModel: fc.boolean(),
});

describe("a set of candidates", () => {
  test("ends each candidate as one who knew all from the start would, however late scores and drops come", () => {
    fc.assert(
      fc.property(scripts, rulesets, fc.integer({ min: 0, max: 1e6 }), (script, rules, delaySeed) => {
        const all: CandidateSetRules = { ...plain, ...rules, candidates: script.lengths.length };
        const { set, asked } = play(script, all, delaySeed);
        assert.deepEqual(
          set.candidates.map(({ end }) => end),
          endsAtOnce(script, all),
        );
        assert.equal(new Set(asked).size, asked.length, "a text was scored twice");
        for (const candidate of set.candidates.filter(({ isEligible }) => isEligible))
          assert.equal(set.scoreOf(candidate), rewardOf(script, candidate.text));
      }),
      { numRuns: 400 },
    );
  });

  test("scores equal texts once and gives all of them the score", () => {
    const { set, asked } = play({ lengths: [3, 3, 5], kinds: [1, 1, 1], rewardSeed: 3 }, { ...plain, candidates: 3 }, 1);
    assert.deepEqual(asked.toSorted(), ["bbb", "bbbbb"]);
    assert.equal(set.scoreOf(set.candidates[0]!), set.scoreOf(set.candidates[1]!));
  });

  test("scores no candidate as a whole that a stage may yet drop, and none that is blank", () => {
    const set = new CandidateSet({ ...plain, candidates: 3, stages: [{ tokens: 2, keep: 0.5 }] });
    set.append(delta(0, " "));
    set.finish(0, "stop");
    for (const text of ["x", "y", "z"]) for (const index of [1, 2]) set.append(delta(index, text + index));
    set.finish(1, "stop");
    set.decide();
    assert.deepEqual(set.takeUnscored(), { answers: [], prefixes: ["x1y1", "x2y2"] });
    set.setReward("prefixes", "x1y1", 1);
    set.setReward("prefixes", "x2y2", 2);
    set.decide();
    // It ended before its beginning was judged, and is out all the same.
    assert.deepEqual([set.candidates[1]!.end, set.candidates[2]!.end, set.takeDropped()], ["pruned", undefined, []]);
    set.finish(2, "length");
    assert.deepEqual([set.takeUnscored(), set.isSettled], [{ answers: ["x2y2z2"], prefixes: [] }, false]);
    set.setReward("answers", "x2y2z2", Number.NaN);
    assert.deepEqual([set.isSettled, set.scoreOf(set.candidates[2]!)], [true, undefined]);
  });

  test("that is cut keeps what there is, as it is, and can go without the scores that are missing", () => {
    const set = new CandidateSet({ ...plain, candidates: 2, stages: [{ tokens: 1, keep: 0.5 }] });
    for (const index of [0, 1]) set.append(delta(index, `a${index}`));
    set.cut();
    assert.deepEqual(set.takeDropped(), [0, 1]);
    set.append(delta(0, "late"));
    set.finish(0, "dropped");
    set.decide();
    assert.deepEqual(
      set.candidates.map(({ text, tokens, generatedTokens, end }) => [text, tokens, generatedTokens, end]),
      [
        ["a0", 1, 2, "deadline"],
        ["a1", 1, 1, "deadline"],
      ],
    );
    assert.deepEqual([set.takeUnscored(), set.isSettled], [{ answers: ["a0", "a1"], prefixes: [] }, false]);
    set.setReward("answers", "a1", 3);
    set.closeScoring();
    assert.deepEqual([set.isSettled, set.scoreOf(set.candidates[0]!), set.scoreOf(set.candidates[1]!)], [true, undefined, 3]);
  });

  test("by log-probability needs no scores from outside, and divides by the tokens", () => {
    const set = new CandidateSet({ ...plain, candidates: 2, scoredBy: "logprob", stages: [{ tokens: 1, keep: 0.5 }] });
    set.append(delta(0, "a", -1));
    set.append(delta(1, "b", -2));
    set.append(delta(0, "c", -4));
    set.append(delta(1, "d", -1));
    set.decide();
    assert.deepEqual(set.takeDropped(), [1]);
    set.finish(0, "stop");
    assert.deepEqual([set.takeUnscored(), set.isSettled, set.scoreOf(set.candidates[0]!)], [{ answers: [], prefixes: [] }, true, -2.5]);
  });

  test("goes on without rewards when there are none to be had, and drops nobody any more", () => {
    const set = new CandidateSet({ ...plain, candidates: 2, stages: [{ tokens: 1, keep: 0.5 }] });
    for (const text of ["a", "b"]) for (const index of [0, 1]) set.append(delta(index, text, index - 1));
    set.decide();
    set.scoreWithoutRewards("logprob");
    set.decide();
    for (const index of [0, 1]) set.finish(index, "stop");
    assert.deepEqual([set.isSettled, set.takeDropped(), set.candidates.map((one) => set.scoreOf(one))], [true, [], [-1, 0]]);
  });

  test("keeps everyone from the stage on where prefixes can no longer be judged, and still scores whole answers", () => {
    const set = new CandidateSet({ ...plain, candidates: 2, stages: [{ tokens: 1, keep: 0.5 }], hasPrefixModel: true });
    for (const text of ["a", "b"]) for (const index of [0, 1]) set.append(delta(index, text + index));
    set.decide();
    assert.deepEqual(set.takeUnscored(), { answers: [], prefixes: ["a0", "a1"] });
    set.stopPruning();
    set.decide();
    for (const index of [0, 1]) set.finish(index, "stop");
    assert.deepEqual(set.takeDropped(), []);
    assert.deepEqual(set.takeUnscored(), { answers: ["a0b0", "a1b1"], prefixes: [] });
  });

  test("leaves out a candidate that failed, and names seeds that give each candidate alone", () => {
    const set = new CandidateSet({ ...plain, candidates: 2 });
    set.finish(0, "failed");
    set.append(delta(1, "a"));
    set.finish(1, "stop");
    assert.deepEqual(set.takeUnscored(), { answers: ["a"], prefixes: [] });
    assert.equal(set.candidates[0]!.isEligible, false);
    assert.deepEqual(
      set.candidates.map(({ seed }) => seed),
      [7, candidateSeed(7, 1)],
    );
  });
});
