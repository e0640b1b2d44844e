/** @file Schedules of pruning: their check, their lengths in tokens, and how many candidates go on. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { checkStages, keptOfRunning, tokenStages } from "../../../src/best-of-n/pruning/schedule.ts";
import { BonsaiError } from "../../../src/errors/bonsai-error.ts";

test("stages must follow each other, and the one that does not is named", () => {
  checkStages([], "prune");
  checkStages(
    [
      { at: 0.25, keep: 0.5 },
      { at: 0.5, keep: 0.5 },
    ],
    "prune",
  );
  assert.throws(
    () =>
      checkStages(
        [
          { at: 0.25, keep: 0.5 },
          { at: 0.5, keep: 0.5 },
          { at: 0.5, keep: 0.9 },
        ],
        "prune",
      ),
    (error: unknown) =>
      error instanceof BonsaiError && error.code === "invalid_request" && error.param === "prune[2].at" && /0\.5/.test(error.message),
  );
});

test("stages fall on whole tokens within the answer, and those that fall together keep what both would", () => {
  assert.deepEqual(
    tokenStages(
      [
        { at: 0.25, keep: 0.5 },
        { at: 0.5, keep: 0.25 },
      ],
      128,
    ),
    [
      { tokens: 32, keep: 0.5 },
      { tokens: 64, keep: 0.25 },
    ],
  );
  assert.deepEqual(
    tokenStages(
      [
        { at: 0.01, keep: 0.5 },
        { at: 0.1, keep: 0.5 },
        { at: 0.99, keep: 0.5 },
      ],
      10,
    ),
    [{ tokens: 1, keep: 0.25 }],
  );
});

test("a stage rounds up, never drops those that have ended, and leaves as many as are wanted", () => {
  assert.equal(keptOfRunning(0.5, 16, 0, 1), 8);
  assert.equal(keptOfRunning(0.5, 5, 0, 1), 3);
  assert.equal(keptOfRunning(0.01, 16, 0, 1), 1);
  assert.equal(keptOfRunning(0.25, 8, 2, 5), 3);
  assert.equal(keptOfRunning(0.25, 8, 9, 5), 2);
  assert.equal(keptOfRunning(0.5, 2, 0, 4), 2);
  assert.equal(keptOfRunning(0.5, 0, 4, 1), 0);
});
