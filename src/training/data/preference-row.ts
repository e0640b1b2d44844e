/**
 * @file The forms of a row of preferences, TRL's and a few more: a pair, or a ranked list of answers, as text or
 * conversation.
 */

import { BonsaiError } from "../../errors/bonsai-error.ts";
import { isJsonObject, type JsonObject } from "../../formats/json-file.ts";
import type { Message } from "../../text/conversation/message.ts";
import { requireMessages, requireText, rowError, shown, type RowPlace } from "./dataset-row.ts";
import type { Ranking } from "./ranking.ts";

/**
 * What is answered, and an answer. Both are texts, or both are lists of messages, of which the answer's last is the
 * assistant's.
 */
export type PromptAndAnswer =
  | { form: "text"; prompt: string; answer: string }
  | { form: "messages"; prompt: readonly Message[]; answer: readonly Message[] };

export interface PreferenceRow {
  /** Two for a pair, whose first is the chosen one. */
  answers: readonly PromptAndAnswer[];
  ranking: Ranking;
  /** How a pair ranks by dimension, where the row says so. */
  dimensions: ReadonlyMap<string, Ranking>;
}

const forms =
  '{"prompt", "chosen", "rejected"} or {"prompt", "completions", "ranks"} (texts, or lists of messages; answers may be texts where the prompt is a list of messages)';

/**
 * Reads a row; keys that are of no form are passed over. A conversation's `prompt` may be absent where the answers are
 * whole conversations.
 * @throws BonsaiError `invalid_dataset`, naming file, line and field and what would be right.
 */
export function readPreferenceRow(row: JsonObject, place: RowPlace): PreferenceRow {
  const has = (key: string): boolean => row[key] !== undefined && row[key] !== null;
  const isPair = has("chosen") || has("rejected");
  if (isPair === has("completions")) {
    const keys = Object.keys(row).slice(0, 10).map((key) => JSON.stringify(key.slice(0, 40))); // prettier-ignore
    const found = isPair ? 'both "completions" and a pair' : `the keys ${keys.join(", ") || "of no form"}`;
    throw new BonsaiError("invalid_dataset", `${place.path}:${place.line}: the row has ${found}; it must be ${forms}.`);
  }
  const prompt = readPrompt(row["prompt"], place);
  if (!isPair) return readList(row, prompt, place);
  if (has("ranks")) throw rowError(place, "ranks", 'is of "completions", and the row is a pair: "chosen" is the better one');
  const answers = (["chosen", "rejected"] as const).map((key) => readAnswer(row[key], prompt, key, place));
  if (answers[0]!.form !== answers[1]!.form) throw rowError(place, "rejected", 'must be of the form of "chosen", a text or a list');
  return {
    answers,
    ranking: { ranks: [1, 2], margin: readMargin(row["margin"], place) },
    dimensions: readDimensions(row["preferences"], place),
  };
}

type Prompt = string | readonly Message[] | undefined;

/** @throws BonsaiError `invalid_dataset` for what is neither text nor messages. */
export function readPrompt(value: unknown, place: RowPlace): Prompt {
  if (value === undefined || value === null) return undefined;
  if (Array.isArray(value)) return requireMessages(value, "prompt", place);
  if (typeof value === "string") return value;
  throw rowError(place, "prompt", `must be a text or a list of messages, not ${shown(value)}`);
}

/**
 * An answer to a prompt, in the form that goes with it; texts answer conversations too.
 * @throws BonsaiError `invalid_dataset` naming the field, also where a conversation does not end with the assistant.
 */
export function readAnswer(value: unknown, prompt: Prompt, field: string, place: RowPlace): PromptAndAnswer {
  if (typeof prompt === "string" || (prompt === undefined && typeof value === "string"))
    return { form: "text", prompt: prompt ?? "", answer: requireText(value, field, place) };
  if (typeof value === "string") return { form: "messages", prompt: prompt ?? [], answer: [{ role: "assistant", content: value }] };
  const answer = requireMessages(value, field, place);
  if (answer.at(-1)!.role !== "assistant")
    throw rowError(place, `${field}[${answer.length - 1}].role`, 'must be "assistant": the last message is the answer that is compared');
  return { form: "messages", prompt: prompt ?? [], answer };
}

function readMargin(value: unknown, place: RowPlace): number | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value === "number" && value >= 0 && value <= 1e6) return value;
  throw rowError(place, "margin", `must be a number from 0, not ${typeof value === "number" ? value : shown(value)}`);
}

const rankings: ReadonlyMap<unknown, readonly number[]> = new Map([
  [1, [1, 2]],
  [-1, [2, 1]],
  [0, [1, 1]],
]);

function readDimensions(value: unknown, place: RowPlace): Map<string, Ranking> {
  if (value === undefined || value === null) return new Map();
  if (!isJsonObject(value)) throw rowError(place, "preferences", `must be an object such as {"safety": 1}, not ${shown(value)}`);
  const entries = Object.entries(value).map(([name, preference]): [string, Ranking] => {
    const ranks = rankings.get(preference);
    const field = `preferences.${name.slice(0, 64)}`;
    if (ranks === undefined) throw rowError(place, field, 'must be 1 ("chosen" is better), -1 (worse) or 0 (equal)');
    return [name, { ranks }];
  });
  return new Map(entries);
}

/** Far more than anyone ranks; the loss has a number for each pair. */
const mostAnswers = 64;

function readList(row: JsonObject, prompt: Prompt, place: RowPlace): PreferenceRow {
  const { completions, ranks } = row;
  for (const key of ["margin", "preferences"]) {
    if (row[key] !== undefined && row[key] !== null)
      throw rowError(place, key, 'is of a pair ("chosen" and "rejected"), and the row is a list');
  }
  if (!Array.isArray(completions) || completions.length < 2 || completions.length > mostAnswers)
    throw rowError(place, "completions", `must be a list of 2 to ${mostAnswers} answers`);
  const answers = completions.map((completion, index) => readAnswer(completion, prompt, `completions[${index}]`, place));
  const other = answers.findIndex(({ form }) => form !== answers[0]!.form);
  if (other !== -1) throw rowError(place, `completions[${other}]`, "must be of the form of the first one, a text or a list");
  if (!Array.isArray(ranks) || ranks.length !== answers.length)
    throw rowError(place, "ranks", `must be a list of ${answers.length} whole numbers, one for each of the completions and 1 for the best`);
  ranks.forEach((rank: unknown, index) => {
    if (!Number.isSafeInteger(rank) || (rank as number) < 1)
      throw rowError(place, `ranks[${index}]`, "must be a whole number from 1, which is the best");
  });
  return { answers, ranking: { ranks: ranks as number[] }, dimensions: new Map() };
}
