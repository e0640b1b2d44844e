/** @file Scored answers for a value model: rows of tokens, with a target at every token of an answer. */

import { BonsaiError } from "../../errors/bonsai-error.ts";
import type { JsonObject } from "../../formats/json-file.ts";
import type { DecoderAnswerEncoder } from "../reward/answer-encoders.ts";
import { tokenArrays, type RowSizes } from "../reward/batch.ts";
import { CountingEncoder, type EncodedAnswer } from "../reward/comparisons.ts";
import { eachRow, rowError, shown, type RowPlace } from "../data/dataset-row.ts";
import type { ReadFile } from "../../formats/json-lines.ts";
import { layOutRows } from "../data/packing.ts";
import { commonRowLength } from "../reward/comparison-rows.ts";
import { readAnswer, readPrompt, type PromptAndAnswer } from "../data/preference-row.ts";
import type { RowBatches } from "../data/row-data.ts";
import type { Arrays } from "../model/training-session.ts";

/** An answer with its prompt and its score. */
export interface ScoredAnswer extends EncodedAnswer {
  /** Place of the answer's first token. */
  answerStart: number;
  score: number;
}

export interface ScoredAnswers {
  answers: readonly ScoredAnswer[];
  files: readonly ReadFile[];
  truncatedAnswers: number;
  truncatedTokens: number;
  /** Rows left out, since their answers have no token. */
  emptyRows: number;
}

/** Far beyond any reward on a normalised scale; keeps squares finite. */
const largestScore = 1e6;

/**
 * Reads and tokenises JSON Lines files of {"prompt", "completion", "score"}, as `collect --form points --scale graded`
 * writes them.
 * @throws BonsaiError `file_not_found`, `invalid_tokenizer`, or `invalid_dataset` naming file, line and field; also
 *   where no row is left.
 */
export function readScoredAnswers(paths: readonly string[], encoder: DecoderAnswerEncoder, maxLength: number): ScoredAnswers {
  const answers: ScoredAnswer[] = [];
  const counting = new CountingEncoder({ encode: (answer, most) => encoder.encodeOpened(answer, most) }, maxLength);
  let emptyRows = 0;
  const files = eachRow(paths, (row, place) => {
    const { score, ...answer } = readScoredRow(row, place);
    const { ids, answerStart } = counting.encode(answer, place);
    if (answerStart >= ids.length) emptyRows++;
    else answers.push({ ids, answerStart, score });
  });
  if (answers.length === 0) throw new BonsaiError("invalid_dataset", `${paths.join(", ")}: no row has an answer to learn from.`);
  const { truncatedAnswers, truncatedTokens } = counting;
  return { answers, files, truncatedAnswers, truncatedTokens, emptyRows };
}

/** @throws BonsaiError `invalid_dataset`, naming file, line and field and what would be right. */
export function readScoredRow(row: JsonObject, place: RowPlace): PromptAndAnswer & { score: number } {
  const { completion, score } = row;
  if (completion === undefined || completion === null)
    throw rowError(place, "completion", 'is absent: a row of --form value is {"prompt", "completion", "score"}, an answer and its score');
  const answer = readAnswer(completion, readPrompt(row["prompt"], place), "completion", place);
  if (typeof score !== "number" || !(Math.abs(score) <= largestScore)) {
    const found = typeof score === "number" ? String(score) : shown(score);
    throw rowError(
      place,
      "score",
      `must be a number of at most ${largestScore} either way, not ${found}; collect --scale graded writes it`,
    );
  }
  return { ...answer, score };
}

/** Answers in the rows of a batch; `rows` are indices of the answers. */
export interface ValueBatch {
  answers: readonly ScoredAnswer[];
  rows: readonly (readonly number[])[];
  /** Tokens of answers: each has a target. */
  labels: number;
}

/** One answer a row, or as many as fit. */
export interface LaidOutAnswers {
  answers: readonly ScoredAnswer[];
  rows: readonly (readonly number[])[];
}

export function layOutAnswers(answers: readonly ScoredAnswer[], isPacked: boolean, length: number): LaidOutAnswers {
  const sizes = answers.map(({ ids }) => ids.length);
  return { answers, rows: layOutRows(sizes, isPacked, length) };
}

/** The length of rows that hold the longest answer; where several share a row, a few of them. */
export function valueRowLength(answers: readonly ScoredAnswer[], isPacked: boolean): number {
  const longest = commonRowLength([], answers);
  return isPacked ? answersOfRow * longest : longest;
}

/** Longest answers that a packed row has room for. */
const answersOfRow = 2;

/** Rows as batches. */
export function answerRows(laidOut: LaidOutAnswers): RowBatches<ValueBatch> {
  const { answers, rows } = laidOut;
  return {
    count: rows.length,
    batchOf: (chosen) => batchOf(laidOut, chosen),
    tokensOf: (row) => rows[row]!.reduce((sum, index) => sum + answers[index]!.ids.length, 0),
  };
}

function batchOf({ answers, rows }: LaidOutAnswers, chosen: readonly number[]): ValueBatch {
  const inBatch: ScoredAnswer[] = [];
  const rowsOfBatch = chosen.map((row) => rows[row]!.map((index) => inBatch.push(answers[index]!) - 1));
  const labels = inBatch.reduce((sum, { ids, answerStart }) => sum + ids.length - answerStart, 0);
  return { answers: inBatch, rows: rowsOfBatch, labels };
}

/**
 * The inputs of the network and of `valueLoss`, without its scale. Every place of the rows is scored; tokens of answers
 * have the weight 1.
 * @throws BonsaiError `internal` for answers that do not fit.
 */
export function valueArrays(batch: ValueBatch, { rows, length }: RowSizes): Arrays {
  const places = rows * length;
  const { ids, segments, positions, ends: lasts } = tokenArrays(batch, { rows, length }, batch.answers.length);
  const targets = new Float32Array(places);
  const weights = new Float32Array(places);
  for (const [index, { ids: own, answerStart, score }] of batch.answers.entries()) {
    const end = lasts[index]! + 1;
    const start = end - own.length + answerStart;
    targets.fill(score, start, end);
    weights.fill(1, start, end);
  }
  return { ids, segments, positions, ends: Int32Array.from({ length: places }, (_, place) => place), targets, weights };
}
