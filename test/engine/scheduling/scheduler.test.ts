/**
 * @file The scheduler's plans: never idle with work that is ready, within the budget, and everything is served within a
 * bounded number of turns.
 */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { planTurn, type RowView, type SchedulerView, type Turn } from "../../../src/engine/scheduling/scheduler.ts";

const budget = fc.record({ chunks: fc.integer({ min: 1, max: 3 }), rows: fc.integer({ min: 1, max: 4 }) });

const view: fc.Arbitrary<SchedulerView<number, number>> = fc.record({
  prompts: fc
    .array(fc.nat(200), { maxLength: 4 })
    .map((lengths) => lengths.map((tokensLeft, generation) => ({ generation, tokensLeft, chunkTokens: 64 }))),
  rows: fc
    .array(fc.record({ isReady: fc.boolean(), lastTurn: fc.integer({ min: -1, max: 9 }) }), { maxLength: 8 })
    .map((rows) => rows.map((row, index) => ({ ...row, row: index }))),
  scoring: fc.nat(2),
  last: fc.constantFrom<Turn>("prefill", "decode", "score", "idle"),
});

/** The kinds of turns of work that never ends. */
function turnsOf(work: { prompts: number; rows: number; scoring: number }, count: number): Turn[] {
  const prompts = Array.from({ length: work.prompts }, (_, generation) => ({ generation, tokensLeft: 100, chunkTokens: 64 }));
  const rows = Array.from({ length: work.rows }, (_, row) => ({ row, isReady: true, lastTurn: 0 }));
  const kinds: Turn[] = ["idle"];
  for (let at = 0; at < count; at++)
    kinds.push(planTurn({ prompts, rows, scoring: work.scoring, last: kinds.at(-1)! }, { chunks: 1, rows: 64 }).turn);
  return kinds.slice(1);
}

describe("the scheduler", () => {
  test("is idle exactly when no work is ready, and plans work that there is, within the budget", () => {
    fc.assert(
      fc.property(view, budget, (work, limits) => {
        const { turn, prefill, decode } = planTurn(work, limits);
        const ready = work.rows.filter(({ isReady }) => isReady);
        assert.equal(turn === "idle", work.prompts.length === 0 && ready.length === 0 && work.scoring === 0);
        if (turn === "score") assert.ok(work.scoring > 0);
        assert.equal(prefill.length, turn === "prefill" ? Math.min(work.prompts.length, limits.chunks) : 0);
        assert.equal(decode.length, turn === "decode" ? Math.min(ready.length, limits.rows) : 0);
        prefill.forEach(({ generation, tokens }, at) => {
          assert.equal(generation, at);
          assert.equal(tokens, Math.min(64, work.prompts[at]!.tokensLeft));
        });
        assert.ok(decode.every((row) => work.rows[row]!.isReady));
        assert.equal(new Set(decode).size, decode.length);
      }),
    );
  });

  test("lets the kinds of work that there are take turns", () => {
    assert.deepEqual(turnsOf({ prompts: 2, rows: 5, scoring: 0 }, 4), ["prefill", "decode", "prefill", "decode"]);
    assert.deepEqual(turnsOf({ prompts: 0, rows: 5, scoring: 1 }, 4), ["decode", "score", "decode", "score"]);
    assert.deepEqual(turnsOf({ prompts: 1, rows: 1, scoring: 1 }, 4), ["prefill", "decode", "score", "prefill"]);
  });

  test("fills every prompt, and lets every ready row step, within a bounded number of turns", () => {
    fc.assert(
      fc.property(view, budget, (start, limits) => {
        const prompts = start.prompts.map((prompt) => ({ ...prompt }));
        const rows: RowView<number>[] = start.rows.map((row) => ({ ...row, lastTurn: -1 }));
        let last = start.last;
        const chunks = prompts.reduce((sum, { tokensLeft }) => sum + Math.max(1, Math.ceil(tokensLeft / 64)), 0);
        const roundOfRows = Math.ceil(rows.length / limits.rows);
        const bound = 3 * Math.max(chunks, roundOfRows) + 3;
        for (let turn = 0; turn < bound; turn++) {
          const plan = planTurn({ ...start, prompts, rows, last }, limits);
          last = plan.turn;
          for (const { generation, tokens } of plan.prefill) {
            const at = prompts.findIndex((prompt) => prompt.generation === generation);
            if ((prompts[at]!.tokensLeft -= tokens) === 0) prompts.splice(at, 1);
          }
          for (const row of plan.decode) rows[row]!.lastTurn = turn;
        }
        assert.deepEqual(prompts, []);
        for (const { isReady, lastTurn } of rows)
          // Each ready row steps again in every round of turns.
          assert.ok(isReady ? lastTurn >= bound - 3 * (roundOfRows + 1) : lastTurn === -1);
      }),
    );
  });
});
