/** @file A conversation that ends with an answer, as token ids for the models that judge it. */

import type { ChatTemplate } from "./chat-template.ts";
import { encodeChat } from "./encode-chat.ts";
import type { Message } from "./message.ts";
import type { Tokenizer } from "../tokenizer/tokenizer.ts";

/** A template that writes the date writes this one: a reward does not change overnight, and training saw the same tokens. */
const now = new Date(2025, 0, 1);

export interface FinishedConversation {
  /** All that the template writes, with nothing to open another answer. */
  ids: number[];
  /** Tokens that it has in common with the conversation before the answer, opened for one: what other answers begin with too. */
  promptTokens: number;
  /** Tokens until the answer's last one, without the token that ends the turn: what a policy was fed when it ended the answer. */
  fedTokens: number;
}

/**
 * Encodes a conversation whose last message is the answer. Control tokens in messages are plain text (encode-chat.ts).
 * @param isEnd whether an id ends an answer
 * @throws BonsaiError `invalid_request` as `encodeChat`
 */
export function encodeFinished(
  tokenizer: Tokenizer,
  template: ChatTemplate | undefined,
  messages: readonly Message[],
  isEnd: (id: number) => boolean,
): FinishedConversation {
  const ids = encodeChat(tokenizer, template, messages, { now, addGenerationPrompt: false });
  const before = messages.slice(0, -1);
  // Templates may refuse a conversation of nothing, and nothing is shared then.
  const opened = before.length === 0 ? [] : encodeChat(tokenizer, template, before, { now, addGenerationPrompt: true });
  let promptTokens = 0;
  while (promptTokens < ids.length && promptTokens < opened.length && ids[promptTokens] === opened[promptTokens]) promptTokens++;
  let end = ids.length;
  for (let at = promptTokens; at < ids.length; at++) if (isEnd(ids[at] as number)) end = at;
  return { ids, promptTokens, fedTokens: Math.max(1, end) };
}
