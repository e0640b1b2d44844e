/** @file The reasons why answers end, in the words of the protocol. */

import type { FinishReason, SequenceEnd } from "../../engine/contract/request.ts";

/** OpenAI's reason for an end: an answer that was cut from outside is, like one at its limit, not at its own end. */
export function finishReasonOf(end: SequenceEnd): FinishReason {
  return end === "stop" ? "stop" : "length";
}
