/** @file The scheduler's decision: neither prompts nor answers ever wait for more than one step of the other. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { nextAction, type Action } from "../../src/engine/scheduler.ts";

const view = fc.record({ prefilling: fc.nat(3), decoding: fc.nat(3), last: fc.constantFrom<Action>("prefill", "decode", "idle") });

describe("the scheduler", () => {
  test("is idle exactly when there is nothing to do, and never does what there is nothing of", () => {
    fc.assert(
      fc.property(view, ({ prefilling, decoding, last }) => {
        const action = nextAction({ prefilling, decoding, last });
        assert.equal(action === "idle", prefilling === 0 && decoding === 0);
        if (action === "prefill") assert.ok(prefilling > 0);
        if (action === "decode") assert.ok(decoding > 0);
      }),
    );
  });

  test("alternates while there are both", () => {
    const actions: Action[] = ["idle"];
    for (let step = 0; step < 6; step++) actions.push(nextAction({ prefilling: 2, decoding: 5, last: actions.at(-1)! }));
    assert.deepEqual(actions.slice(1), ["prefill", "decode", "prefill", "decode", "prefill", "decode"]);
  });
});
