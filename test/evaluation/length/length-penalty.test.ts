/** @file How rewards go with length, on sets where that is known, and what a penalty leaves of it. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { uniform } from "../../../src/random/philox.ts";
import { EvaluationSetBuilder, type AnswerScores, type EvaluationSet } from "../../../src/evaluation/reward/evaluation-set.ts";
import { lengthCorrelation, lengthSlope, penalizedScores } from "../../../src/evaluation/length/length-penalty.ts";
import { normalized } from "../../../src/reward/normalization.ts";

/** Prompts with answers of these lengths, the first of each being the best. */
function setOf(lengths: readonly (readonly number[])[]): EvaluationSet {
  const builder = new EvaluationSetBuilder("made up");
  for (const [index, of] of lengths.entries())
    builder.add(
      [{ role: "user", content: `Question ${index}` }],
      // No two answers of a prompt read alike.
      of.map((length, at) => String.fromCharCode(97 + at).repeat(length)),
      of.map((_, at) => at + 1),
    );
  return builder.build();
}

/** Rewards by what each answer is. */
function rewarded(set: EvaluationSet, reward: (text: string, prompt: number) => number): AnswerScores {
  const whole = Float64Array.from(set.answers, ({ text, prompt }) => reward(text, prompt));
  return { name: "made up", whole, dimensions: new Map([["usefulness", whole]]), isLogit: true };
}

describe("the slope of rewards on length", () => {
  test("is that of the answers to a prompt, whatever sets prompts apart", () => {
    // Prompts with longer answers have lower rewards; within each prompt a hundred characters are worth 0.75.
    const set = setOf([[10, 40, 25], [200, 290], [500, 510, 580, 430]]); // prettier-ignore
    const scores = rewarded(set, (text, prompt) => 0.0075 * text.length - 100 * prompt);
    assert.ok(Math.abs(lengthSlope(set, scores.whole) - 0.75) < 1e-9);
    assert.ok(Math.abs(lengthCorrelation(set, scores.whole) - 1) < 1e-9);
  });

  test("is found through what else answers are worth, and a penalty of it leaves no correlation, a part of it less", () => {
    const lengths = Array.from({ length: 400 }, (_, prompt) => [0, 1, 2, 3].map((at) => 20 + Math.floor(300 * uniform(at, prompt))));
    const set = setOf(lengths);
    const scores = rewarded(set, (text, prompt) => 0.02 * text.length + 4 * uniform(100 + text.charCodeAt(0), prompt));
    const slope = lengthSlope(set, scores.whole);
    assert.ok(Math.abs(slope - 2) < 0.1, String(slope));
    const left = [0, 0.5, 1].map((share) => lengthCorrelation(set, penalizedScores(set, scores, share * slope).whole));
    assert.ok(left[0]! > left[1]! && left[1]! > 0.1 && Math.abs(left[2]!) < 1e-9, String(left));
    // Every answer loses by its own length, and no dimension anything.
    const penalized = penalizedScores(set, scores, 2);
    for (const [place, { text }] of set.answers.entries())
      assert.ok(Math.abs(penalized.whole[place]! - (scores.whole[place]! - 0.02 * text.length)) < 1e-9);
    assert.equal(penalized.dimensions.get("usefulness"), scores.whole);
  });

  test("is 0 where no two answers to a prompt differ in length", () => {
    const set = setOf([[30, 30], [70, 70, 70]]); // prettier-ignore
    const scores = rewarded(set, (text, prompt) => text.charCodeAt(0) + prompt);
    assert.equal(lengthSlope(set, scores.whole), 0);
  });
});

test("a length penalty comes off the whole before it is brought to scale, and off no dimension", () => {
  const scale = { mean: 0.5, deviation: 0.25 };
  const model = { weights: [1], normalization: { dimensions: [scale], holistic: scale, reference: "" } };
  const penalized = { ...model, lengthPenalty: { perHundred: 0.4, reference: "made up" } };
  const answer = "x".repeat(250);
  assert.deepEqual(normalized(model, [3], answer), { raw: 3, reward: 10, dimensions: [10] });
  assert.deepEqual(normalized(penalized, [3], answer), { raw: 2, reward: 6, dimensions: [10] });
  assert.deepEqual(normalized(penalized, [3], ""), normalized(model, [3], answer));
});
