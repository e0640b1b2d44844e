/**
 * @file A conversation to token ids: control tokens of the template are control tokens, those written in a message are
 * plain text.
 */

import { BonsaiError } from "../../errors/bonsai-error.ts";
import type { ChatTemplate, RenderOptions } from "./chat-template.ts";
import type { Message } from "./message.ts";
import { runSlices, type Sliced } from "../slices.ts";
import type { Encoding, Tokenizer } from "../tokenizer/tokenizer.ts";

/**
 * Renders a conversation with the model's template and tokenises it, without adding special tokens, which templates
 * write themselves; `addGenerationPrompt` defaults to true. The role `developer` becomes `system` for a template that
 * does not know it.
 *
 * Hugging Face tokenises the rendered text with special tokens recognised wherever they stand, so a message that
 * contains `<|im_end|>` ends its own turn and can speak as the system. Here such text stays text: a mark (a private-use
 * character that occurs nowhere else) is set inside each control token of a message before rendering and taken out
 * after it, and the tokenizer recognises no control token over a mark's place. Messages without control tokens have no
 * marks, so their ids are those of the plain path.
 *
 * Not covered: a control token that only comes about where a message's text and the template's meet.
 *
 * @throws BonsaiError `invalid_request` for a model without a template, a conversation that its template refuses, or
 * one with a control token that the template itself looks for and acts on.
 */
export function encodeChat(
  tokenizer: Tokenizer,
  template: ChatTemplate | undefined,
  messages: readonly Message[],
  options: RenderOptions = {},
): number[] {
  return runSlices(encodeChatInSlices(tokenizer, template, messages, options)).ids;
}

/**
 * The same in slices.
 * @param before of a conversation that begins alike: see `Tokenizer.encodeInSlices`
 */
export function* encodeChatInSlices(
  tokenizer: Tokenizer,
  template: ChatTemplate | undefined,
  messages: readonly Message[],
  options: RenderOptions = {},
  before?: Encoding,
): Sliced<Encoding> {
  if (template === undefined) {
    throw new BonsaiError("invalid_request", "The model has no chat template; use /v1/completions with a prompt instead.", {
      param: "messages",
    });
  }
  const conversation = template.source.includes("developer") ? messages : messages.map(developerAsSystem);
  // Two renderings are compared, so both must see the same time.
  const renderOptions = { ...options, addGenerationPrompt: options.addGenerationPrompt ?? true, now: options.now ?? new Date() };
  const text = template.render(conversation, renderOptions);
  const mark = unusedCharacter([
    template.source,
    text,
    ...conversation.flatMap((message) => [message.role, message.content, message.name ?? ""]),
  ]);
  const marked = conversation.map((message) => markMessage(tokenizer, message, mark));
  if (marked.every((message, index) => message === conversation[index]))
    return yield* tokenizer.encodeInSlices(text, { addSpecialTokens: false }, before);

  const { unmarked, offsets } = takeMarks(template.render(marked, renderOptions), mark);
  if (unmarked !== text) {
    throw new BonsaiError(
      "invalid_request",
      "A message contains a control token of this model that its chat template acts on; take the token out of the message.",
      { param: "messages" },
    );
  }
  return yield* tokenizer.encodeInSlices(text, { addSpecialTokens: false, literalOffsets: offsets }, before);
}

function developerAsSystem(message: Message): Message {
  return message.role === "developer" ? { ...message, role: "system" } : message;
}

/** A private-use character that none of the texts contains. */
function unusedCharacter(texts: readonly string[]): string {
  const used = new Set(texts.flatMap((text) => text.match(/[\ue000-\uf8ff]/g) ?? []));
  for (let codePoint = 0xe000; codePoint <= 0xf8ff; codePoint++) {
    const character = String.fromCodePoint(codePoint);
    if (!used.has(character)) return character;
  }
  throw new BonsaiError("invalid_request", "The messages use every private-use character of Unicode; take some out.", {
    param: "messages",
  });
}

/** The message with marks, or itself where there is nothing to mark. */
function markMessage(tokenizer: Tokenizer, message: Message, mark: string): Message {
  const [role, content, name] = [message.role, message.content, message.name].map((text) =>
    text === undefined ? undefined : markText(tokenizer, text, mark),
  );
  if (role === message.role && content === message.content && name === message.name) return message;
  return { ...message, role: role!, content: content!, name };
}

/** Sets the mark after the first character of each control token, overlapping ones included. */
function markText(tokenizer: Tokenizer, text: string, mark: string): string {
  let marked = "";
  let done = 0;
  for (const start of tokenizer.controlTokenOffsets(text)) {
    const afterFirst = start + (text.codePointAt(start)! > 0xffff ? 2 : 1);
    marked += text.slice(done, afterFirst) + mark;
    done = afterFirst;
  }
  return marked + text.slice(done);
}

/** The text without its marks, and their places in it. */
function takeMarks(marked: string, mark: string): { unmarked: string; offsets: number[] } {
  const parts = marked.split(mark);
  const offsets: number[] = [];
  let offset = 0;
  for (const part of parts.slice(0, -1)) offsets.push((offset += part.length));
  return { unmarked: parts.join(""), offsets };
}
