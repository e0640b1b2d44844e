/** @file A data set laid out for a run: rows of one length, which batches each step trains on, and the batches of an evaluation. */

import { countTokens, makeBatch, rowLength } from "./batch.ts";
import type { DataOrderOptions } from "../run/data-order.ts";
import type { TrainingDocument } from "./documents.ts";
import { packRows, type Packing, type Piece, type Row } from "./packing.ts";
import { inBatches, RowData } from "./row-data.ts";
import type { TokenBatch } from "../run/trainable-model.ts";

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

export class TrainingData extends RowData<TokenBatch> {
  /** @param length of every batch: see `commonLength`. */
  constructor({ documents, rows }: LaidOutDocuments, length: number, order: Omit<DataOrderOptions, "rows">) {
    const chosen = (indices: readonly number[]): Row[] => indices.map((index) => rows[index]!);
    super(
      {
        count: rows.length,
        batchOf: (indices) => makeBatch(documents, chosen(indices), length),
        tokensOf: (index) => countTokens(documents, chosen([index])),
      },
      order,
    );
  }
}

/** Held-out data in batches, each row once, in order. Packed rows keep their documents apart, so packing changes no number but the speed. */
export function evaluationBatches({ documents, rows }: LaidOutDocuments, length: number, batchSize: number): TokenBatch[] {
  return inBatches([...rows.keys()], batchSize).map((batch) =>
    makeBatch(
      documents,
      batch.map((row) => rows[row]!),
      length,
    ),
  );
}
