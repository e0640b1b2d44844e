/**
 * @file Answers to token ids for the reward models that read conversations: a prompt is encoded once, and each answer
 * after it.
 */

import type { ChatTemplate } from "../../text/conversation/chat-template.ts";
import {
  FinishedConversationEncoder,
  type FinishedConversation,
  type OpenedPrompt,
} from "../../text/conversation/finished-conversation.ts";
import type { Message } from "../../text/conversation/message.ts";
import type { Sliced } from "../../text/slices.ts";
import type { Tokenizer } from "../../text/tokenizer/tokenizer.ts";
import type { ScoreInput } from "../contract/score-request.ts";
import { fewestTokens, lastCharacters, mostCharacters, refuseUnreadable, tooLong } from "./readable-text.ts";
import type { ReadInput } from "./scorer.ts";

/** A prompt within reach of the model. */
interface ReadPrompt extends OpenedPrompt {
  /** Characters that were cut. */
  cutCharacters: number;
}

export interface ConversationReaderOptions {
  tokenizer: Tokenizer;
  template: ChatTemplate | undefined;
  eosTokenIds: ReadonlySet<number>;
  /** Most tokens that the model reads. */
  mostTokens: number;
  /** How many tokens of a conversation the model reads, were there no limit. */
  lengthOf: (conversation: FinishedConversation) => number;
}

export class ConversationReader {
  readonly #options: ConversationReaderOptions;
  readonly #encoder: FinishedConversationEncoder;
  readonly #mostCharacters: number;

  constructor(options: ConversationReaderOptions) {
    const { tokenizer, template, eosTokenIds, mostTokens } = options;
    this.#options = options;
    this.#encoder = new FinishedConversationEncoder(tokenizer, template, (id) => eosTokenIds.has(id));
    this.#mostCharacters = mostCharacters(mostTokens, tokenizer);
  }

  /** As `Scorer.read`. */
  *read(inputs: readonly ScoreInput[], truncate: boolean): Sliced<ReadInput[]> {
    const { tokenizer, mostTokens } = this.#options;
    if (!truncate) for (const input of inputs) refuseUnreadable(input, mostTokens, tokenizer);
    const prompts = new Map<readonly Message[], ReadPrompt>();
    const read: ReadInput[] = [];
    for (const input of inputs) {
      let prompt = prompts.get(input.prompt);
      if (prompt === undefined) prompts.set(input.prompt, (prompt = yield* this.#open(input.prompt)));
      read.push(yield* this.#finish(prompt, input, truncate));
    }
    return read;
  }

  /** The reward is read at the end of the answer, so what is too long is cut at its beginning. */
  *#open(messages: readonly Message[]): Sliced<ReadPrompt> {
    let left = this.#mostCharacters;
    let cutCharacters = 0;
    const reversed = messages.toReversed().map((message) => {
      const content = lastCharacters(message.content, left);
      left -= content.length;
      cutCharacters += message.content.length - content.length;
      return content === message.content ? message : { ...message, content };
    });
    return { ...(yield* this.#encoder.open(reversed.toReversed())), cutCharacters };
  }

  *#finish(prompt: ReadPrompt, { answer, param }: ScoreInput, truncate: boolean): Sliced<ReadInput> {
    const { tokenizer, mostTokens, lengthOf } = this.#options;
    const content = lastCharacters(answer.content, this.#mostCharacters);
    const conversation = yield* this.#encoder.finish(prompt, { ...answer, content });
    const { ids, promptTokens } = conversation;
    const length = lengthOf(conversation);
    if (length > mostTokens && !truncate) throw tooLong(param, `${length} tokens`, mostTokens);
    const cutTokens = Math.max(0, length - mostTokens);
    return {
      ids: ids.slice(cutTokens, length),
      cutTokens: cutTokens + fewestTokens(prompt.cutCharacters + answer.content.length - content.length, tokenizer),
      promptTokens: Math.max(0, promptTokens - cutTokens),
    };
  }
}
