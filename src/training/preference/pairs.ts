/**
 * @file Data sets of preferences as token ids of prompts with answers, for tuning a policy, with a count of rows left
 * out.
 */

import { BonsaiError } from "../../errors/bonsai-error.ts";
import type { JsonObject } from "../../formats/json-file.ts";
import type { Message } from "../../text/conversation/message.ts";
import { eachRow, encodingError, readDatasetRow, rowError, type DatasetRow, type RowPlace } from "../data/dataset-row.ts";
import type { RowEncoder, TrainingDocument } from "../data/documents.ts";
import type { ReadFile } from "../../formats/json-lines.ts";
import { readPreferenceRow, type PromptAndAnswer } from "../data/preference-row.ts";

/**
 * Two documents that are trained on together: the chosen and the rejected answer to a prompt, or for KTO an answer and
 * one to another prompt.
 */
export interface DocumentPair {
  first: TrainingDocument;
  second: TrainingDocument;
  /** KTO's label: 1 for a desirable answer, -1 for an undesirable one. Pairs have 1. */
  label: 1 | -1;
}

export interface DocumentPairs {
  pairs: readonly DocumentPair[];
  files: readonly ReadFile[];
  /** Rows left out because an answer with its prompt is too long: a cut answer is not the one that was preferred. */
  tooLongRows: number;
  /** Rows left out because both answers are the same tokens. */
  identicalRows: number;
}

/** A prompt with an answer, by what TRL's rows call it. */
type AnsweredPrompt = Extract<DatasetRow, { form: "completion" | "conversational completion" }>;

/**
 * Reads and tokenises JSON Lines of {"prompt", "chosen", "rejected"}.
 * @param maxLength most tokens of a prompt with an answer.
 * @throws BonsaiError `file_not_found`, `invalid_tokenizer`, or `invalid_dataset` naming file, line and field; also
 *   where no row is left.
 */
export function readPolicyPairs(paths: readonly string[], encoder: RowEncoder, maxLength: number): DocumentPairs {
  const pairs: DocumentPair[] = [];
  let [tooLongRows, identicalRows] = [0, 0];
  const files = eachRow(paths, (row, place) => {
    const [first, second] = pairOf(row, place).map((answered) => documentOf(encoder, answered, place)) as [
      TrainingDocument,
      TrainingDocument,
    ];
    if (Math.max(first.ids.length, second.ids.length) > maxLength) tooLongRows++;
    else if (sameIds(first.ids, second.ids)) identicalRows++;
    else pairs.push({ first, second, label: 1 });
  });
  requireSome(paths, pairs.length, tooLongRows, maxLength);
  return { pairs, files, tooLongRows, identicalRows };
}

/**
 * Reads what KTO takes: {"prompt", "completion", "label"} with a label of true or false, or pairs, each of which is an
 * answer that is wanted and one that is not. Beside each answer stands that of the next row to the same row's prompt,
 * as in TRL, by which the policy's distance is estimated.
 * @throws BonsaiError as `readPolicyPairs`.
 */
export function readPolicyAnswers(paths: readonly string[], encoder: RowEncoder, maxLength: number): DocumentPairs {
  const answers: { answered: AnsweredPrompt; place: RowPlace; label: 1 | -1 }[] = [];
  const files = eachRow(paths, (row, place) => {
    if (row["label"] === undefined) {
      const [chosen, rejected] = pairOf(row, place);
      answers.push({ answered: chosen, place, label: 1 }, { answered: rejected, place, label: -1 });
      return;
    }
    if (typeof row["label"] !== "boolean") throw rowError(place, "label", "must be true for an answer that is wanted, or false");
    const { label: _, ...rest } = row;
    const answered = readDatasetRow(rest, place);
    if (answered.form !== "completion" && answered.form !== "conversational completion")
      throw rowError(place, "prompt", 'must stand beside "completion" and "label"');
    answers.push({ answered, place, label: row["label"] ? 1 : -1 });
  });
  const pairs: DocumentPair[] = [];
  let tooLongRows = 0;
  for (const [index, { answered, place, label }] of answers.entries()) {
    const other = nextOfAnotherPrompt(answers, index)?.answered;
    if (other === undefined) throw new BonsaiError("invalid_dataset", `${paths.join(", ")}: KTO takes answers to at least two prompts.`);
    const unmatched = { ...answered, completion: completionLike(answered, other) } as AnsweredPrompt;
    const [first, second] = [documentOf(encoder, answered, place), documentOf(encoder, unmatched, place)];
    if (Math.max(first.ids.length, second.ids.length) > maxLength) tooLongRows++;
    else pairs.push({ first, second, label });
  }
  requireSome(paths, pairs.length, tooLongRows, maxLength);
  return { pairs, files, tooLongRows, identicalRows: 0 };
}

/** The chosen and the rejected answer of a row, each with the prompt. */
function pairOf(row: JsonObject, place: RowPlace): [chosen: AnsweredPrompt, rejected: AnsweredPrompt] {
  if (row["completions"] !== undefined)
    throw rowError(place, "completions", 'is of a list, which reward models take: give "chosen" and "rejected"');
  const [chosen, rejected] = readPreferenceRow(row, place).answers as [PromptAndAnswer, PromptAndAnswer];
  if (chosen.form === "text" || rejected.form === "text") return [ofText(chosen), ofText(rejected)];
  // Whole conversations: what they begin with in common is the prompt, as TRL takes it.
  const shared = chosen.prompt.length > 0 ? 0 : sharedMessages(chosen.answer, rejected.answer);
  const split = ({ prompt, answer }: Extract<PromptAndAnswer, { form: "messages" }>): AnsweredPrompt => ({
    form: "conversational completion",
    prompt: [...prompt, ...answer.slice(0, shared)],
    completion: answer.slice(shared),
  });
  return [split(chosen), split(rejected)];
}

function ofText({ prompt, answer }: PromptAndAnswer): AnsweredPrompt {
  return { form: "completion", prompt: prompt as string, completion: answer as string };
}

/** Messages that both begin with; the last of each is its own. */
function sharedMessages(first: readonly Message[], second: readonly Message[]): number {
  const most = Math.min(first.length, second.length) - 1;
  let shared = 0;
  while (shared < most && first[shared]!.role === second[shared]!.role && first[shared]!.content === second[shared]!.content) shared++;
  return shared;
}

function documentOf(encoder: RowEncoder, answered: AnsweredPrompt, place: RowPlace): TrainingDocument {
  try {
    const { ids, trained } = encoder.encode(answered);
    if (trained.indexOf(true, 1) === -1) throw rowError(place, "prompt", "stands beside an answer without a token");
    return { ids: Int32Array.from(ids), trained: Uint8Array.from(trained, Number) };
  } catch (error) {
    throw encodingError(error, place);
  }
}

/** The answer of another prompt that comes next, from the beginning again after the last. */
function nextOfAnotherPrompt<Answer extends { answered: AnsweredPrompt }>(answers: readonly Answer[], index: number): Answer | undefined {
  const prompt = JSON.stringify(answers[index]!.answered.prompt);
  for (let step = 1; step < answers.length; step++) {
    const other = answers[(index + step) % answers.length]!;
    if (JSON.stringify(other.answered.prompt) !== prompt) return other;
  }
  return undefined;
}

/** An answer in the form of another's: a text, or messages. */
function completionLike(like: AnsweredPrompt, { completion }: AnsweredPrompt): AnsweredPrompt["completion"] {
  if (like.form === "completion") return typeof completion === "string" ? completion : completion.at(-1)!.content;
  return typeof completion === "string" ? [{ role: "assistant", content: completion }] : completion;
}

function requireSome(paths: readonly string[], pairs: number, tooLongRows: number, maxLength: number): void {
  if (pairs > 0) return;
  const why = tooLongRows > 0 ? `: ${tooLongRows} have more than ${maxLength} tokens; raise --max-length` : "";
  throw new BonsaiError("invalid_dataset", `${paths.join(", ")}: no row is left to train on${why}.`);
}

function sameIds(a: Int32Array, b: Int32Array): boolean {
  return a.length === b.length && a.every((id, at) => id === b[at]);
}
