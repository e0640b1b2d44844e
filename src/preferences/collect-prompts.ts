/** @file The file of prompts that a collection reads, with the answers and references that a row gives. */

import { BonsaiError } from "../errors/bonsai-error.ts";
import type { JsonObject } from "../formats/json-file.ts";
import type { PromptRow } from "./candidates.ts";
import { mostAnswers } from "../judges/judges.ts";
import { requireMessages, requireText, rowError, type RowPlace } from "../training/data/dataset-row.ts";
import { readJsonLines } from "../formats/json-lines.ts";

/** A judge takes at most `mostAnswers`: the given answers, as many samples, and a rewrite of each. */
const mostGiven = mostAnswers / 4;

export interface ReadPromptRow extends PromptRow {
  /** Whether the prompt is a request that should be refused; undefined where the file does not say. */
  unsafe?: boolean | undefined;
}

export interface ReadPrompts {
  /** One row or more. */
  rows: ReadPromptRow[];
  /** Hash of the whole file, also where `limit` leaves rows out. */
  sha256: string;
}

/**
 * @param limit number of prompts, counted from the beginning of the file; undefined for all
 * @param check throws for a row that cannot be used
 * @throws BonsaiError `file_not_found`; `invalid_dataset`, naming line and field.
 */
export function readPrompts(path: string, limit: number | undefined, check?: (row: ReadPromptRow, place: RowPlace) => void): ReadPrompts {
  const rows: ReadPromptRow[] = [];
  const lines = readJsonLines(path);
  for (;;) {
    const next = lines.next();
    if (next.done === true) {
      if (rows.length === 0) throw new BonsaiError("invalid_dataset", `${path} holds no prompts.`, { param: "--prompts" });
      return { rows, sha256: next.value.sha256 };
    }
    // Lines beyond the limit are read for the hash alone.
    if (limit !== undefined && rows.length >= limit) continue;
    const place = { path, line: next.value.line };
    const row = readPromptRow(next.value.row, place);
    check?.(row, place);
    rows.push(row);
  }
}

function readPromptRow(row: JsonObject, place: RowPlace): ReadPromptRow {
  const { unsafe } = row;
  if (unsafe !== undefined && typeof unsafe !== "boolean") throw rowError(place, "unsafe", "must be true or false");
  return { ...readPromptAndAnswers(row, place), ...(unsafe === undefined ? {} : { unsafe }) };
}

function readPromptAndAnswers(row: JsonObject, place: RowPlace): PromptRow {
  if (row["messages"] !== undefined) {
    const messages = requireMessages(row["messages"], "messages", place);
    const last = messages.at(-1)!;
    if (last.role !== "assistant") return { prompt: messages, given: [], references: [] };
    if (messages.length === 1) throw rowError(place, "messages", "must hold a question before the answer");
    return { prompt: messages.slice(0, -1), given: [], references: [last.content] };
  }
  const prompt = readPrompt(row, place);
  const given = ["completion", "chosen", "rejected"].filter((key) => present(row, key)).map((key) => readAnswer(row[key], key, place));
  return {
    prompt,
    given: [...given, ...readAnswers(row, "completions", place)],
    references: [
      ...(present(row, "reference") ? [readAnswer(row["reference"], "reference", place)] : []),
      ...readAnswers(row, "references", place),
    ],
  };
}

/** An absent field holds no answers. */
function readAnswers(row: JsonObject, field: string, place: RowPlace): string[] {
  const list = row[field];
  if (!present(row, field)) return [];
  if (!Array.isArray(list) || list.length > mostGiven) throw rowError(place, field, `must be a list of at most ${mostGiven} answers`);
  return list.map((answer: unknown, index) => readAnswer(answer, `${field}[${index}]`, place));
}

export function present(row: JsonObject, key: string): boolean {
  return row[key] !== undefined && row[key] !== null;
}

export function readPrompt(row: JsonObject, place: RowPlace): PromptRow["prompt"] {
  const { prompt } = row;
  return Array.isArray(prompt) ? requireMessages(prompt, "prompt", place) : requireText(prompt, "prompt", place);
}

/** Reads an answer that is a text, or a list that holds one message. */
export function readAnswer(value: unknown, field: string, place: RowPlace): string {
  if (!Array.isArray(value)) return requireText(value, field, place);
  const messages = requireMessages(value, field, place);
  if (messages.length !== 1) throw rowError(place, field, `must be one message, not ${messages.length}`);
  return messages[0]!.content;
}
