/** @file The scheduler's decision: neither prompts nor answers ever wait for more than one step of the other. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { nextAction, type Action } from "../../../src/engine/scheduling/scheduler.ts";

const view = fc.record({
  prefilling: fc.nat(3),
  decoding: fc.nat(3),
  scoring: fc.nat(3),
  last: fc.constantFrom<Action>("prefill", "decode", "score", "idle"),
});

function actionsOf(work: { prefilling: number; decoding: number; scoring: number }, count: number): Action[] {
  const actions: Action[] = ["idle"];
  for (let step = 0; step < count; step++) actions.push(nextAction({ ...work, last: actions.at(-1)! }));
  return actions.slice(1);
}

describe("the scheduler", () => {
  test("is idle exactly when there is nothing to do, and never does what there is nothing of", () => {
    fc.assert(
      fc.property(view, (work) => {
        const action = nextAction(work);
        assert.equal(action === "idle", work.prefilling === 0 && work.decoding === 0 && work.scoring === 0);
        if (action === "prefill") assert.ok(work.prefilling > 0);
        if (action === "decode") assert.ok(work.decoding > 0);
        if (action === "score") assert.ok(work.scoring > 0);
      }),
    );
  });

  test("lets those take turns that there are", () => {
    assert.deepEqual(actionsOf({ prefilling: 2, decoding: 5, scoring: 0 }, 4), ["prefill", "decode", "prefill", "decode"]);
    assert.deepEqual(actionsOf({ prefilling: 0, decoding: 5, scoring: 1 }, 4), ["decode", "score", "decode", "score"]);
    assert.deepEqual(actionsOf({ prefilling: 1, decoding: 1, scoring: 1 }, 4), ["prefill", "decode", "score", "prefill"]);
  });
});
