/**
 * @file The scheduler's plans: never idle with work that is ready, within the budget, and everything is served within a
 * bounded number of turns.
 */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { planTurn, type PromptView, type RowView, type SchedulerView, type Turn } from "../../../src/engine/scheduling/scheduler.ts";

const view: fc.Arbitrary<SchedulerView<number, number>> = fc.record({
  prompts: fc
    .array(fc.record({ chunksLeft: fc.nat(4), lastTurn: fc.integer({ min: 0, max: 9 }) }), { maxLength: 4 })
    .map((prompts) => prompts.map((prompt, generation) => ({ ...prompt, generation }))),
  rows: fc
    .array(fc.record({ isReady: fc.boolean(), lastTurn: fc.integer({ min: -1, max: 9 }) }), { maxLength: 8 })
    .map((rows) => rows.map((row, index) => ({ ...row, row: index }))),
  scoring: fc.nat(2),
  last: fc.constantFrom<Turn>("prefill", "decode", "score", "idle"),
  prefillTurns: fc.nat(9),
  mostRows: fc.integer({ min: 1, max: 4 }),
});

const idle: SchedulerView<number, number> = { prompts: [], rows: [], scoring: 0, last: "idle", prefillTurns: 0, mostRows: 64 };

/** The kinds of turns of work that never ends. */
function turnsOf(work: { prompts: number; rows: number; scoring: number }, count: number): Turn[] {
  const prompts = Array.from({ length: work.prompts }, (_, generation) => ({ generation, chunksLeft: 2, lastTurn: 0 }));
  const rows = Array.from({ length: work.rows }, (_, row) => ({ row, isReady: true, lastTurn: 0 }));
  const kinds: Turn[] = ["idle"];
  for (let at = 0; at < count; at++) kinds.push(planTurn({ ...idle, prompts, rows, scoring: work.scoring, last: kinds.at(-1)! }).turn);
  return kinds.slice(1);
}

interface WaitingPrompt extends PromptView<number> {
  /** The turn of prefill from which on it waits. */
  arrival: number;
}

/** Fills prompts of so many chunks that arrive so many turns after the one before; for each, the turns in which it had a chunk. */
function chunkTurns(lengths: readonly number[], gaps: readonly number[] = []): { arrivals: number[]; turns: number[][] } {
  let arrival = 0;
  const all = lengths.map((chunksLeft, generation): WaitingPrompt => {
    arrival += gaps[generation] ?? 0;
    return { generation, chunksLeft, arrival, lastTurn: arrival };
  });
  const turns = lengths.map((): number[] => []);
  const left = new Set(all);
  for (let turn = 0; left.size > 0; turn++) {
    const prompts = [...left].filter((prompt) => prompt.arrival <= turn);
    const { prefill } = planTurn({ ...idle, prompts, prefillTurns: turn });
    if (prefill === undefined) continue;
    const prompt = all[prefill]!;
    turns[prefill]!.push(turn);
    prompt.lastTurn = turn + 1;
    prompt.chunksLeft = Math.max(0, prompt.chunksLeft - 1);
    if (prompt.chunksLeft === 0) left.delete(prompt);
  }
  return { arrivals: all.map((prompt) => prompt.arrival), turns };
}

/** Chunks of prompts, some much longer than others. */
const promptLengths = fc.array(fc.oneof(fc.nat(3), fc.nat(12), fc.integer({ min: 50, max: 120 })), { minLength: 1, maxLength: 8 });

describe("the scheduler", () => {
  test("is idle exactly when no work is ready, and plans work that there is, within the budget", () => {
    fc.assert(
      fc.property(view, (work) => {
        const { turn, prefill, decode } = planTurn(work);
        const ready = work.rows.filter(({ isReady }) => isReady);
        assert.equal(turn === "idle", work.prompts.length === 0 && ready.length === 0 && work.scoring === 0);
        if (turn === "score") assert.ok(work.scoring > 0);
        assert.equal(prefill !== undefined, turn === "prefill");
        if (prefill !== undefined) assert.equal(work.prompts[prefill]!.generation, prefill);
        assert.equal(decode.length, turn === "decode" ? Math.min(ready.length, work.mostRows) : 0);
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

  test("fills the shortest prompt first, and gives every fourth chunk to the one that has waited longest", () => {
    const { turns } = chunkTurns([9, 9, 2, 3]);
    const order = turns.flatMap((own, prompt) => own.map((turn) => ({ turn, prompt }))).toSorted((a, b) => a.turn - b.turn);
    assert.equal(order.map(({ prompt }) => prompt).join(" "), "2 2 3 0 3 3 0 1 0 0 0 1 0 0 0 1 0 1 1 1 1 1 1");
  });

  test("fills a prompt within a number of turns that does not depend on longer prompts, whenever they come", () => {
    fc.assert(
      fc.property(promptLengths, fc.array(fc.nat(20), { minLength: 8, maxLength: 8 }), (lengths, gaps) => {
        const { arrivals, turns } = chunkTurns(lengths, gaps);
        lengths.forEach((chunks, at) => {
          // Others as they are when it comes, or when they come.
          const others = turns.map((own) => own.filter((turn) => turn >= arrivals[at]!).length).filter((_, index) => index !== at);
          const shorter = others.reduce((sum, left) => sum + (left <= chunks + 1 ? left : 0), 0);
          const own = Math.max(1, chunks);
          assert.ok(turns[at]!.at(-1)! - arrivals[at]! < (4 / 3) * (own + shorter) + 2, `prompt ${at}: turns ${turns[at]!.join(" ")}`);
        });
      }),
      { numRuns: 1000 },
    );
  });

  test("gives every prompt a chunk within a number of turns that depends on the number of prompts alone", () => {
    fc.assert(
      fc.property(promptLengths, fc.array(fc.nat(20), { minLength: 8, maxLength: 8 }), (lengths, gaps) => {
        const { arrivals, turns } = chunkTurns(lengths, gaps);
        turns.forEach((own, at) => {
          const pauses = own.map((turn, index) => turn - (own[index - 1] ?? arrivals[at]!));
          assert.ok(Math.max(...pauses) <= 4 * lengths.length, `prompt ${at}: turns ${own.join(" ")}`);
        });
        const all = turns.flat().toSorted((a, b) => a - b);
        // A turn is left out only where nothing waits.
        for (let turn = 0; turn < all.at(-1)!; turn++)
          if (!all.includes(turn)) assert.ok(turns.every((own, at) => arrivals[at]! > turn || own.at(-1)! < turn));
      }),
      { numRuns: 1000 },
    );
  });

  test("lets every ready row step within a bounded number of turns", () => {
    fc.assert(
      fc.property(view, (start) => {
        const rows: RowView<number>[] = start.rows.map((row) => ({ ...row, lastTurn: -1 }));
        let last = start.last;
        const roundOfRows = Math.ceil(rows.length / start.mostRows);
        const bound = 3 * roundOfRows + 3;
        for (let turn = 0; turn < bound; turn++) {
          const plan = planTurn({ ...start, rows, last });
          last = plan.turn;
          for (const row of plan.decode) rows[row]!.lastTurn = turn;
        }
        for (const { isReady, lastTurn } of rows)
          // Each ready row steps again in every round of turns.
          assert.ok(isReady ? lastTurn >= bound - 3 * (roundOfRows + 1) : lastTurn === -1);
      }),
    );
  });
});
