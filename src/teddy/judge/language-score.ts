/**
 * @file The language score of an answer: sentences that the grammar's frames cover, each thing said once, written with
 * words, the last sentence finished.
 */

import { coverageOf } from "./sentence-coverage.ts";
import { judgeWeights } from "./weights.ts";
import type { ReadText } from "../language/recognition.ts";
import { repetitionsOf } from "./repetition.ts";
import { wordsOf } from "../../text/words.ts";

/**
 * The mean over words of how well their sentences are covered, pulled down by the worst sentence, by repetition, by
 * stray marks and by a missing end.
 *
 * @param sentences those of the answer; not empty. `text` are the same, read.
 * @returns in [0, 1].
 */
export function languageScore(answer: string, sentences: readonly string[], text: ReadText): number {
  const weights = judgeWeights.language;
  const graded = sentences.map((sentence) => ({ words: wordsOf(sentence), grade: gradeOf(coverageOf(sentence)) }));
  const wordCount = graded.reduce((sum, { words }) => sum + words.length, 0);
  const mean = graded.reduce((sum, { words, grade }) => sum + words.length * grade, 0) / wordCount;
  const worst = Math.min(...graded.map(({ grade }) => grade));
  const finished = finalMark.test(answer) ? 1 : weights.unfinished;
  const clean = Math.max(0, 1 - weights.stray * strayShareOf(answer, wordCount));
  return mean * (1 - weights.worst + weights.worst * worst) * weights.repeated ** repetitionsOf(text) * clean * finished;
}

function gradeOf(coverage: number): number {
  const { nothingAt, fullAt } = judgeWeights.language;
  return Math.min(1, Math.max(0, (coverage - nothingAt) / (fullAt - nothingAt)));
}

/** An emoji may follow the mark: it costs a little as a stray character, and the end is not missing. */
const finalMark = /[.!?…]["')]*\s*(?:\p{Extended_Pictographic}+\s*)?$/u;

/** A mark or closing quote right behind a word, an opening quote right before one, a dash between two. */
const properMarks =
  /(?<=[\p{L}\p{N}])(?:["')”]?[.,;:!?…]["')”]?|["')”])(?=\s|$)|(?<=^|\s)["'(“](?=[\p{L}\p{N}])|(?<=[\p{L}\p{N}"')”] ?)[–—](?= ?[\p{L}\p{N}])/gu;

/** The share of visible characters that are neither in words nor marks in their place, in [0, 1]. */
function strayShareOf(answer: string, wordCount: number): number {
  const text = answer.replaceAll("’", "'");
  const visible = [...text.replaceAll(/\s/g, "")].length;
  const inWords = wordsOf(text).reduce((sum, word) => sum + [...word].length, 0);
  const marks = text.match(properMarks) ?? [];
  const inMarks = marks.reduce((sum, mark) => sum + mark.length, 0);
  // A mark behind every word is no punctuation either.
  const { freeMarks, wordsPerMark } = judgeWeights.language;
  const stray = visible - inWords - Math.min(inMarks, freeMarks + wordCount / wordsPerMark);
  return Math.max(0, stray) / Math.max(1, visible);
}
