/**
 * @file Packing loses and doubles nothing, fits, and keeps to its bound; batches show each place what it must see and
 * predict.
 */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { DataOrder } from "../../../src/training/run/data-order.ts";
import type { TrainingDocument } from "../../../src/training/data/documents.ts";
import { bestFitDecreasing, packings, packRows } from "../../../src/training/data/packing.ts";
import { commonLength, countTokens, documentRows, layOut, makeBatch, rowLength } from "../../../src/training/data/document-rows.ts";
import { allBatches } from "../../../src/training/data/row-data.ts";

const capacity = 12;
const lengthLists = fc.array(fc.integer({ min: 2, max: capacity + 1 }), { minLength: 1, maxLength: 40 });

/** Documents whose ids tell document and place; every third place is not trained. */
function documentsOf(lengths: readonly number[]): TrainingDocument[] {
  return lengths.map((length, document) => ({
    ids: Int32Array.from({ length }, (_, place) => document * 100 + place),
    trained: Uint8Array.from({ length }, (_, place) => Number(place % 3 !== 0)),
  }));
}

describe("packing", () => {
  test("gives every place that predicts a token to exactly one row, and no row more than fits", () => {
    fc.assert(
      fc.property(lengthLists, fc.constantFrom(...packings), (lengths, packing) => {
        const rows = packRows(lengths, capacity, packing);
        const seen = lengths.map((length) => Array.from<number>({ length: length - 1 }).fill(0));
        for (const row of rows) {
          assert.ok(rowLength(row) >= 1 && rowLength(row) <= capacity);
          for (const { document, start, end } of row) for (let place = start; place < end; place++) seen[document]![place]!++;
        }
        assert.ok(seen.flat().every((times) => times === 1));
        const firsts = rows.map((row) => row[0]!.document);
        assert.deepEqual(
          firsts,
          firsts.toSorted((a, b) => a - b),
        );
      }),
    );
  });

  test("keeps documents whole, but where it wraps, and wraps into full rows but the last", () => {
    fc.assert(
      fc.property(lengthLists, (lengths) => {
        for (const packing of ["none", "bfd"] as const) {
          const pieces = packRows(lengths, capacity, packing).flat();
          assert.ok(pieces.every(({ document, start, end }) => start === 0 && end === lengths[document]! - 1));
          assert.equal(pieces.length, lengths.length);
        }
        const wrapped = packRows(lengths, capacity, "wrapped");
        assert.ok(wrapped.slice(0, -1).every((row) => rowLength(row) === capacity));
      }),
    );
  });

  /** The fewest rows, by trying every way. */
  function fewestRows(sizes: readonly number[], spaces: readonly number[] = []): number {
    const [size, ...rest] = sizes;
    if (size === undefined) return spaces.length;
    const fitting = spaces.flatMap((space, row) => (space >= size ? [fewestRows(rest, spaces.with(row, space - size))] : []));
    return Math.min(fewestRows(rest, [...spaces, capacity - size]), ...fitting);
  }

  test("by best fit needs at most 11/9 of the fewest rows that could do, and one", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: capacity }), { minLength: 1, maxLength: 8 }), (sizes) => {
        assert.ok(bestFitDecreasing(sizes, capacity).length <= (11 / 9) * fewestRows(sizes) + 1);
      }),
    );
    assert.deepEqual(bestFitDecreasing([4, 8, 1, 4, 2, 1], 10), [[0, 3, 4], [1, 2, 5]]); // prettier-ignore
    assert.deepEqual(bestFitDecreasing([5, 5, 5], 10), [[0, 1], [2]]); // prettier-ignore
  });
});

describe("a batch", () => {
  test("trains on each trained token of each document exactly once, from the place before it", () => {
    fc.assert(
      fc.property(lengthLists, fc.constantFrom(...packings), (lengths, packing) => {
        const documents = documentsOf(lengths);
        const rows = packRows(lengths, capacity, packing);
        const batch = makeBatch(documents, rows, capacity);
        const targets = [...batch.targets].filter((target) => target !== -1);
        const expected = documents.flatMap(({ ids, trained }) => [...ids].filter((_, place) => place > 0 && trained[place] === 1));
        assert.deepEqual(
          targets.toSorted((a, b) => a - b),
          expected.toSorted((a, b) => a - b),
        );
        batch.targets.forEach((target, at) => {
          if (target !== -1) assert.equal(batch.ids[at], target - 1);
        });
        assert.equal(
          countTokens(documents, rows),
          lengths.reduce((sum, length) => sum + length, 0),
        );
      }),
    );
  });

  test("numbers segments and positions by document, and makes padding a document of its own", () => {
    const batch = makeBatch(documentsOf([4, 3]), packRows([4, 3], 8, "bfd"), 8);
    assert.deepEqual([...batch.ids], [0, 1, 2, 100, 101, 0, 0, 0]);
    assert.deepEqual([...batch.targets], [1, 2, -1, 101, 102, -1, -1, -1]);
    assert.deepEqual([...batch.segments], [0, 0, 0, 1, 1, -1, -1, -1]);
    assert.deepEqual([...batch.positions], [0, 1, 2, 0, 1, 0, 0, 0]);
  });

  test("always trains on something: what wrapping cuts off without a trained token is left out", () => {
    const prompts = fc.array(fc.record({ prompt: fc.integer({ min: 1, max: 60 }), answer: fc.integer({ min: 1, max: 5 }) }), {
      minLength: 1,
      maxLength: 9,
    });
    fc.assert(
      fc.property(prompts, (lengths) => {
        const documents = lengths.map(({ prompt, answer }) => ({
          ids: new Int32Array(prompt + answer),
          trained: Uint8Array.from({ length: prompt + answer }, (_, at) => Number(at >= prompt)),
        }));
        const batches = allBatches(documentRows(layOut(documents, "wrapped", capacity), capacity), 1);
        const trained = batches.map(({ targets }) => targets.filter((target) => target !== -1).length);
        assert.ok(trained.every((count) => count > 0));
        assert.equal(trained.reduce((sum, count) => sum + count, 0), lengths.reduce((sum, { answer }) => sum + answer, 0)); // prettier-ignore
      }),
    );
  });

  test("has the length that the longest row of the run needs, rounded up, and no more than is allowed", () => {
    const sets = [[4, 20], [18]].map((lengths) => layOut(documentsOf(lengths), "none", 30));
    assert.equal(commonLength(sets, 100), 32);
    assert.equal(commonLength(sets, 19), 19);
    const [batch] = allBatches(documentRows(sets[0]!, 32), 8);
    assert.deepEqual([batch!.rows, batch!.length, batch!.ids.length], [2, 32, 64]);
    assert.throws(() => makeBatch(documentsOf([20]), packRows([20], 30, "none"), 18), /row 0 is longer than 18/);
  });
});

describe("the order of rows", () => {
  const options = fc.record({
    rows: fc.integer({ min: 1, max: 50 }),
    batchSize: fc.integer({ min: 1, max: 6 }),
    accumulationSteps: fc.integer({ min: 1, max: 4 }),
    seed: fc.nat(),
    shuffle: fc.boolean(),
  });

  test("has every row once an epoch, in batches of the right size", () => {
    fc.assert(
      fc.property(options, fc.nat(3), (chosen, epoch) => {
        const order = new DataOrder(chosen);
        const steps = Array.from({ length: order.stepsPerEpoch }, (_, step) => order.rowsOf(epoch * order.stepsPerEpoch + step));
        assert.ok(steps.every((step) => step.epoch === epoch && step.batches.length <= chosen.accumulationSteps));
        const batches = steps.flatMap((step) => step.batches);
        assert.ok(batches.slice(0, -1).every((batch) => batch.length === chosen.batchSize));
        assert.deepEqual(
          batches.flat().toSorted((a, b) => a - b),
          Array.from({ length: chosen.rows }, (_, row) => row),
        );
        if (!chosen.shuffle)
          assert.deepEqual(
            batches.flat(),
            batches.flat().toSorted((a, b) => a - b),
          );
      }),
    );
  });

  test("depends on seed and step alone, and differs by epoch and by seed", () => {
    const base = { rows: 40, batchSize: 4, accumulationSteps: 2, seed: 7, shuffle: true };
    const forwards = new DataOrder(base);
    const steps = Array.from({ length: 10 }, (_, step) => forwards.rowsOf(step));
    const backwards = new DataOrder(base);
    for (let step = 9; step >= 0; step--) assert.deepEqual(backwards.rowsOf(step), steps[step]);
    const epoch = (first: number): number[] => steps.slice(first, first + 5).flatMap((step) => step.batches.flat());
    assert.notDeepEqual(epoch(0), epoch(5));
    assert.notDeepEqual(new DataOrder({ ...base, seed: 8 }).rowsOf(0), steps[0]);
  });
});
