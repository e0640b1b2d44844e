/** @file The questions that are asked: held-out ones of the teddy world, or the lines of a file. */

import { isJsonObject } from "../src/formats/json-file.ts";
import { BonsaiError } from "../src/errors/bonsai-error.ts";
import type { Message } from "../src/text/conversation/message.ts";
import { prompt } from "../src/teddy/writer/demonstration.ts";
import { rowError } from "../src/training/data/dataset-row.ts";
import { readJsonLines } from "../src/formats/json-lines.ts";

/** Seeds the teddy world's prompts. The model cards judge prompts of seed 0. */
const promptSeed = 2026;

/** Question number `index` that no training data holds, with what was said before it. */
export function heldOutPrompt(index: number): Message[] {
  return prompt(promptSeed, index, "held-out").messages;
}

/**
 * Conversations of a file of JSON Lines, {"prompt": [messages]}, as `npm run teddy -- prompts` writes them.
 * @param limit reads at most this many, from the first
 * @throws BonsaiError `file_not_found`; `invalid_dataset`, naming the line that holds no conversation
 */
export function promptsOfFile(path: string, limit: number): Message[][] {
  const prompts: Message[][] = [];
  for (const { line, row } of readJsonLines(path)) {
    const { prompt: messages } = row;
    const isConversation =
      Array.isArray(messages) &&
      messages.length > 0 &&
      messages.every((message) => isJsonObject(message) && typeof message["role"] === "string" && typeof message["content"] === "string");
    if (!isConversation) throw rowError({ path, line }, "prompt", "must be a list of {role, content}");
    prompts.push(messages);
    if (prompts.length === limit) return prompts;
  }
  if (prompts.length === 0) throw new BonsaiError("invalid_dataset", `${path} holds no prompts.`, { param: "--prompts" });
  return prompts;
}

/**
 * Conversations of one question, the first turns of a file of JSON Lines, {"turns": [questions]}, as FastChat's sets
 * are.
 * @param count how many, spread over the whole file, whose neighbours are often of one kind
 * @throws BonsaiError `file_not_found`; `invalid_dataset`, naming the line that holds no question
 */
export function questionsOfFile(path: string, count: number): Message[][] {
  const questions: Message[][] = [];
  for (const { line, row } of readJsonLines(path)) {
    const [content] = Array.isArray(row["turns"]) ? (row["turns"] as unknown[]) : [];
    if (typeof content !== "string") throw rowError({ path, line }, "turns", "must be a list of texts");
    questions.push([{ role: "user", content }]);
  }
  const taken = Math.min(count, questions.length);
  return Array.from({ length: taken }, (_, index) => questions[Math.floor((index * questions.length) / taken)]!);
}
