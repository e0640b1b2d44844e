/** @file From the report of a Best-of-N run to the `best_of` of an answer or chunk. */

import type { CandidateProgress } from "../../best-of-n/candidate-set.ts";
import type { BestOfReport } from "../../best-of-n/result.ts";
import type { BestOf, BestOfProgress } from "../wire/best-of-response.ts";

/** @param withTexts whether the texts of all candidates are wanted */
export function toBestOf(report: BestOfReport, withTexts: boolean): BestOf {
  const { queueMs, prefillMs, decodeMs, rewardMs } = report.timings;
  return {
    reward_model: report.rewardModel ?? null,
    strategy: report.strategy,
    fallback: report.fallback ?? null,
    sampled: report.sampled,
    finished: report.finished,
    pruned: report.pruned,
    deadline_hit: report.deadlineHit,
    tokens_generated: report.tokensGenerated,
    tokens_returned: report.tokensReturned,
    tokens_saved: report.tokensSaved,
    kl_bound_nats: report.klBoundNats,
    rewards: report.candidates.map(({ index, seed, score, tokens, end, text }) => ({
      index,
      seed,
      reward: score ?? null,
      tokens,
      finish_reason: end,
      ...(withTexts ? { text } : {}),
    })),
    timings_ms: { queue: round(queueMs), prefill: round(prefillMs), decode: round(decodeMs), reward: round(rewardMs) },
  };
}

export function toBestOfProgress(candidates: readonly CandidateProgress[]): BestOfProgress {
  return {
    phase: "sampling",
    candidates: candidates.map(({ index, tokens, state, score }) => ({
      index,
      tokens,
      state,
      ...(score === undefined ? {} : { reward: score }),
    })),
  };
}

/** To a microsecond. */
const round = (ms: number): number => Math.round(ms * 1000) / 1000;
