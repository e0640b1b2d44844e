/** @file Tests divergences against the definitions, term by term. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { addDivergence, addToken, distribution, noDivergence } from "./divergence.ts";

const logitsOf = (size: number) =>
  fc.array(fc.double({ min: -40, max: 40, noNaN: true }), { minLength: size, maxLength: size }).map((values) => Float32Array.from(values));
const pair = fc.integer({ min: 2, max: 50 }).chain((size) => fc.tuple(logitsOf(size), logitsOf(size), fc.nat({ max: size - 1 })));

/** ln softmax, as it is written in books, in doubles. */
function logSoftmax(logits: Float32Array): number[] {
  const sum = [...logits].reduce((total, logit) => total + Math.exp(logit - 40), 0);
  return [...logits].map((logit) => logit - 40 - Math.log(sum));
}

describe("divergence", () => {
  it("is the sum of p (ln p - ln q) and of -ln q, as they are defined", () => {
    fc.assert(
      fc.property(pair, ([reference, measured, tokenId]) => {
        const [p, q] = [logSoftmax(reference), logSoftmax(measured)];
        const sums = noDivergence();
        addToken(sums, distribution(reference), measured, tokenId);
        const kl = p.reduce((sum, logP, id) => sum + Math.exp(logP) * (logP - (q[id] as number)), 0);
        assert.ok(Math.abs(sums.klNats - kl) <= 1e-5, `${sums.klNats} is not ${kl}`);
        assert.ok(Math.abs(sums.surprisalNats + (q[tokenId] as number)) <= 1e-5);
        assert.equal(sums.tokens, 1);
      }),
    );
  });

  it("is nothing between a distribution and itself, whatever constant its logits are shifted by", () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 50 }).chain(logitsOf), fc.integer({ min: -8, max: 8 }), (logits, shift) => {
        const sums = noDivergence();
        addToken(
          sums,
          distribution(logits),
          Float32Array.from(logits, (logit) => logit + shift),
          0,
        );
        assert.ok(Math.abs(sums.klNats) <= 1e-4, `${sums.klNats}`);
      }),
    );
  });

  it("counts a token as agreed when the likeliest candidates are the same", () => {
    const sums = noDivergence();
    addToken(sums, distribution(Float32Array.of(0, 3, 1)), Float32Array.of(-5, 0.1, 0), 0);
    addToken(sums, distribution(Float32Array.of(0, 3, 1)), Float32Array.of(-5, 0, 0.1), 0);
    assert.equal(sums.agreements, 1);
  });

  it("adds up over texts", () => {
    const sums = noDivergence();
    addDivergence(sums, { tokens: 2, surprisalNats: 3, klNats: 0.5, agreements: 1 });
    addDivergence(sums, { tokens: 1, surprisalNats: 1, klNats: 0.25, agreements: 1 });
    assert.deepEqual(sums, { tokens: 3, surprisalNats: 4, klNats: 0.75, agreements: 2 });
  });
});
