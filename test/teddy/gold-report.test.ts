/** @file Summaries of gold scores, against numbers worked out by hand. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { goldTable, summarizeGold } from "../../src/teddy/judge/gold-report.ts";
import type { GoldScores } from "../../src/teddy/judge/judge.ts";

const scored = (score: number, usefulness = score): GoldScores => ({ score, usefulness, friendliness: 0.5, safety: 1, language: 1 });

test("means are over prompts, and the best of a prompt is the sample that gold likes best", () => {
  const summary = summarizeGold([
    [scored(0.2), scored(0.6, 0.1)],
    [scored(0.4), scored(0.4)],
  ]);
  assert.deepEqual([summary.prompts, summary.samples], [2, 2]);
  assert.ok(Math.abs(summary.single.score.mean - 0.4) < 1e-12);
  // Prompt means are 0.4 and 0.4: no spread at all.
  assert.ok(summary.single.score.margin < 1e-12);
  assert.ok(Math.abs(summary.best.score.mean - 0.5) < 1e-12);
  // The best by score, not the best of each dimension.
  assert.ok(Math.abs(summary.best.usefulness.mean - 0.25) < 1e-12);
  assert.ok(Math.abs(summary.gain.mean - 0.1) < 1e-12);
  // Of 0.2 and 0: deviation 0.1414, over the root of 2, times 1.96.
  assert.ok(Math.abs(summary.gain.margin - 0.196) < 1e-6);
});

test("the table has a row for each policy, for its best, and for the oracle", () => {
  const summary = summarizeGold([[scored(0.25), scored(0.75)]]);
  const lines = goldTable([{ name: "teddy", summary }], summary.best).split("\n");
  assert.equal(lines.length, 5);
  assert.match(lines[2]!, /^\| teddy \| 0\.500 ± 0\.000 \|/);
  assert.match(lines[3]!, /^\| teddy, best of 2 by gold \|.* 0\.750 ± 0\.000 \|$/);
  assert.match(lines[4]!, /^\| the oracle's answers \|/);
});
