/** @file Learning rates equal those of transformers' schedules. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { learningRateAt } from "../../../src/training/run/learning-rate.ts";
import { trainingGoldens } from "../model/training-goldens.ts";

for (const { rates, ...schedule } of trainingGoldens().schedules) {
  test(`${schedule.type} with ${schedule.warmupSteps} steps of warm-up gives transformers' rates`, () => {
    rates.forEach((rate, step) => assert.ok(Math.abs(learningRateAt(schedule, step) - rate) < 1e-15, `step ${step}`));
  });
}

test("a warm-up longer than the run only rises", () => {
  const schedule = { type: "cosine", learningRate: 1, warmupSteps: 10, totalSteps: 4 } as const;
  assert.deepEqual(
    [0, 1, 2, 3].map((step) => learningRateAt(schedule, step)),
    [0, 0.1, 0.2, 0.3],
  );
});
