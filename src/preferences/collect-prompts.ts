/**
 * @file Files that a collection reads: prompts with what answers and references they bring, people's ratings, and words
 * with weights.
 */

import { BonsaiError } from "../errors/bonsai-error.ts";
import { isJsonObject, readJsonObject, type JsonObject } from "../formats/json-file.ts";
import { conversationOf, type PromptRow } from "./candidates.ts";
import type { PeoplesRating } from "../judges/people.ts";
import { mostAnswers } from "../judges/judges.ts";
import { requireMessages, requireText, rowError, type RowPlace } from "../training/data/dataset-row.ts";
import { readJsonLines } from "../formats/json-lines.ts";

/** Given answers, samples and a rewrite of each are at most as many as judges take. */
const mostGiven = mostAnswers / 4;

export interface ReadPromptRow extends PromptRow {
  /** Whether it asks for what should be turned down, where the file says so. */
  unsafe?: boolean | undefined;
}

export interface ReadPrompts {
  /** At least one. */
  rows: ReadPromptRow[];
  /** Hash of the whole file, also where it is read in part. */
  sha256: string;
}

/**
 * @param limit prompts from the file's beginning
 * @param check throws for a row that does not do
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

/** None where the field is absent. */
function readAnswers(row: JsonObject, field: string, place: RowPlace): string[] {
  const list = row[field];
  if (!present(row, field)) return [];
  if (!Array.isArray(list) || list.length > mostGiven) throw rowError(place, field, `must be a list of at most ${mostGiven} answers`);
  return list.map((answer: unknown, index) => readAnswer(answer, `${field}[${index}]`, place));
}

function present(row: JsonObject, key: string): boolean {
  return row[key] !== undefined && row[key] !== null;
}

function readPrompt(row: JsonObject, place: RowPlace): PromptRow["prompt"] {
  const { prompt } = row;
  return Array.isArray(prompt) ? requireMessages(prompt, "prompt", place) : requireText(prompt, "prompt", place);
}

/** A text, or a list of the one message that the assistant said. */
function readAnswer(value: unknown, field: string, place: RowPlace): string {
  if (!Array.isArray(value)) return requireText(value, field, place);
  const messages = requireMessages(value, field, place);
  if (messages.length !== 1) throw rowError(place, field, `must be one message, not ${messages.length}`);
  return messages[0]!.content;
}

/** @throws BonsaiError as `readPrompts`. */
export function readRatings(path: string): PeoplesRating[] {
  const ratings: PeoplesRating[] = [];
  for (const { line, row } of readJsonLines(path)) {
    const place = { path, line };
    const prompt = conversationOf(readPrompt(row, place));
    if (present(row, "chosen")) {
      ratings.push({
        kind: "choice",
        prompt,
        chosen: readAnswer(row["chosen"], "chosen", place),
        rejected: readAnswer(row["rejected"], "rejected", place),
      });
      continue;
    }
    const { rating, ratings: dimensions } = row;
    if (typeof rating !== "number") throw rowError(place, "rating", 'must be a number, or the row a choice with "chosen" and "rejected"');
    if (dimensions !== undefined && !(isJsonObject(dimensions) && Object.values(dimensions).every((value) => typeof value === "number")))
      throw rowError(place, "ratings", 'must be an object of numbers, such as {"safety": 4}');
    ratings.push({
      kind: "mark",
      prompt,
      answer: readAnswer(row["completion"], "completion", place),
      rating,
      ratings: dimensions as Record<string, number> | undefined,
    });
  }
  if (ratings.length === 0) throw new BonsaiError("invalid_dataset", `${path} holds no ratings.`, { param: "--judge" });
  return ratings;
}

const largestLexiconBytes = 2 ** 24;

/** @throws BonsaiError `file_not_found`; `invalid_dataset` where it is no object of numbers. */
export function readLexicon(path: string): Map<string, number> {
  const weights = Object.entries(readJsonObject(path, largestLexiconBytes));
  const wrong = weights.find(([, weight]) => typeof weight !== "number");
  if (wrong !== undefined || weights.length === 0)
    throw new BonsaiError(
      "invalid_dataset",
      `${path}: ${wrong === undefined ? "no word has a weight" : `the weight of ${JSON.stringify(wrong[0])} must be a number`}.`,
      {
        param: "--judge",
      },
    );
  return new Map(weights as [string, number][]);
}
