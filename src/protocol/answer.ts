/** @file What the answers of all generation routes share: their head, and the reasons why they end. */

import type { FinishReason, SequenceEnd } from "../engine/contract/request.ts";

/** The fields that an answer, or each chunk of it, begins with. */
export interface AnswerHead {
  /** Unique; ends with the request's own id, which the log has too. */
  id: string;
  /** Seconds since the epoch, when the request came. */
  created: number;
  model: string;
  /** Answers can change only when this does. */
  system_fingerprint: string;
}

/** OpenAI's reason for an end: an answer that was cut from outside is, like one at its limit, not at its own end. */
export function finishReasonOf(end: SequenceEnd): FinishReason {
  return end === "stop" ? "stop" : "length";
}
