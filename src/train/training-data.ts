/** @file A data set laid out for a run: which batches each step trains on, and the batches of an evaluation. */

import { countTokens, makeBatch, rowLength } from "./batch.ts";
import { DataOrder, type DataOrderOptions } from "./data-order.ts";
import type { TrainingDocument } from "./documents.ts";
import { packRows, type Packing, type Row } from "./packing.ts";
import type { TokenBatch } from "./trainable-model.ts";

export interface TrainingDataOptions extends Omit<DataOrderOptions, "rows"> {
  packing: Packing;
  /** Places of a packed row. */
  maxLength: number;
}

/** What a step trains on. */
export interface StepData {
  batches: TokenBatch[];
  /** All tokens of the batches, trained or not, without padding. */
  tokens: number;
}

export class TrainingData {
  readonly #documents: readonly TrainingDocument[];
  readonly #order: DataOrder;
  /** Length of every batch where rows are packed: one shape for the whole run. */
  readonly #length: number | undefined;
  readonly rows: readonly Row[];

  constructor(documents: readonly TrainingDocument[], options: TrainingDataOptions) {
    this.#documents = documents;
    this.rows = packRows(
      documents.map(({ ids }) => ids.length),
      options.maxLength,
      options.packing,
    );
    this.#length = options.packing === "none" ? undefined : commonLength(this.rows, options.maxLength);
    this.#order = new DataOrder({ ...options, rows: this.rows.length });
  }

  get stepsPerEpoch(): number {
    return this.#order.stepsPerEpoch;
  }

  /** @param step counted from 0. */
  stepAt(step: number): StepData {
    const chosen = this.#order.rowsOf(step).batches.map((batch) => batch.map((row) => this.rows[row]!));
    return {
      batches: chosen.map((rows) => makeBatch(this.#documents, rows, this.#length)),
      tokens: chosen.reduce((sum, rows) => sum + countTokens(this.#documents, rows), 0),
    };
  }
}

/** Held-out data in batches, each row once, in order. Packed rows keep their documents apart, so packing changes no number but the speed. */
export function evaluationBatches(documents: readonly TrainingDocument[], options: TrainingDataOptions): TokenBatch[] {
  const rows = packRows(
    documents.map(({ ids }) => ids.length),
    options.maxLength,
    options.packing,
  );
  const length = options.packing === "none" ? undefined : commonLength(rows, options.maxLength);
  const batches: TokenBatch[] = [];
  for (let at = 0; at < rows.length; at += options.batchSize)
    batches.push(makeBatch(documents, rows.slice(at, at + options.batchSize), length));
  return batches;
}

function commonLength(rows: readonly Row[], maxLength: number): number {
  const longest = rows.reduce((most, row) => Math.max(most, rowLength(row)), 1);
  return Math.min(maxLength, Math.ceil(longest / 16) * 16);
}
