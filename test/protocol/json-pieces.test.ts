/** @file JSON in pieces is the JSON that `JSON.stringify` writes, and no piece is much longer than asked for. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { inPieces, jsonParts, pieceLength } from "../../src/protocol/wire/json-pieces.ts";

const value = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 5 },
    fc.constantFrom(null, undefined, true, 0, -0, 1.5, NaN, Infinity),
    fc.string({ unit: "binary" }),
    // Larger than a piece alone, so that what holds it is written member by member.
    fc.constantFrom("x".repeat(pieceLength), '"\n'.repeat(pieceLength)),
    fc.array(tie("value")),
    fc.dictionary(fc.string(), tie("value")),
  ),
})).value;

test("joined, the parts and the pieces are what JSON.stringify writes", () => {
  fc.assert(
    fc.property(value, (drawn) => {
      const expected = JSON.stringify({ drawn, list: [drawn] });
      const parts = [...jsonParts({ drawn, list: [drawn] })];
      assert.equal(parts.join(""), expected);
      const pieces = [...inPieces(parts)];
      assert.equal(pieces.join(""), expected);
      assert.ok(pieces.slice(0, -1).every(({ length }) => length >= pieceLength));
    }),
  );
});

test("no piece of an answer with many log-probabilities is longer than two pieces", () => {
  const token = {
    token: "a",
    bytes: [97],
    logprob: -1.25,
    top_logprobs: Array.from({ length: 20 }, () => ({ token: '"', bytes: [34], logprob: -2 })),
  };
  const choice = {
    index: 0,
    message: { role: "assistant", content: "a".repeat(1000) },
    logprobs: { content: Array.from({ length: 2000 }, () => token) },
  };
  const answer = { id: "x", choices: Array.from({ length: 4 }, () => choice) };
  const pieces = [...inPieces(jsonParts(answer))];
  assert.ok(pieces.length > 50);
  assert.ok(pieces.every(({ length }) => length < 2 * pieceLength));
  assert.equal(pieces.join(""), JSON.stringify(answer));
});
