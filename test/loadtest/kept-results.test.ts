/**
 * @file Tests that results of scenarios outlive an interrupted run, and that those of another run are not taken for
 * this one's.
 */

import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, it } from "node:test";
import { KeptResults } from "../../loadtest/kept-results.ts";
import { difference, parseSamples } from "../../loadtest/server-metrics.ts";
import { summarizeLoad, objectiveMs } from "../../loadtest/load-summary.ts";
import type { Observation } from "../../loadtest/drivers/observation.ts";
import { temporaryFolder } from "../fixtures/temporary-folder.ts";

describe("kept results", () => {
  const folder = join(temporaryFolder(), "kept");

  it("are read back by a run of the same identity, and by no other", () => {
    new KeptResults(folder, { commit: "a" }).keep("load teddy-sft-bo8", { answered: 3 });
    assert.deepEqual(new KeptResults(folder, { commit: "a" }).read("load teddy-sft-bo8"), { answered: 3 });
    assert.equal(new KeptResults(folder, { commit: "b" }).read("load teddy-sft-bo8"), undefined);
    assert.equal(new KeptResults(folder, { commit: "a" }).read("load teddy-sft-bo4"), undefined);
  });

  it("are gone once removed", () => {
    new KeptResults(folder, { commit: "a" }).remove();
    assert.equal(new KeptResults(folder, { commit: "a" }).read("load teddy-sft-bo8"), undefined);
  });
});

describe("what the server says of itself", () => {
  it("is the growth of its counters, its memory at the end, and how late beyond the timer's 10 ms the event loop was", () => {
    const text = (generated: number, returned: number): string =>
      [
        "# HELP bonsai_generated_tokens_total Tokens generated",
        `bonsai_generated_tokens_total ${generated}`,
        `bonsai_best_of_tokens_total{model="a",use="returned"} ${returned}`,
        `bonsai_best_of_tokens_total{model="b",use="returned"} ${2 * returned}`,
        `bonsai_best_of_tokens_total{model="a",use="generated"} ${generated}`,
        "nodejs_eventloop_lag_p99_seconds 0.0125",
        "nodejs_eventloop_lag_max_seconds 0.009",
        "process_resident_memory_bytes 2.5e8",
      ].join("\n");
    assert.deepEqual(difference(parseSamples(text(100, 10)), parseSamples(text(160, 15))), {
      tokensGenerated: 60,
      bestOfReturned: 15,
      bestOfGenerated: 60,
      eventLoopDelayMs: { p99: 2.5, highest: 0 },
      residentMB: 250,
    });
  });
});

describe("a load's summary", () => {
  const answer = (endToEndMs: number, changes: Partial<Observation> = {}): Observation => ({
    status: 200,
    firstTokenMs: endToEndMs / 2,
    endToEndMs,
    pieceMs: [10, 30, 60],
    text: "",
    tokensGenerated: 40,
    tokensReturned: 10,
    reward: 1,
    retryAfterSeconds: undefined,
    failure: undefined,
    ...changes,
  });

  it("tells answers, refusals and failures apart, and counts goodput within the objective", () => {
    const summary = summarizeLoad(
      [
        answer(100),
        answer(objectiveMs),
        answer(objectiveMs + 1),
        answer(1, { status: 429, retryAfterSeconds: 2 }),
        answer(1, { status: 429 }),
        answer(1, { status: 500, failure: "status 500" }),
        answer(1, { failure: "the stream ended before [DONE]" }),
      ],
      2,
      true,
      null,
    );
    const { requests, answered, refused, refusedWithRetryAfter, failed, firstFailure, throughput, goodput } = summary;
    assert.deepEqual(
      { requests, answered, refused, refusedWithRetryAfter, failed, firstFailure, throughput, goodput },
      {
        requests: 7,
        answered: 3,
        refused: 2,
        refusedWithRetryAfter: 1,
        failed: 2,
        firstFailure: "status 500",
        throughput: 1.5,
        goodput: 1,
      },
    );
    assert.deepEqual([summary.tokensGenerated, summary.tokensReturned], [120, 30]);
    assert.deepEqual(summary.interTokenMs?.measured, 6);
    assert.equal(summary.endToEndMs?.p50, objectiveMs);
  });

  it("says nothing of the time between tokens where the answer comes all at once", () => {
    assert.equal(summarizeLoad([answer(100)], 1, false, null).interTokenMs, null);
  });
});
