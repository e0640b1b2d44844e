/** @file Rows that were laid out for a run: which batches of them each step trains on, and all of them in order, whatever lies in them. */

import { DataOrder, type DataOrderOptions } from "../run/data-order.ts";

/** What is made of rows, given by their indices. */
export interface RowMaking<Batch> {
  /** Rows that there are. */
  count: number;
  batchOf: (rows: readonly number[]) => Batch;
  /** Tokens of a row, trained or not, without padding. */
  tokensOf: (row: number) => number;
}

export class RowData<Batch> {
  readonly #making: RowMaking<Batch>;
  protected readonly order: DataOrder;

  constructor(making: RowMaking<Batch>, order: Omit<DataOrderOptions, "rows">) {
    this.#making = making;
    this.order = new DataOrder({ ...order, rows: making.count });
  }

  get stepsPerEpoch(): number {
    return this.order.stepsPerEpoch;
  }

  /** What a step trains on, and how many tokens that are. @param step counted from 0. */
  stepAt(step: number): { batches: Batch[]; tokens: number } {
    const { batchOf, tokensOf } = this.#making;
    const { batches } = this.order.rowsOf(step);
    return { batches: batches.map(batchOf), tokens: batches.flat().reduce((sum, row) => sum + tokensOf(row), 0) };
  }
}

/** Rows in batches, each once, in order. */
export function inBatches(rows: readonly number[], batchSize: number): number[][] {
  return Array.from({ length: Math.ceil(rows.length / batchSize) }, (_, batch) => rows.slice(batch * batchSize, (batch + 1) * batchSize));
}
