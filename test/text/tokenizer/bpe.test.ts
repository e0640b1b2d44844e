/**
 * @file The heap of pairs merges as the plain loop does, which looks for the best pair of the word again after each
 * merge.
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { PairMerger } from "../../../src/text/tokenizer/bpe.ts";
import { MergeTable } from "../../../src/text/tokenizer/merge-table.ts";

type Merge = [left: number, right: number];

/** Ids below `symbolCount` are symbols; merge i makes the token `symbolCount + i`. */
const symbolCount = 3;

function mergePlainly(merges: readonly Merge[], symbols: readonly number[]): number[] {
  const word = [...symbols];
  for (;;) {
    let best: { rank: number; position: number } | undefined;
    for (let position = 0; position + 1 < word.length; position++) {
      const rank = merges.findLastIndex(([left, right]) => left === word[position] && right === word[position + 1]);
      if (rank >= 0 && (best === undefined || rank < best.rank)) best = { rank, position };
    }
    if (best === undefined) return word;
    word.splice(best.position, 2, symbolCount + best.rank);
  }
}

function tableOf(merges: readonly Merge[]): MergeTable {
  const table = new MergeTable(merges.length);
  for (const [rank, [left, right]] of merges.entries()) table.set(left, right, rank, symbolCount + rank);
  return table;
}

function merge(merger: PairMerger, symbols: readonly number[]): number[] {
  const output: number[] = [];
  merger.merge(Int32Array.from(symbols), output);
  return output;
}

/** Any pair of symbols and earlier tokens, the same pair twice included. */
const merges = fc
  .array(fc.tuple(fc.nat(), fc.nat()), { maxLength: 12 })
  .map((pairs) => pairs.map(([left, right], rank): Merge => [left % (symbolCount + rank), right % (symbolCount + rank)]));
const word = (maxLength: number): fc.Arbitrary<number[]> => fc.array(fc.nat(symbolCount - 1), { maxLength, size: "max" });

describe("PairMerger", () => {
  it("merges as the plain loop does", () => {
    fc.assert(
      fc.property(merges, word(40), (pairs, symbols) =>
        assert.deepEqual(merge(new PairMerger(tableOf(pairs)), symbols), mergePlainly(pairs, symbols)),
      ),
    );
  });

  it("leaves nothing of one word behind for the next", () => {
    fc.assert(
      fc.property(merges, fc.array(word(200), { maxLength: 6 }), (pairs, words) => {
        const merger = new PairMerger(tableOf(pairs));
        for (const symbols of words) assert.deepEqual(merge(merger, symbols), mergePlainly(pairs, symbols));
      }),
      { numRuns: 50 },
    );
  });

  it("merges a long run of one symbol from the left, in pairs of pairs", () => {
    const merger = new PairMerger(tableOf([[0, 0], [3, 3], [4, 4]])); // prettier-ignore
    assert.deepEqual(
      merge(
        merger,
        Array.from({ length: 80_007 }, () => 0),
      ),
      [...Array.from({ length: 10_000 }, () => 5), 4, 3, 0],
    );
    assert.deepEqual(merge(merger, [0, 0, 0]), [3, 0]);
    assert.deepEqual(merge(merger, []), []);
  });
});

describe("MergeTable", () => {
  it("finds what was set and nothing else, the later of two ranks for one pair", () => {
    const pair = fc.tuple(fc.integer({ min: 0, max: 300_000 }), fc.integer({ min: 0, max: 300_000 }));
    fc.assert(
      fc.property(fc.array(pair, { maxLength: 200 }), fc.array(pair), (pairs, others) => {
        const table = new MergeTable(pairs.length);
        const expected = new Map<string, number>();
        for (const [rank, [left, right]] of pairs.entries()) {
          table.set(left, right, rank, rank + 7);
          expected.set(`${left},${right}`, rank);
        }
        for (const [left, right] of [...pairs, ...others]) {
          const rank = expected.get(`${left},${right}`) ?? -1;
          assert.equal(table.rankOf(left, right), rank);
          if (rank >= 0) assert.equal(table.mergedId(rank), rank + 7);
        }
      }),
    );
  });
});
