/** @file Rows of pieces as the arrays that a model under training takes. */

import type { TrainingDocument } from "./documents.ts";
import type { Piece, Row } from "./packing.ts";
import type { TokenBatch } from "../run/trainable-model.ts";

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
