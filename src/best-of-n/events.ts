/** @file What a Best-of-N request tells as it goes: how far its candidates are, the answers that were chosen, and the accounting. */

import type { GenerateEvent } from "../engine/contract/request.ts";
import type { CandidateEnd } from "./candidate.ts";
import type { BestOfReport } from "./report.ts";

export interface CandidateProgress {
  index: number;
  /** Generated so far. */
  tokens: number;
  state: CandidateEnd | "running";
  /** What the strategy orders by, where it is known already. */
  score: number | undefined;
}

/**
 * In order: some `progress` or, when all candidates are streamed, their own events; then one `start`, the deltas and a `finish` of each answer that was
 * chosen, best first, numbered from 0 (all of that is left out when candidates are streamed, whose events have been told); one `chosen`; one `end`.
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
