/** @file Length-controlled win rates: cases worked by hand, and data made by a known effect of length. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { RandomStream } from "../../src/random/random-stream.ts";
import { lengthControlled, type LengthCase } from "../../src/statistics/length-control.ts";
import { sigmoid } from "../../src/statistics/logistic.ts";

const logit = (share: number): number => Math.log(share / (1 - share));

describe("a length-controlled rate", () => {
  const cases = (...groups: [wins: number, of: number, longer: number][]): LengthCase[] =>
    groups.flatMap(([wins, of, longer]) => Array.from({ length: of }, (_, at) => ({ success: Number(at < wins), prompt: at, longer })));

  test("is the plain rate where all answers are equally long", () => {
    const { share, low, high } = lengthControlled(cases([30, 40, 0]))!;
    assert.ok(Math.abs(share - 0.75) < 1e-3, String(share));
    // The deviation of a logit is 1 / sqrt(n p (1 - p)).
    const half = 1.96 / Math.sqrt(40 * 0.75 * 0.25);
    assert.ok(Math.abs(low - sigmoid(logit(0.75) - half)) < 1e-3 && Math.abs(high - sigmoid(logit(0.75) + half)) < 1e-3, `${low} ${high}`);
  });

  test("lies between the rates of longer and shorter answers, in logits midway where these mirror each other", () => {
    const { share } = lengthControlled(cases([180, 200, 12], [60, 200, -12]))!;
    assert.ok(Math.abs(share - sigmoid((logit(0.9) + logit(0.3)) / 2)) < 1e-3, String(share));
  });

  test("is finite where every longer answer wins, and where nothing is left to fit", () => {
    const separated = lengthControlled(cases([20, 20, 5], [0, 20, -5]))!;
    assert.ok(Math.abs(separated.share - 0.5) < 1e-6, String(separated.share));
    const { share, low, high } = lengthControlled(cases([9, 9, 3]))!;
    assert.ok(share > 0.9 && low <= share && share <= high && high <= 1, `${share} ${low} ${high}`);
    assert.equal(lengthControlled([]), undefined);
  });

  test("finds the rate from which the data was made, and its interval holds it in about 95 of 100 runs", () => {
    const truth = 0.6;
    const runs = 200;
    let held = 0;
    for (let run = 0; run < runs; run++) {
      const random = new RandomStream(run, "pair", 0);
      const made = Array.from({ length: 120 }, (_, prompt) => {
        // Answers to one prompt share its taste, as real ones do.
        const taste = random.uniform() - 0.5;
        return Array.from({ length: 4 }, (): LengthCase => {
          const longer = Math.round(60 * (random.uniform() - 0.2));
          // A deviation of these differences is 17.3 words.
          const chance = sigmoid(logit(truth) + 1.5 * Math.tanh(longer / 17.3) + taste);
          return { success: Number(random.uniform() < chance), prompt, longer };
        });
      }).flat();
      const { low, high, share } = lengthControlled(made)!;
      assert.ok(share > 0.4 && share < 0.8, String(share));
      if (low <= truth && truth <= high) held++;
    }
    assert.ok(held >= 0.9 * runs && held < runs, `${held} of ${runs}`);
  });
});
