/** @file Tests what is made of the numbers of all rounds: cells, medians and ratios. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Samples } from "./samples.ts";

describe("the numbers of all rounds", () => {
  it("compares rounds with rounds, so that what slows both in one leaves their ratio", () => {
    const samples = new Samples();
    for (const slowdown of [1, 4, 2]) {
      samples.add("ours", 300 / slowdown);
      samples.add("theirs", 100 / slowdown);
    }
    assert.equal(samples.ratio("ours", "theirs"), 3);
    assert.equal(samples.ratio("ours", "absent"), undefined);
    assert.equal(samples.ratioCell("absent", "ours"), null);
    assert.deepEqual(samples.cell("theirs"), { median: 50, lowest: 25, highest: 100 });
    assert.equal(samples.highest("theirs"), 100);
    assert.ok(Number.isNaN(samples.highest("absent")));
  });
});
