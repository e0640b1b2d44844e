/** @file Recorded candidates played through the contest, against what can be counted by hand. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { prunedRow } from "../../../src/evaluation/prefixes/prefix-report.ts";
import { replay, type RecordedAnswer } from "../../../src/best-of-n/pruning/replay.ts";

const answer = (text: string): RecordedAnswer => ({ pieces: [...text] });
/** Later letters are worth more, and only the last counts. */
const lastLetter = (text: string): number | undefined => (text === "" ? undefined : text.codePointAt(text.length - 1));
/** Rewards of all prefixes of these answers. */
const recorded = (answers: readonly RecordedAnswer[], rewardOf = lastLetter): Map<string, number | undefined> =>
  new Map(answers.flatMap(({ pieces }) => pieces.map((_, at) => pieces.slice(0, at + 1).join(""))).map((text) => [text, rewardOf(text)]));

describe("a replay", () => {
  test("without stages samples all tokens and finds the best reward, the first of equal ones", () => {
    const answers = ["abc", "z", "qz"].map(answer);
    assert.deepEqual(replay(answers, [], { rewards: recorded(answers) }), { winner: 1, tokens: 6 });
  });

  test("drops at a stage what has the lowest reward there, and samples it no further", () => {
    // After two letters b leads; the other two are dropped once all have gone beyond, at the third.
    const answers = ["xbaaa", "xazzz", "xayyy"].map(answer);
    assert.deepEqual(replay(answers, [{ tokens: 2, keep: 0.3 }], { rewards: recorded(answers) }), { winner: 0, tokens: 5 + 3 + 3 });
  });

  test("lets answers that ended before the stage compete", () => {
    const answers = ["z", "aaaa", "bbbb"].map(answer);
    assert.deepEqual(replay(answers, [{ tokens: 2, keep: 0.5 }], { rewards: recorded(answers) }), { winner: 0, tokens: 1 + 3 + 4 });
  });

  test("asks a value model about beginnings where there is one, and the reward model about whole answers alone", () => {
    // By values the earliest letter leads at the stage, by rewards the latest at the end.
    const answers = ["xbaaa", "xazzz", "xayyy"].map(answer);
    const values = recorded(answers, (text) => -text.codePointAt(text.length - 1)!);
    const wholes = new Map(answers.map(({ pieces }) => [pieces.join(""), lastLetter(pieces.join(""))]));
    assert.deepEqual(replay(answers, [{ tokens: 2, keep: 0.6 }], { rewards: wholes, values }), { winner: 1, tokens: 3 + 5 + 5 });
  });

  test("has no winner where nothing has a reward", () => {
    assert.deepEqual(replay([{ pieces: [] }, { pieces: [] }], [], { rewards: new Map() }), { winner: undefined, tokens: 0 });
  });
});

test("what a schedule keeps and costs is counted over the first N answers of each prompt", () => {
  const answers = ["xbaaa", "xazzz", "xayyy", "xzzzz"].map(answer);
  const group = { answers, rewards: recorded(answers), truth: [3, 9, 6, 100] };
  const row = prunedRow([group, group], 3, [{ tokens: 2, keep: 0.3 }]);
  const [a, y, z] = ["a", "y", "z"].map((letter) => letter.codePointAt(0)!) as [number, number, number];
  const mean = (a + y + z) / 3;
  assert.equal(row.tokens, 11 / 15);
  assert.ok(Math.abs(row.reward - (a - mean) / (z - mean)) < 1e-12);
  assert.equal(row.truth, (3 - 6) / (9 - 6));
});
