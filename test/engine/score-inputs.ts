/** @file Conversations that end with an answer, as a score request has them. */

import type { ScoreInput } from "../../src/engine/contract/score-request.ts";
import type { Message } from "../../src/text/conversation/message.ts";

/** Each conversation with a prompt of its own. */
export function scoreInputs(conversations: readonly (readonly Message[])[]): ScoreInput[] {
  return conversations.map((messages, index) => ({
    prompt: messages.slice(0, -1),
    answer: messages.at(-1)!,
    param: `input[${index}]`,
  }));
}
