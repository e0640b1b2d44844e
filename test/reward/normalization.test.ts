/** @file Rewards on the scale of their reference set, and the rules by which several models become one. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { BonsaiError } from "../../src/errors/bonsai-error.ts";
import { combine, ensembleOf, parseEnsemble } from "../../src/reward/ensemble.ts";
import { measureNormalization, normalized } from "../../src/reward/normalization.ts";
import { answersTo, type RewardModel } from "../../src/reward/reward-model.ts";
import { assertRefused } from "../formats/expect-error.ts";

const finite = fc.double({ min: -100, max: 100, noNaN: true });
const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
const deviation = (values: readonly number[]): number => Math.sqrt(mean(values.map((value) => (value - mean(values)) ** 2)));
const near = (actual: number, expected: number): void => assert.ok(Math.abs(actual - expected) < 1e-9, `${actual} and not ${expected}`);

describe("normalised rewards", () => {
  test("are those of a case that was worked by hand", () => {
    const scales = {
      dimensions: [
        { mean: 1, deviation: 2 },
        { mean: -1, deviation: 4 },
      ],
      holistic: { mean: 0.5, deviation: 0.25 },
      reference: "",
    };
    const { reward, raw, dimensions } = normalized({ weights: [0.75, 0.25], normalization: scales }, [3, 1], "");
    assert.deepEqual([raw, reward, dimensions], [2.5, 8, [1, 0.5]]);
  });

  test("of the reference set itself have mean 0 and deviation 1, in every dimension and as a whole", () => {
    const rows = fc.array(fc.tuple(finite, finite, finite), { minLength: 2, maxLength: 30 });
    fc.assert(
      fc.property(rows, (outputs) => {
        fc.pre([0, 1, 2].every((at) => deviation(outputs.map((row) => row[at]!)) > 0.01));
        const weights = [0.5, 0.3, 0.2];
        fc.pre(deviation(outputs.map(([a, b, c]) => 0.5 * a + 0.3 * b + 0.2 * c)) > 0.01);
        const normalization = measureNormalization(outputs, weights, "these");
        const rewards = outputs.map((row) => normalized({ weights, normalization }, row, ""));
        for (const values of [
          rewards.map(({ reward }) => reward),
          ...[0, 1, 2].map((at) => rewards.map(({ dimensions }) => dimensions[at]!)),
        ]) {
          assert.ok(Math.abs(mean(values)) < 1e-6 && Math.abs(deviation(values) - 1) < 1e-6, `${mean(values)}, ${deviation(values)}`);
        }
      }),
    );
  });

  test("cannot be measured on answers that are all worth the same, or on one", () => {
    assertRefused(
      () =>
        measureNormalization(
          [
            [1, 2],
            [1, 3],
          ],
          [1, 1],
          "",
        ),
      "invalid_dataset",
      /the same output 0/,
    );
    assertRefused(
      () =>
        measureNormalization(
          [
            [1, 2],
            [2, 1],
          ],
          [1, 1],
          "",
        ),
      "invalid_dataset",
      /the same the weighted reward|weighted/,
    );
    assertRefused(() => measureNormalization([[1]], [1], ""), "invalid_dataset", /at least 2/);
  });
});

/** Rewards an answer by its length in characters, times a factor. */
function byLength(name: string, factor: number, dimensions: readonly string[] = ["long", "short"]): RewardModel {
  return {
    name,
    dimensions,
    score: async (inputs, { signal }) => {
      await new Promise((resolve) => setImmediate(resolve));
      if (signal?.aborted) throw new BonsaiError("cancelled", "The client left.");
      return inputs.map(({ answer }) => {
        const reward = factor * answer.content.length;
        return {
          reward,
          raw: 10 * reward,
          dimensions: dimensions.map((_, at) => (at === 0 ? reward : -reward)),
          tokens: 3,
          cachedTokens: 1,
          cutTokens: 0,
        };
      });
    },
  };
}

const inputs = answersTo([], ["a", "four"]);

describe("an ensemble", () => {
  test("combines by its rule", () => {
    near(combine([1, 2, 6], { kind: "mean" }), 3);
    near(combine([1, 2, 6], { kind: "minimum" }), 1);
    near(combine([1, 2, 6], { kind: "pessimistic", deviations: 0.5 }), 3 - 0.5 * Math.sqrt(14 / 3));
  });

  test("is never worth more than its mean by a pessimistic rule, and the same where all agree", () => {
    fc.assert(
      fc.property(fc.array(finite, { minLength: 1, maxLength: 6 }), fc.double({ min: 0, max: 5, noNaN: true }), (rewards, deviations) => {
        const most = combine(rewards, { kind: "mean" });
        assert.ok(combine(rewards, { kind: "minimum" }) <= most + 1e-9);
        assert.ok(combine(rewards, { kind: "pessimistic", deviations }) <= most + 1e-9);
        near(combine([most, most], { kind: "pessimistic", deviations }), most);
      }),
    );
  });

  test("is a reward model: dimension by dimension where its members have the same, and counts the tokens of all", async () => {
    const ensemble = ensembleOf("both", [byLength("one", 1), byLength("three", 3)], { kind: "minimum" });
    assert.deepEqual(ensemble.dimensions, ["long", "short"]);
    const answers = await ensemble.score(inputs, { truncate: false });
    assert.deepEqual(answers, [
      { reward: 1, raw: 1, dimensions: [1, -3], tokens: 6, cachedTokens: 2, cutTokens: 0 },
      { reward: 4, raw: 4, dimensions: [4, -12], tokens: 6, cachedTokens: 2, cutTokens: 0 },
    ]);
  });

  test("has one dimension where its members differ", async () => {
    const ensemble = ensembleOf("both", [byLength("one", 1), byLength("three", 3, ["reward"])], { kind: "mean" });
    assert.deepEqual(ensemble.dimensions, ["reward"]);
    assert.deepEqual(
      (await ensemble.score(inputs, { truncate: false })).map(({ dimensions }) => dimensions),
      [[2], [8]],
    );
  });

  test("fails with its member, cancels the others, and is cancelled with its request", async () => {
    let cancelled = false;
    const failing: RewardModel = { ...byLength("failing", 1), score: async () => Promise.reject(new BonsaiError("overloaded", "Full.")) };
    const watched: RewardModel = {
      ...byLength("watched", 1),
      score: (_, { signal }) =>
        new Promise((_resolve, reject) =>
          signal?.addEventListener("abort", () => {
            cancelled = true;
            reject(signal.reason as Error);
          }),
        ),
    };
    await assert.rejects(
      ensembleOf("both", [watched, failing], { kind: "mean" }).score(inputs, { truncate: false }),
      (error) => error instanceof BonsaiError && error.code === "overloaded",
    );
    assert.ok(cancelled);
    const controller = new AbortController();
    const scoring = ensembleOf("one", [watched], { kind: "mean" }).score(inputs, { truncate: false, signal: controller.signal });
    const reason = new BonsaiError("draining", "The server shuts down.");
    controller.abort(reason);
    await assert.rejects(scoring, (error) => error === reason);
    assertRefused(() => ensembleOf("none", [], { kind: "mean" }), "usage", /no members/);
  });

  test("is read as it is written on a command line", () => {
    assert.deepEqual(parseEnsemble("careful=rm-1+rm-2"), { id: "careful", members: ["rm-1", "rm-2"], rule: { kind: "mean" } });
    assert.deepEqual(parseEnsemble("careful=rm-1+rm-2:minimum"), { id: "careful", members: ["rm-1", "rm-2"], rule: { kind: "minimum" } });
    const rule = { kind: "pessimistic", deviations: 1.5 };
    assert.deepEqual(parseEnsemble("careful=a+b:mean-1.5"), { id: "careful", members: ["a", "b"], rule });
    for (const text of ["a+b", "=a+b", "x=", "x=a++b", "x=a+a", "x=a=b", "x=a,b"])
      assertRefused(() => parseEnsemble(text), "usage", /is no ensemble/);
  });
});
