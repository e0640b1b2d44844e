/** @file The tokens of an answer for a reward model: decoders read the chat template, encoders a pair of texts. */

import type { ModelFile } from "../../formats/model-file.ts";
import { ChatTemplate, specialTokenTexts } from "../../text/conversation/chat-template.ts";
import type { PairEncoder } from "../../text/tokenizer/encode-pair.ts";
import { FinishedConversationEncoder } from "../../text/conversation/finished-conversation.ts";
import { Tokenizer } from "../../text/tokenizer/tokenizer.ts";
import type { AnswerEncoder, EncodedAnswer } from "./comparisons.ts";
import type { PromptAndAnswer } from "../data/preference-row.ts";

/** The parts of a model file that decide an answer's tokens. */
export type EncodingModel = Pick<ModelFile, "tokenizer" | "eosTokenIds">;

/**
 * A decoder's tokens: of a conversation, all that the chat template writes of it; of texts, prompt and answer as one
 * text, closed by an end-of-sequence token. Too many are cut at the beginning, since the reward is read at the end.
 */
export class DecoderAnswerEncoder implements AnswerEncoder {
  readonly #tokenizer: Tokenizer;
  readonly #template: ChatTemplate | undefined;
  readonly #endIds: readonly number[];
  readonly #readsEnd: boolean;

  /**
   * @param readsEnd whether the end of the turn is read too. A policy never reads the token that ends its answer, so a
   *   head over a policy must not either.
   * @throws BonsaiError `invalid_tokenizer` for a tokenizer or template that cannot be used.
   */
  constructor({ tokenizer, eosTokenIds }: EncodingModel, readsEnd: boolean) {
    this.#tokenizer = new Tokenizer(tokenizer);
    const { chatTemplate, tokenizerConfig } = tokenizer;
    this.#template = chatTemplate === undefined ? undefined : new ChatTemplate(chatTemplate, specialTokenTexts(tokenizerConfig));
    this.#endIds = eosTokenIds;
    this.#readsEnd = readsEnd;
  }

  encode(answer: PromptAndAnswer, maxLength: number): EncodedAnswer & { cutTokens: number } {
    const { ids } = answer.form === "text" ? { ids: this.#text(answer.prompt + answer.answer) } : this.#conversation(answer);
    return cutAtBeginning(ids, maxLength);
  }

  /** The same with the place of the answer's first token, 0 where that was cut. */
  encodeOpened(answer: PromptAndAnswer, maxLength: number): EncodedAnswer & { cutTokens: number; answerStart: number } {
    const { ids, promptTokens } =
      answer.form === "text"
        ? { ids: this.#text(answer.prompt + answer.answer), promptTokens: this.#tokenizer.encode(answer.prompt).length }
        : this.#conversation(answer);
    const cut = cutAtBeginning(ids, maxLength);
    return { ...cut, answerStart: Math.max(0, promptTokens - cut.cutTokens) };
  }

  #conversation({ prompt, answer }: PromptAndAnswer & { form: "messages" }): { ids: number[]; promptTokens: number } {
    const encoder = new FinishedConversationEncoder(this.#tokenizer, this.#template, (id) => this.#endIds.includes(id));
    const encoded = encoder.encode([...prompt, ...answer]);
    return { ids: this.#readsEnd ? encoded.ids : encoded.ids.slice(0, encoded.fedTokens), promptTokens: encoded.promptTokens };
  }

  #text(text: string): number[] {
    const ids = this.#tokenizer.encode(text);
    const [endId] = this.#endIds;
    const isClosed = this.#endIds.includes(ids.at(-1) ?? -1);
    if (this.#readsEnd) return isClosed || endId === undefined ? ids : [...ids, endId];
    return isClosed ? ids.slice(0, -1) : ids;
  }
}

function cutAtBeginning(ids: readonly number[], maxLength: number): EncodedAnswer & { cutTokens: number } {
  const cutTokens = Math.max(0, ids.length - maxLength);
  return { ids: Int32Array.from(cutTokens === 0 ? ids : ids.slice(cutTokens)), cutTokens };
}

/** An encoder's tokens: [CLS] what is answered [SEP] the answer [SEP], of which the longer text is cut first. */
export class PairAnswerEncoder implements AnswerEncoder {
  readonly #pairs: PairEncoder;

  constructor(pairs: PairEncoder) {
    this.#pairs = pairs;
  }

  encode(answer: PromptAndAnswer, maxLength: number): EncodedAnswer & { cutTokens: number } {
    const [first, second] = answer.form === "text" ? [answer.prompt, answer.answer] : textsOf(answer);
    const { ids, types, cutTokens } = this.#pairs.encode(first, second, maxLength);
    return { ids: Int32Array.from(ids), types: Int32Array.from(types), cutTokens };
  }
}

/** The texts of the turns before the answer, joined by newlines, and the answer. */
function textsOf({ prompt, answer }: PromptAndAnswer & { form: "messages" }): [string, string] {
  const messages = [...prompt, ...answer];
  return [messages.slice(0, -1).map(({ content }) => content).join("\n"), messages.at(-1)!.content]; // prettier-ignore
}
