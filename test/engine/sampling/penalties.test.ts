/**
 * @file Tests of penalties and logit_bias: against the formulas applied to whole rows, and of the history that counts
 * tokens.
 */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { BonsaiError } from "../../../src/errors/bonsai-error.ts";
import { needsFullLogits, penalise, TokenHistory } from "../../../src/engine/sampling/penalties.ts";
import { sampleFromFull } from "../../../src/engine/sampling/sampler.ts";
import { plainSampling } from "../../../src/engine/sampling/sampler.ts";
import { referencePenalise } from "./sampler-reference.ts";

function historyOf(prompt: readonly number[], answer: readonly number[]): TokenHistory {
  const history = new TokenHistory(new Set(prompt));
  for (const tokenId of answer) history.push(tokenId);
  return history;
}

const tokens = fc.array(fc.integer({ min: 0, max: 19 }), { maxLength: 30 });
const row = fc
  .array(fc.float({ min: -30, max: 30, noNaN: true }), { minLength: 20, maxLength: 20 })
  .map((values) => Float32Array.from(values));
const penalties = fc.record({
  presencePenalty: fc.constantFrom(0, 0.5, -2, 2),
  frequencyPenalty: fc.constantFrom(0, 0.25, -1, 2),
  repetitionPenalty: fc.constantFrom(1, 1.3, 0.5, 2),
  logitBias: fc.array(fc.tuple(fc.integer({ min: 0, max: 19 }), fc.double({ min: -100, max: 100, noNaN: true })), { maxLength: 3 }),
});

describe("penalise", () => {
  test("equals the formulas of OpenAI and CTRL applied to every token", () => {
    fc.assert(
      fc.property(row, penalties, tokens, tokens, (logits, some, prompt, answer) => {
        const params = { ...plainSampling, ...some };
        const before = logits.slice();
        const result = penalise(logits, params, historyOf(prompt, answer));
        const expected = referencePenalise(logits, params, prompt, answer);
        assert.deepEqual(logits, before);
        result.forEach((logit, id) =>
          assert.ok(Math.abs(logit - expected[id]!) <= 1e-5 * Math.max(1, Math.abs(expected[id]!)), `${id}: ${logit} for ${expected[id]}`),
        );
      }),
      { numRuns: 1000 },
    );
  });

  test("counts the answer for presence and frequency, and prompt and answer once for repetition", () => {
    const logits = Float32Array.of(2, 2, 2, -2);
    const history = historyOf([0, 3], [1, 1, 1]);
    assert.deepEqual([...penalise(logits, { ...plainSampling, presencePenalty: 0.5 }, history)], [2, 1.5, 2, -2]);
    assert.deepEqual([...penalise(logits, { ...plainSampling, frequencyPenalty: 0.5 }, history)], [2, 0.5, 2, -2]);
    assert.deepEqual([...penalise(logits, { ...plainSampling, repetitionPenalty: 2 }, history)], [1, 1, 2, -4]);
    assert.deepEqual(
      [
        ...penalise(
          logits,
          {
            ...plainSampling,
            logitBias: [
              [2, -100],
              [2, 1],
            ],
          },
          history,
        ),
      ],
      [2, 2, -97, -2],
    );
  });

  test("keeps a masked token masked and every other logit finite", () => {
    const logits = Float32Array.of(-Infinity, 3e38, -3e38, 1);
    const params = {
      ...plainSampling,
      repetitionPenalty: 1e-3,
      logitBias: [
        [0, 100],
        [3, 100],
      ] as [number, number][],
    };
    const result = penalise(logits, params, historyOf([1], [0, 3]));
    assert.equal(result[0], -Infinity);
    assert.ok([...result.subarray(1)].every(Number.isFinite));
    const harsh = penalise(logits, { ...plainSampling, repetitionPenalty: 2 }, historyOf([2], []));
    assert.ok(Number.isFinite(harsh[2]!));
  });

  test("returns the very row when nothing changes it, as needsFullLogits foretells", () => {
    fc.assert(
      fc.property(row, penalties, tokens, tokens, (logits, some, prompt, answer) => {
        const params = { ...plainSampling, ...some };
        if (!needsFullLogits(params)) assert.equal(penalise(logits, params, historyOf(prompt, answer)), logits);
      }),
    );
    assert.ok(!needsFullLogits({ ...plainSampling, temperature: 0.3, topK: 5, topP: 0.5, minP: 0.1, logitBias: [[3, 0]] }));
    for (const some of [
      { presencePenalty: 0.1 },
      { frequencyPenalty: -0.1 },
      { repetitionPenalty: 1.1 },
      { logitBias: [[3, 1]] as [number, number][] },
    ]) {
      assert.ok(needsFullLogits({ ...plainSampling, ...some }));
    }
  });

  test("names a biased token that the vocabulary lacks", () => {
    for (const tokenId of [4, -1, 0.5]) {
      assert.throws(
        () => penalise(new Float32Array(4), { ...plainSampling, logitBias: [[tokenId, 1]] }, historyOf([], [])),
        (error) =>
          error instanceof BonsaiError &&
          error.code === "invalid_request" &&
          error.param === "logit_bias" &&
          error.message.includes(String(tokenId)),
      );
    }
  });
});

describe("sampleFromFull with penalties", () => {
  test("draws from the changed logits and reports the model's own", () => {
    const logits = Float32Array.of(5, 4, 0);
    const greedy = { ...plainSampling, temperature: 0 };
    assert.deepEqual(sampleFromFull(logits, { ...greedy, logitBias: [[2, 100]] }, historyOf([], []), 0.5), { tokenId: 2, logit: 0 });
    assert.deepEqual(sampleFromFull(logits, { ...greedy, frequencyPenalty: 1 }, historyOf([], [0, 0]), 0.5), { tokenId: 1, logit: 4 });
    assert.deepEqual(sampleFromFull(logits, { ...greedy, frequencyPenalty: 1 }, historyOf([0, 0], []), 0.5), { tokenId: 0, logit: 5 });
    assert.deepEqual(sampleFromFull(logits, { ...plainSampling, logitBias: [[0, -100]], topK: 1 }, historyOf([], []), 0.9), {
      tokenId: 1,
      logit: 4,
    });
  });

  test("does not use the graph's normaliser, which is of the unchanged logits", () => {
    const logits = Float32Array.of(5, 4, 0);
    const params = { ...plainSampling, logitBias: [[0, -100]] as [number, number][] };
    for (const draw of [0, 0.3, 0.9, 0.999]) {
      assert.deepEqual(
        sampleFromFull(logits, params, historyOf([], []), draw, 1e6),
        sampleFromFull(logits, params, historyOf([], []), draw),
      );
    }
  });
});
