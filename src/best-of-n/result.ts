/**
 * @file The result of one Best-of-N request: its events, the answers that were chosen, and the accounting of what was
 * sampled, dropped and saved.
 */

import type { GenerateEvent } from "../engine/contract/request.ts";
import type { Candidate, CandidateEnd } from "./candidate.ts";
import type { CandidateProgress } from "./candidate-set.ts";
import type { RewardFallback, Strategy } from "./options.ts";
import type { RankedCandidate } from "./strategies/ranking.ts";

export type StartEvent = Extract<GenerateEvent, { type: "start" }>;

/**
 * The events of a request, in order: some `progress` or, when candidates are streamed, their own events; then one
 * `start`, the deltas and a `finish` of each answer that was chosen, best first, numbered from 0 (not when candidates
 * are streamed); one `chosen`; one `end`.
 */
export type BestOfEvent =
  | GenerateEvent
  | { type: "progress"; candidates: CandidateProgress[] }
  | {
      type: "chosen";
      report: BestOfReport;
      /** Tokens that no `finish` of these events has counted. */
      otherTokens: number;
    };

export interface CandidateReport {
  index: number;
  /** A request for one answer with this seed gives the same. */
  seed: number;
  /** What the strategy ordered by; undefined where the candidate had no score. */
  score: number | undefined;
  /** Tokens that were generated for the candidate. */
  tokens: number;
  end: CandidateEnd;
  text: string;
}

/** Milliseconds. */
export interface BestOfTimings {
  queueMs: number;
  prefillMs: number;
  decodeMs: number;
  /** Time in which scores were awaited, while decoding or after it. */
  rewardMs: number;
}

export interface BestOfReport {
  strategy: Strategy;
  rewardModel: string | undefined;
  /** What replaced a reward model that failed. */
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
  /** Best first; those that could not be chosen come last. */
  candidates: CandidateReport[];
  timings: BestOfTimings;
}

/**
 * An upper bound, in nats, of the KL divergence of the chosen answer's distribution from the policy's: log N - (N - 1)
 * / N.
 *
 * Beirami et al. 2024, arXiv 2401.01879, for the best reward of N; it is an equality where single answers are unlikely
 * and rewards have no ties. It holds for every other way to choose one of N independent samples as well: a set of
 * answers with probability p is hit with probability at most 1 - (1 - p)^N, with equality for the best of N, so that
 * the ratio of densities of any other choice is majorised by that one's, N u^(N - 1) for u uniform in [0, 1], whose KL
 * divergence is the bound.
 *
 * @param samples N, at least 1
 */
export function klBoundNats(samples: number): number {
  return Math.log(samples) - (samples - 1) / samples;
}

/**
 * Estimates the tokens that dropped candidates would still have needed: for each, the mean length of the finished
 * candidates that are longer, less its own length. Where no finished candidate is longer, the estimate is 0.
 */
export function savedTokens(candidates: readonly Candidate[]): number {
  const finished = candidates.filter(({ hasFinished }) => hasFinished).map(({ tokens }) => tokens);
  const saved = candidates
    .filter(({ end }) => end === "pruned" || end === "early_stop" || end === "deadline")
    .map(({ generatedTokens }) => {
      const longer = finished.filter((tokens) => tokens > generatedTokens);
      return longer.length === 0 ? 0 : longer.reduce((sum, tokens) => sum + tokens, 0) / longer.length - generatedTokens;
    });
  return Math.round(saved.reduce((sum, tokens) => sum + tokens, 0));
}

/** @param ranking all candidates, best first; the first `returned` of them come back */
export function reportOf(
  candidates: readonly Candidate[],
  ranking: readonly RankedCandidate[],
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
    tokensReturned: sum(ranking.slice(0, returned).map(({ index }) => candidates[index]!.tokens)),
    tokensSaved: savedTokens(candidates),
    klBoundNats: klBoundNats(candidates.length),
    candidates: ranking.map(({ index, score }) => {
      const { seed, generatedTokens, end, text } = candidates[index]!;
      return { index, seed, score, tokens: generatedTokens, end: end ?? "deadline", text };
    }),
  };
}

/** For a request whose deadline was over before the engine began. */
const emptyStart: StartEvent = { type: "start", promptTokens: 0, cachedTokens: 0 };

/** The first answers of the ranking, as a request for so many answers would have given them. */
export function* chosenEvents(
  candidates: readonly Candidate[],
  ranking: readonly RankedCandidate[],
  returned: number,
  start: StartEvent | undefined,
): Generator<GenerateEvent, void, undefined> {
  yield start ?? emptyStart;
  for (let place = 0; place < returned; place++) {
    const chosen = candidates[ranking[place]?.index ?? -1];
    for (const delta of chosen?.deltas ?? []) yield { ...delta, index: place };
    const reason = chosen?.end === "stop" || chosen?.end === "length" ? chosen.end : "dropped";
    yield { type: "finish", index: place, reason, completionTokens: chosen?.tokens ?? 0 };
  }
}

/**
 * The ends that streamed candidates lack because the request did not wait for them.
 * @param streamed the indexes of the candidates whose end was streamed
 */
export function* unfinishedEvents(
  candidates: readonly Candidate[],
  count: number,
  start: StartEvent | undefined,
  streamed: { has(index: number): boolean },
): Generator<GenerateEvent, void, undefined> {
  if (start === undefined) yield emptyStart;
  for (let index = 0; index < count; index++) {
    if (!streamed.has(index)) yield { type: "finish", index, reason: "dropped", completionTokens: candidates[index]?.generatedTokens ?? 0 };
  }
}
