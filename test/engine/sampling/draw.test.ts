/**
 * @file Draws ask for all logits of a row wherever the most likely ones may not decide, by the rule that the model's
 * head computes.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { wantsLogits } from "../../../src/engine/sampling/draw.ts";
import type { SamplingParams } from "../../../src/engine/contract/request.ts";
import { inverseTemperature, sampleFromTop } from "../../../src/engine/sampling/sampler.ts";
import { greedySampling, requestFor } from "../answers.ts";

const known = 64;

const sampling: fc.Arbitrary<SamplingParams> = fc
  .record({
    temperature: fc.constantFrom(0, 0.3, 0.8, 1, 1.7),
    topP: fc.oneof(fc.constant(1), fc.double({ min: 0.01, max: 0.999, noNaN: true })),
    topK: fc.constantFrom(0, 0, 1, 40, 63, 64, 65, 200, 1000),
    minP: fc.constantFrom(0, 0, 0.001, 0.05, 0.3, 1),
  })
  .map((parts) => ({ ...greedySampling, ...parts }));

/** Rows from almost flat to almost certain, with ties. */
const row = fc
  .record({ size: fc.constantFrom(30, 64, 65, 300, 2000), spread: fc.constantFrom(0.01, 1, 3, 20), seed: fc.integer() })
  .map(({ size, spread, seed }) =>
    Float32Array.from({ length: size }, (_, at) => Math.round(Math.sin(seed + at * 12.9898) * 43.758 * spread) / 16).toSorted(
      (a, b) => b - a,
    ),
  );

test("whatever the head does not return, no draw needs", () => {
  let kept = 0;
  fc.assert(
    fc.property(row, sampling, fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), (logits, params, uniform) => {
      const inverse = inverseTemperature(params);
      const weights = logits.map((logit) => Math.exp((logit - logits[0]!) * inverse));
      const sum = (values: Float32Array): number => Math.fround(values.reduce((total, value) => total + value, 0));
      const top = weights.subarray(0, known);
      const { share, weight } = wantsLogits(requestFor("any", { sampling: params }), uniform, logits.length);
      const wanted = !(share * sum(weights) <= sum(top) * 0.998 || top.at(-1)! < weight * 0.999);
      if (wanted) return;
      kept++;
      const values = logits.subarray(0, known);
      const drawn = sampleFromTop({ values, ids: values.map((_, id) => id), normaliser: sum(weights) }, params, uniform);
      assert.notEqual(drawn, undefined);
    }),
    { numRuns: 20_000 },
  );
  assert.ok(kept > 4000, `${kept} rows stayed`);
});

test("penalties, biases and log-probabilities at another temperature want all logits, and greedy answers none", () => {
  const wish = (parts: Parameters<typeof requestFor>[1]): number => wantsLogits(requestFor("any", parts), 0.5, 1000).share;
  assert.ok(wish({ sampling: { ...greedySampling, presencePenalty: 1 } }) > 1);
  assert.ok(wish({ sampling: { ...greedySampling, logitBias: [[3, 1]] } }) > 1);
  assert.ok(wish({ sampling: { ...greedySampling, temperature: 0.5 }, logprobs: 2 }) > 1);
  assert.equal(wish({ sampling: { ...greedySampling, temperature: 0.5 } }), 0.5);
  assert.equal(wish({ logprobs: 2 }), 0);
});
