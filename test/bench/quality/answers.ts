/**
 * @file The answers that quality is measured on: instructions and long answers of the shared data, as the model's chat
 * template writes them.
 */

import { readFileSync } from "node:fs";
import type { ChatTemplate } from "../../../src/text/conversation/chat-template.ts";
import { encodeChat } from "../../../src/text/conversation/encode-chat.ts";
import type { Tokenizer } from "../../../src/text/tokenizer/tokenizer.ts";
import { sharedDataPath } from "../../fixtures/real-models.ts";
import type { Conversation } from "./forced-answers.ts";

interface Demonstration {
  instruction: string;
  input: string;
  output: string;
}

/** Characters below which an answer says little about the model. */
const shortestAnswer = 200;

/**
 * The first `count` long answers, each cut where prompt and answer reach `maxTokens`.
 * @param endToken id of the token that ends an answer
 */
export function answers(tokenizer: Tokenizer, template: ChatTemplate, endToken: number, count: number, maxTokens: number): Conversation[] {
  const path = sharedDataPath("sft/alpaca_en_demo.json");
  if (path === undefined)
    throw new Error("../shared/data/sft/alpaca_en_demo.json is absent: the quality of answers cannot be measured without it.");
  const demonstrations = (JSON.parse(readFileSync(path, "utf8")) as Demonstration[]).filter(({ output }) => output.length > shortestAnswer);
  return demonstrations.slice(0, count).map(({ instruction, input, output }) => {
    const content = input === "" ? instruction : `${instruction}\n${input}`;
    const promptIds = encodeChat(tokenizer, template, [{ role: "user", content }]);
    const answerIds = [...tokenizer.encode(output, { addSpecialTokens: false }), endToken];
    return { promptIds, answerIds: answerIds.slice(0, Math.max(1, maxTokens - promptIds.length)) };
  });
}

/**
 * Conversations one after the other, as prompts of `promptTokens` and what follows them: as many as the conversations'
 * tokens suffice for.
 */
export function joined(conversations: readonly Conversation[], promptTokens: number, answerTokens: number): Conversation[] {
  const texts: Conversation[] = [];
  let ids: number[] = [];
  for (const { promptIds, answerIds } of conversations) {
    ids.push(...promptIds, ...answerIds);
    if (ids.length < promptTokens + answerTokens) continue;
    texts.push({ promptIds: ids.slice(0, promptTokens), answerIds: ids.slice(promptTokens, promptTokens + answerTokens) });
    ids = [];
  }
  return texts;
}
