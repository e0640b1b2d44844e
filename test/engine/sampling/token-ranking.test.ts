/** @file Tests of the ranking: against a comparison sort, over every kind of float. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { uniform } from "../../../src/random/philox.ts";
import { TokenRanking } from "../../../src/engine/sampling/token-ranking.ts";

function sorted(logits: Float32Array): number[] {
  return [...logits.keys()].toSorted((a, b) => (logits[a] === logits[b] ? a - b : logits[b]! - logits[a]!));
}

describe("TokenRanking", () => {
  test("orders any floats as a comparison sort does, ties by id, whichever rank is asked first", () => {
    const logit = fc.oneof(
      fc.float({ noNaN: true, noDefaultInfinity: true }),
      fc.constantFrom(0, -0, -Infinity, 1e-45, -1e-45, 3.4028234663852886e38, -3.4028234663852886e38),
      fc.integer({ min: -2, max: 2 }),
    );
    fc.assert(
      fc.property(fc.array(logit, { minLength: 1, maxLength: 700, size: "max" }), fc.nat(), (row, pick) => {
        const logits = Float32Array.from(row);
        const ranking = new TokenRanking(logits);
        const expected = sorted(logits);
        const first = pick % row.length;
        assert.equal(ranking.tokenId(first), expected[first]);
        assert.deepEqual(
          Array.from(expected, (_, rank) => ranking.tokenId(rank)),
          expected,
        );
        assert.deepEqual(
          Array.from(expected, (_, rank) => ranking.logit(rank)),
          expected.map((id) => logits[id]),
        );
      }),
      { numRuns: 200 },
    );
  });

  test("orders a whole vocabulary, flat, peaked or far from 0", () => {
    for (const [scale, offset] of [
      [1, 0],
      [30, -5],
      [1e-3, 20],
      [1e-6, -20],
    ] as const) {
      const logits = Float32Array.from({ length: 49_152 }, (_, i) => uniform(9, i) * scale + offset);
      const ranking = new TokenRanking(logits);
      const expected = sorted(logits);
      for (const rank of [0, 1, 255, 256, 257, 4096, 20_000, 49_151]) assert.equal(ranking.tokenId(rank), expected[rank]);
    }
  });

  test("works on a view that starts inside a larger buffer", () => {
    const buffer = Float32Array.of(9, 9, 1, 3, 2, 9);
    const ranking = new TokenRanking(buffer.subarray(2, 5));
    assert.deepEqual(
      [0, 1, 2].map((rank) => ranking.tokenId(rank)),
      [1, 2, 0],
    );
  });
});
