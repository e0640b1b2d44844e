/** @file The answers whose rewards give a reward model its scale: mean 0 and deviation 1 over them. */

import { BonsaiError } from "../../errors/bonsai-error.ts";
import type { JsonObject } from "../../formats/json-file.ts";
import type { Message } from "../../text/conversation/message.ts";
import { CountingEncoder, type AnswerEncoder, type EncodedAnswer } from "./comparisons.ts";
import { eachRow, readDatasetRow, rowError, type RowPlace } from "../data/dataset-row.ts";
import type { ReadFile } from "../../formats/json-lines.ts";
import { readPreferenceRow, type PromptAndAnswer } from "../data/preference-row.ts";

/** Answers of a reference policy. */
export interface Reference {
  answers: readonly EncodedAnswer[];
  files: readonly ReadFile[];
  truncatedAnswers: number;
}

/**
 * Reads and tokenises answers: of rows of messages the last one, of prompts with completions the completion, of
 * preferences all answers.
 * @throws BonsaiError `file_not_found`, or `invalid_dataset` naming file, line and field; also where there is no second
 *   answer to tell apart.
 */
export function readReference(paths: readonly string[], encoder: AnswerEncoder, maxLength: number): Reference {
  const counting = new CountingEncoder(encoder, maxLength);
  const answers: EncodedAnswer[] = [];
  const files = eachRow(paths, (row, place) => {
    for (const answer of answersOf(row, place)) answers.push(counting.encode(answer, place));
  });
  if (answers.length < 2) throw new BonsaiError("invalid_dataset", `${paths.join(", ")}: rewards are scaled by at least 2 answers.`);
  return { answers, files, truncatedAnswers: counting.truncatedAnswers };
}

function answersOf(row: JsonObject, place: RowPlace): readonly PromptAndAnswer[] {
  if (["chosen", "rejected", "completions"].some((key) => row[key] !== undefined)) return readPreferenceRow(row, place).answers;
  const parsed = readDatasetRow(row, place);
  if (parsed.form === "text") throw rowError(place, "text", 'is no answer to anything: give {"messages"} or {"prompt", "completion"}');
  if (parsed.form === "completion") return [{ form: "text", prompt: parsed.prompt, answer: parsed.completion }];
  const [prompt, answer] = parsed.form === "messages" ? [[], parsed.messages] : [parsed.prompt, parsed.completion];
  requireAnswer(answer, parsed.form === "messages" ? "messages" : "completion", place);
  return [{ form: "messages", prompt, answer }];
}

function requireAnswer(messages: readonly Message[], field: string, place: RowPlace): void {
  if (messages.at(-1)!.role !== "assistant")
    throw rowError(place, `${field}[${messages.length - 1}].role`, 'must be "assistant": the last message is the answer');
}
