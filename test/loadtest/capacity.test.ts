/** @file Tests the check of goodput past saturation, by loads that are written down. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { summarizeLoad, type LoadSummary } from "../../loadtest/load-summary.ts";
import { capacityChapter } from "../../loadtest/report/capacity-chapter.ts";
import type { OfferedResult } from "../../loadtest/scenarios/capacity.ts";

const load = (goodput: number): LoadSummary => ({ ...summarizeLoad([], 1, false, null), throughput: 10, goodput });

/** The measured value of the check, for goodput by offered load; 10 requests a second saturate the server. */
async function heldGoodput(goodputs: readonly (readonly [offered: number, goodput: number])[]): Promise<number> {
  const offered = goodputs.map(([rate, goodput]): OfferedResult => ({ offered: rate, load: load(goodput) }));
  const { checks } = await capacityChapter({
    model: "teddy-sft",
    bestOf: 4,
    sizedFlags: [],
    peak: load(10),
    offered,
    unbounded: { offered: 20, load: load(1) },
    memory: [],
  });
  return checks.find(({ claim }) => claim.startsWith("least goodput"))!.measured;
}

describe("goodput past saturation", () => {
  it("is the least past it as a share of the most before it", async () => {
    assert.equal(await heldGoodput([[5, 4], [9, 8], [12, 6], [20, 7]]), 0.75); // prettier-ignore
  });

  it("is 0, and a number, where no answer was in time before saturation either", async () => {
    assert.equal(await heldGoodput([[5, 0], [20, 0]]), 0); // prettier-ignore
  });
});
