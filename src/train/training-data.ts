/** @file A data set laid out for a run: rows of one length, which batches each step trains on, and the batches of an evaluation. */

import { countTokens, makeBatch, rowLength } from "./batch.ts";
import { DataOrder, type DataOrderOptions } from "./data-order.ts";
import type { TrainingDocument } from "./documents.ts";
import { packRows, type Packing, type Piece, type Row } from "./packing.ts";
import type { TokenBatch } from "./trainable-model.ts";

/** Lengths of rows are multiples of this, which matrix products like. */
const lengthMultiple = 16;

/** Documents and the rows that they are laid out in. */
export interface LaidOutDocuments {
  documents: readonly TrainingDocument[];
  rows: readonly Row[];
}

/**
 * Rows in which nothing is trained on, which only wrapping makes (the middle of a long prompt), are left out.
 * @param maxLength places of a row at most; the documents have at most one token more where they are not wrapped.
 */
export function layOut(documents: readonly TrainingDocument[], packing: Packing, maxLength: number): LaidOutDocuments {
  const lengths = documents.map(({ ids }) => ids.length);
  const trains = ({ document, start, end }: Piece): boolean => documents[document]!.trained.subarray(start + 1, end + 1).includes(1);
  return { documents, rows: packRows(lengths, maxLength, packing).filter((row) => row.some(trains)) };
}

/** The length to which all rows of a run are padded: that of the longest, rounded up. One shape serves the whole run. */
export function commonLength(sets: readonly LaidOutDocuments[], maxLength: number): number {
  const longest = sets.flatMap(({ rows }) => rows).reduce((most, row) => Math.max(most, rowLength(row)), 1);
  return Math.min(maxLength, Math.ceil(longest / lengthMultiple) * lengthMultiple);
}

/** What a step trains on. */
export interface StepData {
  batches: TokenBatch[];
  /** All tokens of the batches, trained or not, without padding. */
  tokens: number;
}

export class TrainingData {
  readonly #laidOut: LaidOutDocuments;
  readonly #length: number;
  readonly #order: DataOrder;

  /** @param length of every batch: see `commonLength`. */
  constructor(laidOut: LaidOutDocuments, length: number, order: Omit<DataOrderOptions, "rows">) {
    this.#laidOut = laidOut;
    this.#length = length;
    this.#order = new DataOrder({ ...order, rows: laidOut.rows.length });
  }

  get stepsPerEpoch(): number {
    return this.#order.stepsPerEpoch;
  }

  /** @param step counted from 0. */
  stepAt(step: number): StepData {
    const { documents, rows } = this.#laidOut;
    const chosen = this.#order.rowsOf(step).batches.map((batch) => batch.map((row) => rows[row]!));
    return {
      batches: chosen.map((batch) => makeBatch(documents, batch, this.#length)),
      tokens: chosen.reduce((sum, batch) => sum + countTokens(documents, batch), 0),
    };
  }
}

/** Held-out data in batches, each row once, in order. Packed rows keep their documents apart, so packing changes no number but the speed. */
export function evaluationBatches({ documents, rows }: LaidOutDocuments, length: number, batchSize: number): TokenBatch[] {
  const batches: TokenBatch[] = [];
  for (let at = 0; at < rows.length; at += batchSize) batches.push(makeBatch(documents, rows.slice(at, at + batchSize), length));
  return batches;
}
