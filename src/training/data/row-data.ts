/**
 * @file Rows of one length as the batches of a run: those of each step in a seeded order, or all of them in their own
 * order.
 */

import { DataOrder, type DataOrderOptions } from "../run/data-order.ts";
import type { StepBatches, StepSource } from "../run/training-loop.ts";

/** Rows by their indices, and the batches that some of them make. */
export interface RowBatches<Batch> {
  /** How many rows there are. */
  count: number;
  batchOf: (rows: readonly number[]) => Batch;
  /** Tokens of a row, trained or not, without padding. */
  tokensOf: (row: number) => number;
}

export class RowData<Batch> implements StepSource<Batch> {
  readonly #rows: RowBatches<Batch>;
  readonly #order: DataOrder;

  constructor(rows: RowBatches<Batch>, order: Omit<DataOrderOptions, "rows">) {
    this.#rows = rows;
    this.#order = new DataOrder({ ...order, rows: rows.count });
  }

  get stepsPerEpoch(): number {
    return this.#order.stepsPerEpoch;
  }

  batchesOf(step: number): StepBatches<Batch> {
    const { batchOf, tokensOf } = this.#rows;
    const { batches } = this.#order.rowsOf(step);
    return { batches: batches.map(batchOf), tokens: batches.flat().reduce((sum, row) => sum + tokensOf(row), 0) };
  }

  /** Rows that the first `steps` steps train on, ascending. */
  rowsOfFirst(steps: number): number[] {
    const used = new Set<number>();
    for (let step = 0; step < Math.min(steps, this.stepsPerEpoch); step++)
      for (const row of this.#order.rowsOf(step).batches.flat()) used.add(row);
    return [...used].toSorted((a, b) => a - b);
  }
}

/** All rows in batches, each once, in order. */
export function allBatches<Batch>({ count, batchOf }: RowBatches<Batch>, batchSize: number): Batch[] {
  return inBatches(Array.from({ length: count }, (_, row) => row), batchSize).map(batchOf); // prettier-ignore
}

/** Indices in groups of at most `batchSize`, in order. */
export function inBatches(rows: readonly number[], batchSize: number): number[][] {
  return Array.from({ length: Math.ceil(rows.length / batchSize) }, (_, batch) => rows.slice(batch * batchSize, (batch + 1) * batchSize));
}
