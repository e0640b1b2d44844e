/**
 * @file A line of answers to be judged: `{"prompt", "completion"}`, each as messages or as text (TRL's
 * prompt-completion form).
 */

import { BonsaiError } from "../../errors/bonsai-error.ts";
import type { Message } from "../../text/conversation/message.ts";

export interface JudgedLine {
  prompt: Message[];
  completion: string;
}

/**
 * @param path and `number` (from 1) are for the error.
 * @throws BonsaiError `invalid_dataset`, naming file, line and field as the trainers do.
 */
export function readJudgedLine(line: string, path: string, number: number): JudgedLine {
  const place = `${path}:${number}`;
  let row: unknown;
  try {
    row = JSON.parse(line);
  } catch (cause) {
    throw new BonsaiError("invalid_dataset", `${place}: is no JSON; a line must be one object with "prompt" and "completion".`, { cause });
  }
  const { prompt, completion } = (typeof row === "object" && row !== null ? row : {}) as Record<string, unknown>;
  const messages: unknown = typeof prompt === "string" ? [{ role: "user", content: prompt }] : prompt;
  if (!isConversation(messages) || messages.length === 0) throw wrongField(place, "prompt");
  const answer = isConversation(completion) && completion.length === 1 ? completion[0]!.content : completion;
  if (typeof answer !== "string") throw wrongField(place, "completion");
  return { prompt: messages, completion: answer };
}

function wrongField(place: string, field: string): BonsaiError {
  const what = field === "completion" ? `a text or one message` : "a text or a list of messages";
  return new BonsaiError("invalid_dataset", `${place}: ${field} must be ${what} with "role" and "content".`, { param: field });
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
