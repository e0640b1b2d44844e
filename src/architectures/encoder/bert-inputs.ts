/** @file Rows of token ids as the arrays that an encoder's graphs take, for serving and for training. */

import { BonsaiError } from "../../errors/bonsai-error.ts";
import type { BertConfig } from "./bert-config.ts";

/** One text, or a pair of them, with the special tokens around (src/text/tokenizer/encode-pair.ts makes them). */
export interface EncoderRow {
  ids: readonly number[];
  /** One for each id: 0 in the first text and around it, 1 in the second. */
  types: readonly number[];
}

/** Rows of one length, row-major: [rows * length] each. */
export interface EncoderBatch {
  rows: number;
  length: number;
  ids: Int32Array<ArrayBuffer>;
  types: Int32Array<ArrayBuffer>;
  /** 1 for a token, 0 for padding. */
  mask: Float32Array<ArrayBuffer>;
}

/**
 * Rows are as long as a multiple of this many places: a vector register of floats. On the processors that were measured
 * no padding changes a bit of a row; where a kernel adds what does not fill a register apart, whole registers keep it
 * so.
 */
const lengthStep = 16;

/**
 * The length of rows of at most `tokens` tokens. It may pass the model's context, since padding has no place of its
 * own.
 */
export function paddedLength(tokens: number): number {
  return Math.max(1, Math.ceil(tokens / lengthStep)) * lengthStep;
}

/**
 * The batch of some rows.
 * @param length of all rows; default the padded length of the longest
 * @throws BonsaiError `internal` for a row that does not fit the model or the length: what is too long was to be cut or
 * refused before
 */
export function encoderBatch(
  rows: readonly EncoderRow[],
  config: Pick<BertConfig, "vocabSize" | "typeVocabSize" | "contextLength" | "padTokenId">,
  length = paddedLength(rows.reduce((longest, { ids }) => Math.max(longest, ids.length), 0)),
): EncoderBatch {
  const { vocabSize, typeVocabSize, contextLength, padTokenId } = config;
  const places = rows.length * length;
  const batch: EncoderBatch = {
    rows: rows.length,
    length,
    ids: new Int32Array(places).fill(padTokenId),
    types: new Int32Array(places),
    mask: new Float32Array(places),
  };
  for (const [row, { ids, types }] of rows.entries()) {
    if (ids.length < 1 || ids.length > Math.min(length, contextLength) || types.length !== ids.length) {
      throw new BonsaiError(
        "internal",
        `Row ${row} has ${ids.length} tokens of ${types.length} types: from 1 to ${Math.min(length, contextLength)} fit, each with its type.`,
      );
    }
    requireBelow(ids, vocabSize, `Row ${row} has the token id`);
    requireBelow(types, typeVocabSize, `Row ${row} has the token type`);
    batch.ids.set(ids, row * length);
    batch.types.set(types, row * length);
    batch.mask.fill(1, row * length, row * length + ids.length);
  }
  return batch;
}

function requireBelow(values: readonly number[], end: number, what: string): void {
  const wrong = values.find((value) => !Number.isInteger(value) || value < 0 || value >= end);
  if (wrong !== undefined) throw new BonsaiError("internal", `${what} ${wrong}; the model has 0 to ${end - 1}.`);
}
