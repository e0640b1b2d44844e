/** @file Comparisons laid out for a run: in rows of one length, which batches each step trains on, and the batches of an evaluation. */

import { groupCount, makeComparisonBatch, type ComparisonBatch, type LossType, type RowSizes } from "./comparison-batch.ts";
import { measureCount, type Comparison, type EncodedAnswer } from "./comparisons.ts";
import type { DataOrderOptions } from "../run/data-order.ts";
import { layOutRows } from "../data/packing.ts";
import type { ComparisonSizes } from "./preference-loss.ts";
import { inBatches, RowData } from "../data/row-data.ts";

/** Lengths of rows are multiples of this, which matrix products like. */
const lengthMultiple = 16;

/** Comparisons, and the rows that they are laid out in: all answers of a comparison lie in one row, so also in one batch. */
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
  const lengths = [...comparisons.map(comparisonLength), ...others.map(({ ids }) => ids.length)];
  const longest = lengths.reduce((most, length) => Math.max(most, length), 1);
  return Math.ceil(longest / lengthMultiple) * lengthMultiple;
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
  const rows = sets.flatMap(({ comparisons, rows: indices }) => indices.map((row) => row.map((index) => comparisons[index]!)));
  const most = (count: (comparison: Comparison) => number): number =>
    batchSize * Math.max(...rows.map((row) => row.reduce((sum, comparison) => sum + count(comparison), 0)));
  return {
    dimensions: dimensions.length,
    measures: measureCount(dimensions),
    answers: most(({ answers }) => answers.length),
    comparisons: most((comparison) => groupCount(comparison, lossType)),
    compared: lossType === "bradley-terry" ? 2 : Math.max(...rows.flat().map(({ answers }) => answers.length)),
  };
}

export class PreferenceData extends RowData<ComparisonBatch> {
  constructor(laidOut: LaidOutComparisons, lossType: LossType, order: Omit<DataOrderOptions, "rows">) {
    const { comparisons, rows } = laidOut;
    super(
      {
        count: rows.length,
        batchOf: (chosen) => batchOf(laidOut, chosen, lossType),
        tokensOf: (row) => rows[row]!.reduce((sum, index) => sum + comparisonLength(comparisons[index]!), 0),
      },
      order,
    );
  }
}

/** Held-out comparisons in batches, each once, in order. */
export function comparisonBatches(laidOut: LaidOutComparisons, batchSize: number, lossType: LossType): ComparisonBatch[] {
  return inBatches([...laidOut.rows.keys()], batchSize).map((rows) => batchOf(laidOut, rows, lossType));
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

function batchOf({ comparisons, rows }: LaidOutComparisons, chosen: readonly number[], lossType: LossType): ComparisonBatch {
  return makeComparisonBatch(
    chosen.map((row) => rows[row]!.map((index) => comparisons[index]!)),
    lossType,
  );
}
