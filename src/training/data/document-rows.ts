/** @file Documents laid out in rows of one length, and the batches of tokens that a model under training takes. */

import type { TrainingDocument } from "./documents.ts";
import { packRows, paddedLength, type Packing, type Piece, type Row } from "./packing.ts";
import type { RowBatches } from "./row-data.ts";
import type { TokenBatch } from "../run/trainable-model.ts";

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

/**
 * The length to which all rows of a run are padded: that of the longest, rounded up. One shape serves the whole run.
 */
export function commonLength(sets: readonly LaidOutDocuments[], maxLength: number): number {
  const longest = sets.flatMap(({ rows }) => rows).reduce((most, row) => Math.max(most, rowLength(row)), 1);
  return Math.min(maxLength, paddedLength(longest));
}

/**
 * Rows as batches, each row padded to `length`: see `commonLength`. Packed rows keep their documents apart, so that
 * packing changes no number but the speed.
 */
export function documentRows({ documents, rows }: LaidOutDocuments, length: number): RowBatches<TokenBatch> {
  const chosen = (indices: readonly number[]): Row[] => indices.map((index) => rows[index]!);
  return {
    count: rows.length,
    batchOf: (indices) => makeBatch(documents, chosen(indices), length),
    tokensOf: (index) => countTokens(documents, chosen([index])),
  };
}

/**
 * The batch of some rows, each padded to `length`.
 * @throws RangeError when a row is longer than `length`.
 */
export function makeBatch(documents: readonly TrainingDocument[], rows: readonly Row[], length: number): TokenBatch {
  const places = rows.length * length;
  const batch: TokenBatch = {
    rows: rows.length,
    length,
    ids: new Int32Array(places),
    targets: new Int32Array(places).fill(-1),
    segments: new Int32Array(places).fill(-1),
    positions: new Int32Array(places),
  };
  for (const [index, row] of rows.entries()) {
    let at = index * length;
    for (const [segment, { document, start, end }] of row.entries()) {
      const { ids, trained } = documents[document]!;
      if (at + end - start > (index + 1) * length) throw new RangeError(`row ${index} is longer than ${length} places`);
      for (let place = start; place < end; place++, at++) {
        batch.ids[at] = ids[place]!;
        if (trained[place + 1] === 1) batch.targets[at] = ids[place + 1]!;
        batch.segments[at] = segment;
        batch.positions[at] = place - start;
      }
    }
  }
  return batch;
}

/** Places that a row takes without padding. */
export function rowLength(row: Row): number {
  return row.reduce((sum, { start, end }) => sum + end - start, 0);
}

/** Tokens of some rows: all that are read, and a document's last one, which is only predicted. */
export function countTokens(documents: readonly TrainingDocument[], rows: readonly Row[]): number {
  const tokens = ({ document, start, end }: Piece): number => end - start + (end === documents[document]!.ids.length - 1 ? 1 : 0);
  return rows.reduce((sum, row) => row.reduce((inRow, piece) => inRow + tokens(piece), sum), 0);
}
