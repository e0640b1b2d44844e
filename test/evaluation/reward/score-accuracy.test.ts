/** @file Statistics of scores against preferences: worked cases, and data drawn from a known truth. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { EvaluationSetBuilder, type AnswerScores, type EvaluationSet } from "../../../src/evaluation/reward/evaluation-set.ts";
import { evaluateScores, labelledDimensions, lengthScores, noiseLevels } from "../../../src/evaluation/reward/score-accuracy.ts";
import { draw } from "../../../src/random/seeded-draw.ts";

const near = (actual: number, expected: number, tolerance = 1e-9): void =>
  assert.ok(Math.abs(actual - expected) <= tolerance, `${actual}, not ${expected}`);

function scoresOf(whole: readonly number[], dimensions: Record<string, number[]> = {}, isLogit = true): AnswerScores {
  const columns = Object.entries(dimensions).map(([name, values]) => [name, Float64Array.from(values)] as const);
  return { name: "model", whole: Float64Array.from(whole), dimensions: new Map(columns), isLogit };
}

/** Pairs of new prompts: the chosen answer of pair i is answer 2i, the rejected one 2i + 1. */
function pairs(count: number, preferences?: (index: number) => Record<string, 1 | 0 | -1>): EvaluationSet {
  const builder = new EvaluationSetBuilder("pairs");
  for (let index = 0; index < count; index++)
    builder.add([{ role: "user", content: `prompt ${index}` }], ["better", "worse one"], [1, 2], preferences?.(index));
  return builder.build();
}

describe("accuracy", () => {
  it("counts the pairs whose chosen answer scores higher, and half of equals", () => {
    const set = pairs(4);
    const { accuracy } = evaluateScores(set, scoresOf([2, 1, 1, 2, 3, 3, 5, 4]), 0);
    assert.deepEqual([accuracy.share, accuracy.cases], [2.5 / 4, 4]);
  });

  it("of a dimension is over the pairs that its labels decide, whichever answer they prefer", () => {
    const set = pairs(4, (index) => ({ safety: ([1, -1, 0, -1] as const)[index]! }));
    const safety = [1, 0, 1, 0, 1, 0, 0, 1];
    const { dimensions } = evaluateScores(set, scoresOf([0, 0, 0, 0, 0, 0, 0, 0], { safety }), 0);
    assert.deepEqual([dimensions.get("safety")!.share, dimensions.get("safety")!.cases], [2 / 3, 3]);
    assert.deepEqual(labelledDimensions(set), ["safety"]);
    assert.equal(
      evaluateScores(set, scoresOf([1, 0, 1, 0, 1, 0, 1, 0]), 0).dimensions.size,
      0,
      "a model that knows no dimensions has none",
    );
  });

  it("of length prefers the longer answer", () => {
    const builder = new EvaluationSetBuilder("set");
    builder.add([], ["long answer", "short"], [1, 2]);
    builder.add([], ["tiny", "very long answer"], [1, 2]);
    const set = builder.build();
    assert.equal(evaluateScores(set, lengthScores(set, []), 0).accuracy.share, 0.5);
  });

  it("falls with noise in labels as it must", () => {
    const set = pairs(4000);
    const whole = Array.from({ length: 8000 }, (_, answer) => (answer % 2 === 0 ? 1 : draw(3, "coin", answer) < 0.8 ? 0 : 2));
    const { accuracy, noisyAccuracy } = evaluateScores(set, scoresOf(whole), 5);
    assert.equal(noisyAccuracy[0]!.share, accuracy.share);
    for (const [level, noise] of noiseLevels.entries()) near(noisyAccuracy[level]!.share, accuracy.share * (1 - 2 * noise) + noise, 0.02);
  });
});

describe("a set", () => {
  it("has each answer to a prompt once, and of a list every pair of different rank", () => {
    const builder = new EvaluationSetBuilder("set");
    const prompt = [{ role: "user", content: "?" } as const];
    builder.add(prompt, ["a", "b", "c"], [1, 2, 2]);
    builder.add(prompt, ["a", "d"], [1, 2]);
    builder.add([], ["a", "b"], [1, 2]);
    const { answers, comparisons, prompts } = builder.build();
    assert.deepEqual(answers.map(({ text }) => text), ["a", "b", "c", "d", "a", "b"]); // prettier-ignore
    assert.deepEqual(comparisons.map(({ chosen, rejected }) => [chosen, rejected]), [[0, 1], [0, 2], [0, 3], [4, 5]]); // prettier-ignore
    assert.equal(prompts.length, 2);
  });
});

describe("the best of four", () => {
  it("is asked of an answer that beat three others and lost to none of them", () => {
    const builder = new EvaluationSetBuilder("set");
    const prompt = [{ role: "user", content: "?" } as const];
    for (const loser of ["b", "c", "d", "e"]) builder.add(prompt, ["a", loser], [1, 2]);
    builder.add(prompt, ["b", "a"], [1, 2]);
    for (const loser of ["c", "d"]) builder.add(prompt, ["b", loser], [1, 2]);
    const set = builder.build();
    assert.deepEqual(set.groups, [{ prompt: 0, best: 0, others: [2, 3, 4] }]);
    const share = (scores: number[]): number => evaluateScores(set, scoresOf(scores), 0).bestOfFour!.share;
    assert.equal(share([1, 9, 0, 0, 0]), 1);
    assert.equal(share([1, 0, 0, 2, 0]), 0);
    assert.equal(share([1, 0, 1, 0, 1]), 1 / 3);
    assert.equal(evaluateScores(pairs(3), scoresOf([1, 0, 1, 0, 1, 0]), 0).bestOfFour, undefined);
  });
});

describe("calibration", () => {
  it("is left out for scores that are no logits", () => {
    assert.equal(evaluateScores(pairs(1), scoresOf([1, 0], {}, false), 0).calibration, undefined);
  });
});
