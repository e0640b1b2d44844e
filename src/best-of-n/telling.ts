/** @file What a Best-of-N request tells: how far its candidates are, and the answers that were chosen, as events that an ordinary request would have. */

import type { GenerateEvent } from "../engine/contract/request.ts";
import type { Candidate } from "./candidate.ts";
import type { Contest } from "./candidate-set.ts";
import type { CandidateProgress } from "./events.ts";
import type { Standing } from "./strategies/ranking.ts";

type StartEvent = Extract<GenerateEvent, { type: "start" }>;
type FinishEvent = Extract<GenerateEvent, { type: "finish" }>;

/** Of a request that was over before it began. */
const noStart: StartEvent = { type: "start", promptTokens: 0, cachedTokens: 0 };

export function progressOf(contest: Contest): CandidateProgress[] {
  return contest.candidates.map((candidate) => {
    const { index, generatedTokens, end } = candidate;
    return { index, tokens: generatedTokens, state: end ?? "running", score: end === undefined ? undefined : contest.scoreOf(candidate) };
  });
}

/** The first `returned` of the standings as a request for so many answers would have told of them. */
export function* tellChosen(
  candidates: readonly Candidate[],
  standings: readonly Standing[],
  returned: number,
  start: StartEvent | undefined,
): Generator<GenerateEvent, void, undefined> {
  yield start ?? noStart;
  for (let place = 0; place < returned; place++) {
    const chosen = candidates[standings[place]?.index ?? -1];
    for (const { text, tokenIds, logprobs } of chosen?.pieces ?? []) yield { type: "delta", index: place, text, tokenIds, logprobs };
    const reason = chosen?.end === "stop" || chosen?.end === "length" ? chosen.end : "dropped";
    yield { type: "finish", index: place, reason, completionTokens: chosen?.tokens ?? 0 };
  }
}

/** What candidates whose own events were told have not told yet, because the request did not wait for it. */
export function* tellRest(
  candidates: readonly Candidate[],
  count: number,
  start: StartEvent | undefined,
  finished: ReadonlySet<number>,
): Generator<StartEvent | FinishEvent, void, undefined> {
  if (start === undefined) yield noStart;
  for (let index = 0; index < count; index++) {
    if (finished.has(index)) continue;
    yield { type: "finish", index, reason: "dropped", completionTokens: candidates[index]?.generatedTokens ?? 0 };
  }
}
