/** @file What the mappings of both generation routes share: the head of every answer, and events told apart by prompt. */

import type { BestOfEvent } from "../best-of-n/events.ts";
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

/** An event of one of a request's prompts. */
export interface PromptEvent {
  /** Place of the prompt in the request; 0 for chat. */
  prompt: number;
  event: BestOfEvent;
}

/** OpenAI's reason for an end: an answer that was cut from outside is, like one at its limit, not at its own end. */
export function finishReasonOf(end: SequenceEnd): FinishReason {
  return end === "stop" ? "stop" : "length";
}
