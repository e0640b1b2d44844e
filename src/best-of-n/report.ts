/** @file The accounting of one Best-of-N request: what was sampled, what it cost, what was saved, and how each candidate ended. */

import type { Candidate, CandidateEnd } from "./candidate.ts";
import { klBoundNats } from "./kl-bound.ts";
import type { RewardFallback, Strategy } from "./options.ts";
import type { Standing } from "./strategies/ranking.ts";

export interface CandidateReport {
  index: number;
  /** A request for one answer with this seed gives the same. */
  seed: number;
  /** What the strategy ordered by; undefined for one that had no score. */
  score: number | undefined;
  /** Tokens that were generated for it. */
  tokens: number;
  end: CandidateEnd;
  text: string;
}

/** Milliseconds. */
export interface BestOfTimings {
  queueMs: number;
  prefillMs: number;
  decodeMs: number;
  /** While scores were being waited for, decoding or not. */
  rewardMs: number;
}

export interface BestOfReport {
  strategy: Strategy;
  rewardModel: string | undefined;
  /** What took the place of a reward model that failed. */
  fallback: Exclude<RewardFallback, "error"> | undefined;
  sampled: number;
  /** Candidates that came to their own end and competed. */
  finished: number;
  pruned: number;
  failed: number;
  deadlineHit: boolean;
  tokensGenerated: number;
  tokensReturned: number;
  /** An estimate, see `savedTokens`. */
  tokensSaved: number;
  klBoundNats: number;
  /** Best first; those that were not to be chosen come last. */
  candidates: CandidateReport[];
  timings: BestOfTimings;
}

/**
 * Tokens that dropped candidates would have come to: for each, the mean length of those that finished and are longer than it, less its own. Where none
 * is, nothing is claimed for it.
 */
export function savedTokens(candidates: readonly Candidate[]): number {
  const finished = candidates.filter(({ end }) => end === "stop" || end === "length").map(({ tokens }) => tokens);
  const saved = candidates
    .filter(({ end }) => end === "pruned" || end === "early_stop" || end === "deadline")
    .map(({ generatedTokens }) => {
      const longer = finished.filter((tokens) => tokens > generatedTokens);
      return longer.length === 0 ? 0 : longer.reduce((sum, tokens) => sum + tokens, 0) / longer.length - generatedTokens;
    });
  return Math.round(saved.reduce((sum, tokens) => sum + tokens, 0));
}

/** @param standings of all candidates, best first; the first `returned` of them come back */
export function reportOf(
  candidates: readonly Candidate[],
  standings: readonly Standing[],
  returned: number,
  rest: Pick<BestOfReport, "strategy" | "rewardModel" | "fallback" | "deadlineHit" | "timings">,
): BestOfReport {
  const count = (...ends: CandidateEnd[]): number => candidates.filter(({ end }) => end !== undefined && ends.includes(end)).length;
  const sum = (tokens: number[]): number => tokens.reduce((total, one) => total + one, 0);
  return {
    ...rest,
    sampled: candidates.length,
    finished: count("stop", "length"),
    pruned: count("pruned"),
    failed: count("failed"),
    tokensGenerated: sum(candidates.map(({ generatedTokens }) => generatedTokens)),
    tokensReturned: sum(standings.slice(0, returned).map(({ index }) => candidates[index]!.tokens)),
    tokensSaved: savedTokens(candidates),
    klBoundNats: klBoundNats(candidates.length),
    candidates: standings.map(({ index, score }) => {
      const { seed, generatedTokens, end, text } = candidates[index]!;
      return { index, seed, score, tokens: generatedTokens, end: end ?? "deadline", text };
    }),
  };
}
