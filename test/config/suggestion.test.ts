/** @file The near miss is the closest word, and only when it is close. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { didYouMean, editDistance, nearMiss } from "../../src/config/suggestion.ts";

test("edit distance counts insertions, deletions, substitutions and swaps", () => {
  assert.deepEqual(
    [
      ["", ""],
      ["port", "prot"],
      ["host", "hosts"],
      ["model", "motel"],
      ["abc", ""],
    ].map(([left, right]) => editDistance(left!, right!)),
    [0, 1, 1, 1, 3],
  );
});

test("edit distance is symmetric, zero only for equal words, and at most the longer length", () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 12 }), fc.string({ maxLength: 12 }), (left, right) => {
      const distance = editDistance(left, right);
      assert.equal(distance, editDistance(right, left));
      assert.equal(distance === 0, left === right);
      assert.ok(distance <= Math.max(left.length, right.length));
    }),
  );
});

test("a near word is offered and a far one is not", () => {
  assert.equal(nearMiss("temprature", ["temperature", "top_p"]), "temperature");
  assert.equal(nearMiss("zzz", ["temperature", "top_p"]), undefined);
  assert.equal(nearMiss("t".repeat(100_000), ["temperature"]), undefined);
  assert.equal(didYouMean("foo", []), "");
});
