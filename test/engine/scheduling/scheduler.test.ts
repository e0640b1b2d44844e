/**
 * @file The scheduler's plans: never idle with work that is ready, within the budget, and everything is served within a
 * bounded number of turns.
 */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { planTurn, type PromptView, type SchedulerView, type Turn } from "../../../src/engine/scheduling/scheduler.ts";

/** Rows of requests, told apart by request and number. */
const rowsOf = (counts: readonly number[]): string[][] =>
  counts.map((count, request) => Array.from({ length: count }, (_, row) => `${request} ${row}`));

const view: fc.Arbitrary<SchedulerView<number, string>> = fc.record({
  prompts: fc
    .array(fc.record({ chunksLeft: fc.nat(4), lastTurn: fc.integer({ min: 0, max: 9 }) }), { maxLength: 4 })
    .map((prompts) => prompts.map((prompt, generation) => ({ ...prompt, generation }))),
  rows: fc.array(fc.oneof(fc.nat(2), fc.nat(64)), { maxLength: 8 }).map(rowsOf),
  scoring: fc.nat(2),
  last: fc.constantFrom<Turn>("prefill", "decode", "score", "idle"),
  prefillTurns: fc.nat(9),
  mostRows: fc.oneof(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 8, max: 64 })),
});

const idle: SchedulerView<number, string> = { prompts: [], rows: [], scoring: 0, last: "idle", prefillTurns: 0, mostRows: 64 };

/** The kinds of turns of work that never ends. */
function turnsOf(work: { prompts: number; rows: number; scoring: number }, count: number): Turn[] {
  const prompts = Array.from({ length: work.prompts }, (_, generation) => ({ generation, chunksLeft: 2, lastTurn: 0 }));
  const rows = rowsOf([work.rows]);
  const kinds: Turn[] = ["idle"];
  for (let at = 0; at < count; at++) kinds.push(planTurn({ ...idle, prompts, rows, scoring: work.scoring, last: kinds.at(-1)! }).turn);
  return kinds.slice(1);
}

interface WaitingPrompt extends PromptView<number> {
  /** The turn of prefill from which on it waits. */
  arrival: number;
}

/**
 * Fills prompts of so many chunks, each of which arrives so many turns after the one before; for each, the turns in
 * which it had a chunk.
 */
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
        const ready = new Set(work.rows.flat());
        assert.equal(turn === "idle", work.prompts.length === 0 && ready.size === 0 && work.scoring === 0);
        if (turn === "score") assert.ok(work.scoring > 0);
        assert.equal(prefill !== undefined, turn === "prefill");
        if (prefill !== undefined) assert.equal(work.prompts[prefill]!.generation, prefill);
        assert.equal(decode.length, turn === "decode" ? Math.min(ready.size, work.mostRows) : 0);
        assert.ok(decode.every((row) => ready.has(row)));
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

  test("shares rows by request: none has fewer than another and wants more, and the first sequences go first", () => {
    fc.assert(
      fc.property(view, (work) => {
        const { decode } = planTurn({ ...work, prompts: [], scoring: 0 });
        const shares = work.rows.map((rows) => {
          const share = rows.filter((row) => decode.includes(row));
          assert.deepEqual(share, rows.slice(0, share.length));
          return share.length;
        });
        work.rows.forEach((rows, at) => {
          const own = shares[at]!;
          if (own === rows.length) return;
          // One row may be left of the division.
          for (const share of shares)
            assert.ok(share <= own + 1, `${shares.join(" ")} of ${work.rows.map(({ length }) => length).join(" ")}`);
          if (work.rows.length <= work.mostRows) assert.ok(own > 0);
        });
      }),
      { numRuns: 1000 },
    );
    const shares = (counts: number[], mostRows: number): number[] => {
      const { decode } = planTurn({ ...idle, rows: rowsOf(counts), mostRows });
      return counts.map((_, request) => decode.filter((row) => row.startsWith(`${request} `)).length);
    };
    assert.deepEqual(shares([64, 1], 64), [63, 1]);
    assert.deepEqual(shares([64, 3, 64, 64], 64), [21, 3, 20, 20]);
    assert.deepEqual(shares([2, 2, 2], 2), [1, 1, 0]);
  });

  test("lets every request step in every turn of decoding, and complete all its sequences", () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 6 }),
        fc.integer({ min: 6, max: 24 }),
        (counts, mostRows) => {
          const tokens = 3;
          const left = new Map(
            rowsOf(counts)
              .flat()
              .map((row) => [row, tokens]),
          );
          const total = left.size * tokens;
          let steps = 0;
          for (let turns = 0; left.size > 0; turns++) {
            const rows = rowsOf(counts).map((own) => own.filter((row) => left.has(row)));
            const { decode } = planTurn({ ...idle, rows, mostRows });
            for (const own of rows) assert.ok(own.length === 0 || own.some((row) => decode.includes(row)));
            for (const row of decode) {
              steps++;
              left.set(row, left.get(row)! - 1);
              if (left.get(row) === 0) left.delete(row);
            }
            assert.ok(turns < total);
          }
          assert.equal(steps, total);
        },
      ),
    );
  });
});
