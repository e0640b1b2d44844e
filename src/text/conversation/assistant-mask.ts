/** @file Conversations to token ids and which of them the assistant wrote, by the model's own chat template. */

import { BonsaiError } from "../../errors/bonsai-error.ts";
import { commonPrefix, commonTextPrefix } from "../common-prefix.ts";
import { ChatTemplate, specialTokenTexts } from "./chat-template.ts";
import { encodeChat } from "./encode-chat.ts";
import type { Message } from "./message.ts";
import type { Tokenizer } from "../tokenizer/tokenizer.ts";
import type { TokenizerFiles } from "../../formats/model-file.ts";

/** Token ids and whether each is trained on. */
export interface MaskedTokens {
  ids: number[];
  trained: boolean[];
}

/**
 * A template that writes the date writes this one, so that a run today and its continuation tomorrow see the same
 * tokens.
 */
const now = new Date(2025, 0, 1);

const generationTag = /\{%(-?)\s*(end)?generation\s*(-?)%\}/g;
/** Private-use characters that stand where an assistant's part begins and ends. */
const [opening, closing] = ["\uf8f0", "\uf8f1"];

/** A model's chat template, prepared for training. */
export class ConversationEncoder {
  readonly #tokenizer: Tokenizer;
  readonly #template: ChatTemplate;
  /** The same template with marks at its `{% generation %}` tags, where it has some. */
  readonly #marked: ChatTemplate | undefined;

  /** @throws BonsaiError `invalid_tokenizer` when the template is no template, or absent. */
  constructor(tokenizer: Tokenizer, files: TokenizerFiles) {
    if (files.chatTemplate === undefined) {
      throw new BonsaiError(
        "invalid_tokenizer",
        'The model has no chat template, which rows of messages need: add chat_template.jinja to its folder, or give rows of {"prompt", "completion"} texts.',
      );
    }
    const specials = specialTokenTexts(files.tokenizerConfig);
    this.#tokenizer = tokenizer;
    this.#template = new ChatTemplate(files.chatTemplate, specials);
    const marked = files.chatTemplate.replaceAll(
      generationTag,
      (_, before: string, end: string | undefined, after: string) =>
        `{%${before} if true %}{{ '${end === undefined ? opening : closing}' }}{% endif ${after}%}`,
    );
    this.#marked = marked === files.chatTemplate ? undefined : new ChatTemplate(marked, specials);
  }

  /**
   * The tokens of a conversation; trained on are those of the assistant's turns from message `firstTrained` on, each
   * with the end-of-turn token that closes it and nothing after that.
   *
   * A template with `{% generation %}` says itself where these are (transformers, "Chat templates"). For others, a turn
   * is what its rendering adds to that of the conversation before it with the opening of an answer.
   * @param isEnd whether an id ends an answer.
   * @throws BonsaiError `invalid_request` where the template refuses the conversation; `invalid_dataset` where it
   * renders a turn differently once another follows, so that the turns' places cannot be told.
   */
  encode(messages: readonly Message[], firstTrained: number, isEnd: (id: number) => boolean): MaskedTokens {
    const ids = this.#ids(messages, false);
    const trained = Array.from<boolean>({ length: ids.length }).fill(false);
    const text = this.#template.render(messages, { now, addGenerationPrompt: false });
    const spans = this.#spansByMarks(messages, firstTrained, ids, text) ?? this.#spansByPrefix(messages, firstTrained, ids, text);
    for (const { start, end, message } of spans) {
      let last: number | undefined;
      for (let at = start; at < end; at++) if (isEnd(ids[at]!)) last = at + 1;
      // What a rendering has in common with that of the whole may hold the beginning of the next turn, which only an
      // end tells apart.
      if (message !== undefined && last === undefined) throw turnsDiffer(message, "once others follow");
      trained.fill(true, start, last ?? end);
    }
    return { ids, trained };
  }

  #ids(messages: readonly Message[], addGenerationPrompt: boolean): number[] {
    return encodeChat(this.#tokenizer, this.#template, messages, { now, addGenerationPrompt });
  }

  #spansByPrefix(messages: readonly Message[], firstTrained: number, ids: readonly number[], text: string): Span[] {
    return messages.flatMap((message, index) => {
      if (message.role !== "assistant" || index < firstTrained) return [];
      const before = messages.slice(0, index);
      const through = messages.slice(0, index + 1);
      const opened = this.#template.render(before, { now, addGenerationPrompt: true });
      const closed = this.#template.render(through, { now, addGenerationPrompt: false });
      if (!closed.startsWith(opened)) throw turnsDiffer(index, "than it opens an answer");
      const shared = commonTextPrefix(closed, text);
      if (!closed.slice(opened.length, shared).includes(message.content.trim())) throw turnsDiffer(index, "once others follow");
      // A token across the border counts as the answer's.
      const span = { start: commonPrefix(ids, this.#ids(before, true)), end: commonPrefix(ids, this.#ids(through, false)) };
      return [shared === closed.length ? span : { ...span, message: index }];
    });
  }

  /**
   * Undefined where the template marks nothing, or the tokenizer drops or changes characters, so that marks have no
   * place among tokens.
   */
  #spansByMarks(messages: readonly Message[], firstTrained: number, ids: readonly number[], text: string): Span[] | undefined {
    if (this.#marked === undefined) return undefined;
    const bytesBefore = [0];
    for (const id of ids) bytesBefore.push(bytesBefore.at(-1)! + this.#tokenizer.tokenBytes(id).length);
    if (bytesBefore.at(-1) !== Buffer.byteLength(text)) return undefined;
    const rendered = this.#marked.render(messages, { now, addGenerationPrompt: false });
    const ranges = markedRanges(rendered);
    if (rendered.replaceAll(opening, "").replaceAll(closing, "") !== text || ranges === undefined)
      throw new BonsaiError("invalid_dataset", "the {% generation %} tags of the model's chat template are not in pairs around text");
    const assistants = messages.flatMap((message, index) => (message.role === "assistant" ? [index] : []));
    if (ranges.length !== assistants.length)
      throw new BonsaiError(
        "invalid_dataset",
        `the model's chat template marks ${ranges.length} parts by {% generation %} for ${assistants.length} messages of the assistant`,
      );
    return ranges
      .filter((_, part) => assistants[part]! >= firstTrained)
      .map(([from, to]) => {
        const [first, last] = [Buffer.byteLength(text.slice(0, from)), Buffer.byteLength(text.slice(0, to))];
        const start = bytesBefore.findIndex((_, token) => bytesBefore[token + 1]! > first);
        const end = bytesBefore.findIndex((bytes) => bytes >= last);
        return { start: start === -1 ? ids.length : start, end };
      });
  }
}

/** Places [start, end) among the ids. */
interface Span {
  start: number;
  end: number;
  /** Set where the turn of this message may end before `end`: at its last token that ends an answer. */
  message?: number;
}

function turnsDiffer(message: number, how: string): BonsaiError {
  return new BonsaiError(
    "invalid_dataset",
    `the model's chat template renders message ${message} differently ${how}, so its tokens cannot be told apart: mark them in the template with {% generation %}, or end the conversation there`,
  );
}

/** Character ranges of the unmarked text that stood between marks, or undefined where marks are not in pairs. */
function markedRanges(marked: string): [number, number][] | undefined {
  const ranges: [number, number][] = [];
  let offset = 0;
  let open: number | undefined;
  for (const character of marked) {
    if (character === opening) {
      if (open !== undefined) return undefined;
      open = offset;
    } else if (character === closing) {
      if (open === undefined) return undefined;
      ranges.push([open, offset]);
      open = undefined;
    } else offset += character.length;
  }
  return open === undefined ? ranges : undefined;
}
