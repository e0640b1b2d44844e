/** @file Recorded candidates played through the contest, against what can be counted by hand. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { prunedRow } from "../../src/bestofn/prefix-report.ts";
import { replay, type RecordedAnswer } from "../../src/bestofn/replay.ts";

const answer = (text: string): RecordedAnswer => ({ pieces: [...text] });
/** Later letters are worth more, and only the last counts. */
const lastLetter = (text: string): number | undefined => (text === "" ? undefined : text.codePointAt(text.length - 1));

describe("a replay", () => {
  test("without stages samples all tokens and finds the best reward, the first of equal ones", () => {
    assert.deepEqual(replay(["abc", "z", "qz"].map(answer), [], lastLetter), { winner: 1, tokens: 6 });
  });

  test("drops at a stage what has the lowest reward there, and samples it no further", () => {
    // After two letters b leads; the other two are dropped once all have gone beyond, at the third.
    const answers = ["xbaaa", "xazzz", "xayyy"].map(answer);
    assert.deepEqual(replay(answers, [{ tokens: 2, keep: 0.3 }], lastLetter), { winner: 0, tokens: 5 + 3 + 3 });
  });

  test("lets answers that ended before the stage compete", () => {
    const answers = ["z", "aaaa", "bbbb"].map(answer);
    assert.deepEqual(replay(answers, [{ tokens: 2, keep: 0.5 }], lastLetter), { winner: 0, tokens: 1 + 3 + 4 });
  });

  test("has no winner where nothing has a reward", () => {
    assert.deepEqual(replay([{ pieces: [] }, { pieces: [] }], [], lastLetter), { winner: undefined, tokens: 0 });
  });
});

test("what a schedule keeps and costs is counted over the first N answers of each prompt", () => {
  const answers = ["xbaaa", "xazzz", "xayyy", "xzzzz"].map(answer);
  const texts = answers.flatMap(({ pieces }) => pieces.map((_, at) => pieces.slice(0, at + 1).join("")));
  const group = { answers, rewards: new Map(texts.map((text) => [text, lastLetter(text)])), truth: [3, 9, 6, 100] };
  const row = prunedRow([group, group], 3, [{ tokens: 2, keep: 0.3 }]);
  const [a, y, z] = ["a", "y", "z"].map((letter) => letter.codePointAt(0)!) as [number, number, number];
  const mean = (a + y + z) / 3;
  assert.equal(row.tokens, 11 / 15);
  assert.ok(Math.abs(row.reward - (a - mean) / (z - mean)) < 1e-12);
  assert.equal(row.truth, (3 - 6) / (9 - 6));
});
