/** @file What a contest decides, against a twin that knows everything at once, however late scores and drops are. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { Contest, type ContestRules, type UnscoredTexts } from "../../src/best-of-n/candidate-set.ts";
import { rankByScore } from "../../src/best-of-n/strategies/ranking.ts";
import { keptOfRunning } from "../../src/best-of-n/pruning/schedule.ts";
import { isEnough } from "../../src/best-of-n/stopping.ts";
import { candidateSeed, uniform } from "../../src/random/philox.ts";

const plain: ContestRules = {
  candidates: 4,
  returned: 1,
  seed: 7,
  stages: [],
  scoredBy: "reward",
  targetReward: undefined,
  sampleCost: undefined,
  judgesBeginningsApart: false,
};

const piece = (text: string) => ({ text, tokenIds: [1], logprobs: undefined });

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

/** What the judge of beginnings says, who is another one where they are judged apart. */
const beginningReward = (script: Script, text: string, { judgesBeginningsApart }: ContestRules): number | undefined =>
  rewardOf(judgesBeginningsApart ? { ...script, rewardSeed: script.rewardSeed + 1000 } : script, text);

/** How each candidate ends, by one who sees all answers and rewards from the start. */
function endsAtOnce(script: Script, rules: ContestRules): string[] {
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
    const scored = running.map((index) => ({ index, score: beginningReward(script, textOf(kinds[index]!, tokens), rules) }));
    if (scored.every(({ score }) => score === undefined)) continue;
    for (const { index } of rankByScore(scored).slice(kept)) {
      ends[index] = "pruned";
      alive.delete(index);
    }
  }
  return ends;
}

/** Plays a script, with scores and drops that arrive late by what `delays` draws. */
function play(script: Script, rules: ContestRules, delaySeed: number): { contest: Contest; asked: string[]; steps: number } {
  const contest = new Contest(rules);
  const asked: string[] = [];
  let draws = 0;
  const late = (): number => Math.floor(uniform(delaySeed, draws++) * 9);
  const scores: { of: keyof UnscoredTexts; text: string; due: number }[] = [];
  const drops: { index: number; due: number }[] = [];
  const rows = new Set(script.lengths.keys());
  let step = 0;
  while (!contest.isSettled || rows.size > 0) {
    assert.ok(++step < 500, "never settled");
    for (const index of drops.filter(({ due }) => due <= step).map((drop) => drop.index)) {
      if (rows.delete(index)) contest.ended(index, "dropped");
    }
    for (const index of rows) {
      const candidate = contest.candidates[index]!;
      contest.grew(index, piece(textOf(script.kinds[index]!, 1)), undefined);
      if (candidate.generatedTokens === script.lengths[index]) {
        contest.ended(index, "stop");
        rows.delete(index);
      }
      // Decisions may be taken in the middle of a step.
      contest.decide();
    }
    for (const { of, text } of scores.filter(({ due }) => due <= step))
      contest.scored(of, text, of === "wholes" ? rewardOf(script, text) : beginningReward(script, text, rules));
    contest.decide();
    drops.push(...contest.takeDropped().map((index) => ({ index, due: step + late() })));
    const unscored = contest.takeUnscored();
    for (const of of ["wholes", "beginnings"] as const) {
      for (const text of unscored[of]) {
        asked.push(rules.judgesBeginningsApart ? `${of} ${text}` : text);
        scores.push({ of, text, due: step + late() });
      }
    }
  }
  return { contest, asked, steps: step };
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
  judgesBeginningsApart: fc.boolean(),
});

describe("a contest", () => {
  test("ends each candidate as one who knew all from the start would, however late scores and drops come", () => {
    fc.assert(
      fc.property(scripts, rulesets, fc.integer({ min: 0, max: 1e6 }), (script, rules, delaySeed) => {
        const all: ContestRules = { ...plain, ...rules, candidates: script.lengths.length };
        const { contest, asked } = play(script, all, delaySeed);
        assert.deepEqual(
          contest.candidates.map(({ end }) => end),
          endsAtOnce(script, all),
        );
        assert.equal(new Set(asked).size, asked.length, "a text was scored twice");
        for (const candidate of contest.candidates.filter(({ isEligible }) => isEligible))
          assert.equal(contest.scoreOf(candidate), rewardOf(script, candidate.text));
      }),
      { numRuns: 400 },
    );
  });

  test("scores equal texts once and gives all of them the score", () => {
    const { contest, asked } = play({ lengths: [3, 3, 5], kinds: [1, 1, 1], rewardSeed: 3 }, { ...plain, candidates: 3 }, 1);
    assert.deepEqual(asked.toSorted(), ["bbb", "bbbbb"]);
    assert.equal(contest.scoreOf(contest.candidates[0]!), contest.scoreOf(contest.candidates[1]!));
  });

  test("scores no candidate as a whole that a stage may yet drop, and none that is blank", () => {
    const contest = new Contest({ ...plain, candidates: 3, stages: [{ tokens: 2, keep: 0.5 }] });
    contest.grew(0, piece(" "), undefined);
    contest.ended(0, "stop");
    for (const text of ["x", "y", "z"]) for (const index of [1, 2]) contest.grew(index, piece(text + index), undefined);
    contest.ended(1, "stop");
    contest.decide();
    assert.deepEqual(contest.takeUnscored(), { wholes: [], beginnings: ["x1y1", "x2y2"] });
    contest.scored("beginnings", "x1y1", 1);
    contest.scored("beginnings", "x2y2", 2);
    contest.decide();
    // It ended before its beginning was judged, and is out all the same.
    assert.deepEqual([contest.candidates[1]!.end, contest.candidates[2]!.end, contest.takeDropped()], ["pruned", undefined, []]);
    contest.ended(2, "length");
    assert.deepEqual([contest.takeUnscored(), contest.isSettled], [{ wholes: ["x2y2z2"], beginnings: [] }, false]);
    contest.scored("wholes", "x2y2z2", Number.NaN);
    assert.deepEqual([contest.isSettled, contest.scoreOf(contest.candidates[2]!)], [true, undefined]);
  });

  test("that is cut keeps what there is, as it is, and can go without the scores that are missing", () => {
    const contest = new Contest({ ...plain, candidates: 2, stages: [{ tokens: 1, keep: 0.5 }] });
    for (const index of [0, 1]) contest.grew(index, piece(`a${index}`), undefined);
    contest.cut();
    assert.deepEqual(contest.takeDropped(), [0, 1]);
    contest.grew(0, piece("late"), undefined);
    contest.ended(0, "dropped");
    contest.decide();
    assert.deepEqual(
      contest.candidates.map(({ text, tokens, generatedTokens, end }) => [text, tokens, generatedTokens, end]),
      [
        ["a0", 1, 2, "deadline"],
        ["a1", 1, 1, "deadline"],
      ],
    );
    assert.deepEqual([contest.takeUnscored(), contest.isSettled], [{ wholes: ["a0", "a1"], beginnings: [] }, false]);
    contest.scored("wholes", "a1", 3);
    contest.closeScoring();
    assert.deepEqual(
      [contest.isSettled, contest.scoreOf(contest.candidates[0]!), contest.scoreOf(contest.candidates[1]!)],
      [true, undefined, 3],
    );
  });

  test("by log-probability needs no scores from outside, and divides by the tokens", () => {
    const contest = new Contest({ ...plain, candidates: 2, scoredBy: "logprob", stages: [{ tokens: 1, keep: 0.5 }] });
    contest.grew(0, piece("a"), -1);
    contest.grew(1, piece("b"), -2);
    contest.grew(0, piece("c"), -4);
    contest.grew(1, piece("d"), -1);
    contest.decide();
    assert.deepEqual(contest.takeDropped(), [1]);
    contest.ended(0, "stop");
    assert.deepEqual(
      [contest.takeUnscored(), contest.isSettled, contest.scoreOf(contest.candidates[0]!)],
      [{ wholes: [], beginnings: [] }, true, -2.5],
    );
  });

  test("goes on without rewards when there are none to be had, and drops nobody any more", () => {
    const contest = new Contest({ ...plain, candidates: 2, stages: [{ tokens: 1, keep: 0.5 }] });
    for (const text of ["a", "b"]) for (const index of [0, 1]) contest.grew(index, piece(text), index - 1);
    contest.decide();
    contest.scoreWithoutRewards("logprob");
    contest.decide();
    for (const index of [0, 1]) contest.ended(index, "stop");
    assert.deepEqual(
      [contest.isSettled, contest.takeDropped(), contest.candidates.map((one) => contest.scoreOf(one))],
      [true, [], [-1, 0]],
    );
  });

  test("keeps everyone from the stage on where beginnings can no longer be judged, and still scores whole answers", () => {
    const contest = new Contest({ ...plain, candidates: 2, stages: [{ tokens: 1, keep: 0.5 }], judgesBeginningsApart: true });
    for (const text of ["a", "b"]) for (const index of [0, 1]) contest.grew(index, piece(text + index), undefined);
    contest.decide();
    assert.deepEqual(contest.takeUnscored(), { wholes: [], beginnings: ["a0", "a1"] });
    contest.keepAll();
    contest.decide();
    for (const index of [0, 1]) contest.ended(index, "stop");
    assert.deepEqual(contest.takeDropped(), []);
    assert.deepEqual(contest.takeUnscored(), { wholes: ["a0b0", "a1b1"], beginnings: [] });
  });

  test("leaves out a candidate that failed, and names seeds that give each candidate alone", () => {
    const contest = new Contest({ ...plain, candidates: 2 });
    contest.ended(0, "failed");
    contest.grew(1, piece("a"), undefined);
    contest.ended(1, "stop");
    assert.deepEqual(contest.takeUnscored(), { wholes: ["a"], beginnings: [] });
    assert.equal(contest.candidates[0]!.isEligible, false);
    assert.deepEqual(
      contest.candidates.map(({ seed }) => seed),
      [7, candidateSeed(7, 1)],
    );
  });
});
