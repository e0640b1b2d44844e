/** @file Tests of log-probabilities: from the largest logits and from all, against the plain formula. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { BonsaiError } from "../../../src/errors/bonsai-error.ts";
import { logprobOfLogit, logprobsFromFull, logprobsFromTop, logSumExp } from "../../../src/engine/sampling/token-logprobs.ts";

const rows = fc
  .array(fc.oneof(fc.float({ min: -50, max: 50, noNaN: true }), fc.integer({ min: -2, max: 2 }), fc.constant(-Infinity)), {
    minLength: 1,
    maxLength: 100,
  })
  .filter((row) => row.some(Number.isFinite))
  .map((row) => Float32Array.from(row));

describe("log-probabilities", () => {
  test("are natural logs of the softmax of the raw logits, most likely first, ties by id", () => {
    fc.assert(
      fc.property(rows, fc.integer({ min: 0, max: 20 }), (logits, k) => {
        const sum = logits.reduce((total, logit) => total + Math.exp(logit), 0);
        const expected = [...logits.keys()]
          .toSorted((a, b) => (logits[a] === logits[b] ? a - b : logits[b]! - logits[a]!))
          .slice(0, k)
          .map((tokenId) => ({ tokenId, probability: Math.exp(logits[tokenId]!) / sum }));
        const actual = logprobsFromFull(logits, logSumExp(logits), k);
        assert.deepEqual(
          actual.map(({ tokenId }) => tokenId),
          expected.map(({ tokenId }) => tokenId),
        );
        actual.forEach(({ logprob }, i) => assert.ok(Math.abs(Math.exp(logprob) - expected[i]!.probability) < 1e-9));
      }),
      { numRuns: 1000 },
    );
  });

  test("are the same from the largest logits as from all", () => {
    fc.assert(
      fc.property(rows, fc.integer({ min: 0, max: 20 }), (logits, k) => {
        const ids = [...logits.keys()].toSorted((a, b) => (logits[a] === logits[b] ? a - b : logits[b]! - logits[a]!)).slice(0, 32);
        const top = { values: Float32Array.from(ids, (id) => logits[id]!), ids };
        const sum = logSumExp(logits);
        assert.deepEqual(logprobsFromTop(top, sum, k), logprobsFromFull(logits, sum, k));
      }),
    );
  });

  test("stay finite for impossible tokens and for logits too large for exp", () => {
    assert.equal(logprobOfLogit(-Infinity, 3), -9999);
    assert.equal(logSumExp(Float32Array.of(3e38, -3e38)), Math.fround(3e38));
    assert.deepEqual(logprobsFromFull(Float32Array.of(-Infinity, 1), 1, 5), [
      { tokenId: 1, logprob: 0 },
      { tokenId: 0, logprob: -9999 },
    ]);
  });

  test("are refused for a row that is not numbers", () => {
    for (const row of [[NaN, 1], [Infinity, 1], [-Infinity], []]) {
      assert.throws(
        () => logSumExp(Float32Array.from(row)),
        (error) => error instanceof BonsaiError && error.code === "internal",
      );
    }
  });
});
