/** @file The accounting of a request, by hand, and the order of those that do not compete. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { Candidate, type CandidateEnd } from "../../src/best-of-n/candidate.ts";
import { rankCandidates } from "../../src/best-of-n/strategies/rank-candidates.ts";
import { reportOf, savedTokens } from "../../src/best-of-n/result.ts";

const timings = { queueMs: 1, prefillMs: 2, decodeMs: 3, rewardMs: 4 };

function candidates(...described: [end: CandidateEnd, tokens: number, late?: number, text?: string][]): Candidate[] {
  return described.map(([end, tokens, late = 0, text = "x"], index) => {
    const candidate = new Candidate(index, 100 + index);
    for (let token = 0; token < tokens; token++) candidate.append({ type: "delta", index, text, tokenIds: [token] });
    candidate.end = end;
    for (let token = 0; token < late; token++) candidate.append({ type: "delta", index, text, tokenIds: [token] });
    return candidate;
  });
}

test("what dropped candidates would have come to is claimed only where longer ones finished", () => {
  // 30 and 50 finished: 10 tokens would have come to their mean, 40; 35 to 50; 60 to nobody knows what.
  assert.equal(savedTokens(candidates(["stop", 30], ["length", 50], ["pruned", 10], ["early_stop", 34, 1], ["deadline", 60])), 45);
  assert.equal(savedTokens(candidates(["pruned", 10])), 0);
});

test("a report counts every token once, and puts the winner first", () => {
  const all = candidates(["stop", 30], ["pruned", 10, 2], ["length", 40], ["failed", 3], ["deadline", 5]);
  const ranking = [2, 0, 4, 1, 3].map((index) => ({ index, score: index === 2 ? 1.5 : undefined }));
  const report = reportOf(all, ranking, 1, { strategy: "max", rewardModel: "rm", fallback: undefined, deadlineHit: true, timings });
  assert.deepEqual(
    [report.sampled, report.finished, report.pruned, report.failed, report.tokensGenerated, report.tokensReturned],
    [5, 2, 1, 1, 90, 40],
  );
  assert.equal(report.tokensSaved, 35 - 12 + (35 - 5));
  assert.ok(Math.abs(report.klBoundNats - (Math.log(5) - 4 / 5)) < 1e-12);
  const { text, ...winner } = report.candidates[0]!;
  assert.deepEqual([winner, text.length], [{ index: 2, seed: 102, score: 1.5, tokens: 40, end: "length" }, 40]);
});

test("whoever is blank, dropped or failed comes last and never wins, whatever its score", async () => {
  const all = candidates(["failed", 2], ["pruned", 2], ["stop", 2, 0, " "], ["stop", 2], ["deadline", 2, 0, "y"]);
  const rules = {
    softTemperature: 1,
    voteOn: "text",
    seed: 1,
    compare: async (): Promise<0> => 0,
    scoreOf: ({ index }: Candidate) => 10 - index,
  } as const;
  for (const strategy of ["max", "logprob", "mbr", "majority", "knockout"] as const) {
    const order = await rankCandidates(all, { ...rules, strategy });
    assert.deepEqual(
      order.map(({ index }) => index),
      [3, 4, 2, 1, 0],
      strategy,
    );
    assert.deepEqual(
      order.slice(2).map(({ score }) => score),
      [undefined, undefined, undefined],
    );
  }
});
