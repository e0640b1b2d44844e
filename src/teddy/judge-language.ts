/** @file Language of an answer: sentences that the grammar's frames cover, each said once, the last one finished. */

import { coverageOf } from "./fluency.ts";
import { judgeWeights } from "./judge-weights.ts";
import { wordsOf } from "./words.ts";

/**
 * The mean over words of how well their sentences are covered, pulled down by the worst sentence, by repetition and by a missing end.
 *
 * @param sentences those of the answer; not empty.
 * @returns in [0, 1].
 */
export function languageOf(answer: string, sentences: readonly string[]): number {
  const weights = judgeWeights.language;
  const graded = sentences.map((sentence) => ({ words: wordsOf(sentence), grade: gradeOf(coverageOf(sentence)) }));
  const wordCount = graded.reduce((sum, { words }) => sum + words.length, 0);
  const mean = graded.reduce((sum, { words, grade }) => sum + words.length * grade, 0) / wordCount;
  const worst = Math.min(...graded.map(({ grade }) => grade));
  const repeated = graded.length - new Set(graded.map(({ words }) => words.join(" "))).size;
  const finished = /[.!?…]["')]*\s*$/.test(answer) ? 1 : weights.unfinished;
  return mean * (1 - weights.worst + weights.worst * worst) * weights.repeated ** repeated * finished;
}

function gradeOf(coverage: number): number {
  const { nothingAt, fullAt } = judgeWeights.language;
  return Math.min(1, Math.max(0, (coverage - nothingAt) / (fullAt - nothingAt)));
}
