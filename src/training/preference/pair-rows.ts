/**
 * @file Pairs of documents laid out in rows of one length, and the batches of pairs that a policy under training takes.
 */

import { makeBatch } from "../data/document-rows.ts";
import type { TrainingDocument } from "../data/documents.ts";
import { layOutRows, paddedLength, type Piece } from "../data/packing.ts";
import type { DocumentPair } from "./pairs.ts";
import { inBatches, type RowBatches } from "../data/row-data.ts";
import type { TokenBatch } from "../run/trainable-model.ts";

export interface PolicyBatch {
  tokens: TokenBatch;
  /** The sequence of each place: 2p is the first document of the batch's pair p, 2p + 1 the second. [rows * length] */
  sequences: Int32Array;
  /** Trained tokens of each sequence, [2P]. */
  lengths: Float32Array;
  /** log pi_ref of each sequence, [2P]; zeros where no reference is looked at. */
  references: Float32Array;
  /** See `DocumentPair`, [P]. */
  labels: Float32Array;
}

/**
 * Pairs, their rows, and the reference's log-probabilities. Both documents of a pair lie in one row, so also in one
 * batch.
 */
export interface LaidOutPairs {
  pairs: readonly DocumentPair[];
  /** Pairs of each row, as indices. */
  rows: readonly (readonly number[])[];
  /** log pi_ref of the first and the second document of each pair, [2 * pairs]. */
  references: Float32Array<ArrayBuffer>;
}

/** Places that a pair takes: the last token of a document is only predicted. */
export function pairLength({ first, second }: DocumentPair): number {
  return first.ids.length + second.ids.length - 2;
}

/** The length of rows that holds every pair. */
export function commonPairLength(pairs: readonly DocumentPair[]): number {
  return paddedLength(pairs.reduce((most, pair) => Math.max(most, pairLength(pair)), 1));
}

/** One pair a row, or as many as fit, best-fit decreasing. */
export function layOutPairs(pairs: readonly DocumentPair[], isPacked: boolean, length: number): LaidOutPairs {
  const rows = layOutRows(pairs.map(pairLength), isPacked, length);
  return { pairs, rows, references: new Float32Array(2 * pairs.length) };
}

/** Most pairs of a batch of `batchSize` rows. */
export function mostPairs(sets: readonly LaidOutPairs[], batchSize: number): number {
  return batchSize * sets.flatMap(({ rows }) => rows).reduce((most, row) => Math.max(most, row.length), 1);
}

/**
 * Rows as batches, which hold the reference's log-probabilities as they are when a batch is made.
 * @param length see `commonPairLength`
 */
export function pairRows(laidOut: LaidOutPairs, length: number): RowBatches<PolicyBatch> {
  return {
    count: laidOut.rows.length,
    batchOf: (rows) => makePolicyBatch(laidOut, rows, length),
    tokensOf: (row) => tokensOfRow(laidOut, row),
  };
}

/**
 * Computes the log-probabilities of all pairs of some rows and keeps them as those of the reference.
 * @param logProbabilities of a batch, [2P]
 * @returns false where `stop` came before the end.
 */
export async function fillReferences(
  laidOut: LaidOutPairs,
  chosen: readonly number[],
  length: number,
  batchSize: number,
  logProbabilities: (batch: PolicyBatch) => Promise<Float32Array>,
  stop: AbortSignal,
): Promise<boolean> {
  for (const rows of inBatches(chosen, batchSize)) {
    if (stop.aborted) return false;
    const found = await logProbabilities(makePolicyBatch(laidOut, rows, length));
    const pairs = rows.flatMap((row) => laidOut.rows[row]!);
    for (const [at, pair] of pairs.entries()) laidOut.references.set(found.subarray(2 * at, 2 * at + 2), 2 * pair);
    await new Promise((resolve) => setImmediate(resolve)); // Node handles a signal only between turns of the event loop.
  }
  return true;
}

/** @param chosen rows of the layout. */
function makePolicyBatch({ pairs, rows, references }: LaidOutPairs, chosen: readonly number[], length: number): PolicyBatch {
  const indices = chosen.flatMap((row) => rows[row]!);
  const documents = indices.flatMap((index) => [pairs[index]!.first, pairs[index]!.second]);
  const whole = (document: number): Piece => ({ document, start: 0, end: documents[document]!.ids.length - 1 });
  let pair = 0;
  const pieces = chosen.map((row) => rows[row]!.flatMap(() => [whole(2 * pair), whole(2 * pair++ + 1)]));
  const sequences = new Int32Array(chosen.length * length);
  for (const [row, ofRow] of pieces.entries()) {
    let at = row * length;
    for (const { document, end } of ofRow) sequences.fill(document, at, (at += end));
  }
  return {
    tokens: makeBatch(documents, pieces, length),
    sequences,
    lengths: Float32Array.from(documents, trainedLength),
    references: Float32Array.from(indices.flatMap((index) => [references[2 * index]!, references[2 * index + 1]!])),
    labels: Float32Array.from(indices, (index) => pairs[index]!.label),
  };
}

/** The first token is never trained on. */
function trainedLength({ trained }: TrainingDocument): number {
  return trained.reduce((sum, value, at) => sum + (at === 0 ? 0 : value), 0);
}

function tokensOfRow({ pairs, rows }: LaidOutPairs, row: number): number {
  return rows[row]!.reduce((sum, index) => sum + pairs[index]!.first.ids.length + pairs[index]!.second.ids.length, 0);
}
