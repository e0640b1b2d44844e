/** @file A line of answers to be judged: `{"prompt", "completion"}`, each as messages or as text (TRL's prompt-completion form). */

import { BonsaiError } from "../errors/bonsai-error.ts";
import type { Message } from "./conversation.ts";

export interface JudgedLine {
  prompt: Message[];
  completion: string;
}

/**
 * @param file and `number` (from 1) are for the error.
 * @throws BonsaiError `usage`, naming file, line and field.
 */
export function readJudgedLine(line: string, file: string, number: number): JudgedLine {
  const place = `${file}, line ${number}`;
  let row: unknown;
  try {
    row = JSON.parse(line);
  } catch (cause) {
    throw new BonsaiError("usage", `${place}: is no JSON; each line must be an object with "prompt" and "completion".`, { cause });
  }
  const { prompt, completion } = (typeof row === "object" && row !== null ? row : {}) as Record<string, unknown>;
  const messages: unknown = typeof prompt === "string" ? [{ role: "user", content: prompt }] : prompt;
  if (!isConversation(messages) || messages.length === 0) throw wrongField(place, "prompt");
  const answer = isConversation(completion) && completion.length === 1 ? completion[0]!.content : completion;
  if (typeof answer !== "string") throw wrongField(place, "completion");
  return { prompt: messages, completion: answer };
}

function wrongField(place: string, field: string): BonsaiError {
  return new BonsaiError("usage", `${place}: "${field}" must be a text or messages with "role" and "content".`, { param: field });
}

function isConversation(value: unknown): value is Message[] {
  return (
    Array.isArray(value) &&
    value.every((message: unknown) => {
      const { role, content } = (message ?? {}) as Record<string, unknown>;
      return typeof role === "string" && typeof content === "string";
    })
  );
}
