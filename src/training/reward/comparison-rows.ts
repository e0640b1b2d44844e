/**
 * @file Comparisons laid out in rows of one length, and the batches of comparisons that a reward model under training
 * takes.
 */

import { groupCount, makeComparisonBatch, type ComparisonBatch, type LossType, type RowSizes } from "./batch.ts";
import { measureCount, type Comparison, type EncodedAnswer } from "./comparisons.ts";
import { layOutRows, paddedLength } from "../data/packing.ts";
import type { ComparisonSizes } from "./loss.ts";
import type { RowBatches } from "../data/row-data.ts";

/**
 * Comparisons, and the rows that they are laid out in: all answers of a comparison lie in one row, so also in one
 * batch.
 */
export interface LaidOutComparisons {
  comparisons: readonly Comparison[];
  /** Comparisons of each row, as indices. */
  rows: readonly (readonly number[])[];
}

/** Tokens of all answers, and so of the row that they take alone. */
export function comparisonLength({ answers }: Comparison): number {
  return answers.reduce((sum, { ids }) => sum + ids.length, 0);
}

/** The length of rows that holds every comparison, and every answer of others that will be read. */
export function commonRowLength(comparisons: readonly Comparison[], others: readonly EncodedAnswer[]): number {
  return paddedLength(
    Math.max(
      1,
      largest(comparisons, comparisonLength),
      largest(others, ({ ids }) => ids.length),
    ),
  );
}

/** One comparison a row, or as many as fit, best-fit decreasing. */
export function layOutComparisons(comparisons: readonly Comparison[], isPacked: boolean, length: number): LaidOutComparisons {
  return { comparisons, rows: layOutRows(comparisons.map(comparisonLength), isPacked, length) };
}

/** Sizes that hold every batch of `batchSize` rows of these. */
export function sizesOf(
  sets: readonly LaidOutComparisons[],
  batchSize: number,
  dimensions: readonly string[],
  lossType: LossType,
): ComparisonSizes {
  const inRow = (count: (comparison: Comparison) => number): number =>
    largest(sets, ({ comparisons, rows }) => largest(rows, (row) => row.reduce((sum, index) => sum + count(comparisons[index]!), 0)));
  return {
    dimensions: dimensions.length,
    measures: measureCount(dimensions),
    answers: batchSize * inRow(({ answers }) => answers.length),
    comparisons: batchSize * inRow((comparison) => groupCount(comparison, lossType)),
    compared: lossType === "bradley-terry" ? 2 : largest(sets, (set) => largest(set.comparisons, ({ answers }) => answers.length)),
  };
}

/** The largest number of all items, 0 of none. A data set has more items than a call has arguments. */
function largest<Item>(items: readonly Item[], count: (item: Item) => number): number {
  return items.reduce((most, item) => Math.max(most, count(item)), 0);
}

/** Rows as batches. */
export function comparisonRows({ comparisons, rows }: LaidOutComparisons, lossType: LossType): RowBatches<ComparisonBatch> {
  const ofRow = (row: number): Comparison[] => rows[row]!.map((index) => comparisons[index]!);
  return {
    count: rows.length,
    batchOf: (chosen) => makeComparisonBatch(chosen.map(ofRow), lossType), // prettier-ignore
    tokensOf: (row) => ofRow(row).reduce((sum, comparison) => sum + comparisonLength(comparison), 0),
  };
}

/** Answers that are compared with none, in batches that fit graphs of these sizes; in their order. */
export function answerBatches(answers: readonly EncodedAnswer[], { rows: R, length }: RowSizes, mostAnswers: number): ComparisonBatch[] {
  const batches: { answers: EncodedAnswer[]; rows: number[][] }[] = [];
  let left = 0;
  for (const answer of answers) {
    let batch = batches.at(-1);
    const fits = left >= answer.ids.length;
    if (batch === undefined || batch.answers.length === mostAnswers || (!fits && batch.rows.length === R)) {
      batch = { answers: [], rows: [] };
      batches.push(batch);
    }
    if (!fits || batch.rows.length === 0) {
      batch.rows.push([]);
      left = length;
    }
    batch.rows.at(-1)!.push(batch.answers.length);
    batch.answers.push(answer);
    left -= answer.ids.length;
  }
  return batches.map((batch) => ({ ...batch, groups: [], labels: 0 }));
}
