/** @file A conversation that ends with an answer, as token ids for the models that judge it. */

import { commonPrefix } from "../common-prefix.ts";
import { runSlices, type Sliced } from "../slices.ts";
import type { Encoding, Tokenizer } from "../tokenizer/tokenizer.ts";
import type { ChatTemplate } from "./chat-template.ts";
import { encodeChatInSlices } from "./encode-chat.ts";
import type { Message } from "./message.ts";

/**
 * A template that writes the date writes this one: a reward does not change overnight, and training saw the same
 * tokens.
 */
const now = new Date(2025, 0, 1);

export interface FinishedConversation {
  /** All that the template writes, with nothing to open another answer. */
  ids: number[];
  /**
   * Tokens that it has in common with the conversation before the answer, opened for one: what other answers begin with
   * too.
   */
  promptTokens: number;
  /**
   * Tokens until the answer's last one, without the token that ends the turn: what a policy was fed when it ended the
   * answer.
   */
  fedTokens: number;
}

/** What answers are encoded after, encoded once for all of them. */
export interface OpenedPrompt {
  messages: readonly Message[];
  /**
   * The conversation with the opening of an answer. Undefined without messages: templates may refuse a conversation of
   * nothing.
   */
  encoding: Encoding | undefined;
}

/**
 * Encodes conversations whose last message is the answer. Control tokens in messages are plain text (encode-chat.ts).
 */
export class FinishedConversationEncoder {
  readonly #tokenizer: Tokenizer;
  readonly #template: ChatTemplate | undefined;
  readonly #isEnd: (id: number) => boolean;

  /** @param isEnd whether an id ends an answer */
  constructor(tokenizer: Tokenizer, template: ChatTemplate | undefined, isEnd: (id: number) => boolean) {
    this.#tokenizer = tokenizer;
    this.#template = template;
    this.#isEnd = isEnd;
  }

  /** @throws BonsaiError `invalid_request` as `encodeChat` */
  *open(messages: readonly Message[]): Sliced<OpenedPrompt> {
    if (messages.length === 0) return { messages, encoding: undefined };
    const options = { now, addGenerationPrompt: true };
    return { messages, encoding: yield* encodeChatInSlices(this.#tokenizer, this.#template, messages, options) };
  }

  /**
   * The conversation of a prompt and an answer, as if both were rendered and encoded together.
   * @throws BonsaiError `invalid_request` as `encodeChat`
   */
  *finish({ messages, encoding: opened }: OpenedPrompt, answer: Message): Sliced<FinishedConversation> {
    const options = { now, addGenerationPrompt: false };
    const { ids } = yield* encodeChatInSlices(this.#tokenizer, this.#template, [...messages, answer], options, opened);
    const promptTokens = commonPrefix(ids, opened?.ids ?? []);
    let end = ids.length;
    for (let at = promptTokens; at < ids.length; at++) if (this.#isEnd(ids[at]!)) end = at;
    return { ids, promptTokens, fedTokens: Math.max(1, end) };
  }

  /**
   * @param messages at least one, the answer last
   * @throws BonsaiError `invalid_request` as `encodeChat`
   */
  encode(messages: readonly Message[]): FinishedConversation {
    return runSlices(this.finish(runSlices(this.open(messages.slice(0, -1))), messages.at(-1)!));
  }
}
