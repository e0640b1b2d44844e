/** @file A batch as a decoder's graphs take it: checked, and filled up to their rows. */

import type { DecoderConfig } from "../../architectures/decoder/decoder-config.ts";
import { BonsaiError } from "../../errors/bonsai-error.ts";
import type { Arrays } from "./training-session.ts";
import type { TokenBatch } from "../run/trainable-model.ts";

/** Rows and their length that the graphs were built for. */
export interface BatchShape {
  rows: number;
  length: number;
}

export function trainedTokens({ targets }: TokenBatch): number {
  return targets.reduce((count, target) => count + Number(target >= 0), 0);
}

/**
 * A batch of fewer rows is filled up with padding, which is not trained. Throws `internal` for a batch that is not what
 * it claims to be.
 */
export function batchArrays(batch: TokenBatch, { rows, length }: BatchShape, config: DecoderConfig): Arrays {
  if (batch.length !== length || batch.rows > rows || batch.rows < 1) {
    throw new BonsaiError(
      "internal",
      `A batch of ${batch.rows} rows of ${batch.length} does not fit graphs for ${rows} rows of ${length}.`,
    );
  }
  const { vocabSize, contextLength } = config;
  return {
    ids: filled("ids", batch, rows, 0, vocabSize, 0),
    targets: filled("targets", batch, rows, -1, vocabSize, -1),
    segments: filled("segments", batch, rows, -1, 2 ** 31, -1),
    positions: filled("positions", batch, rows, 0, contextLength, 0),
  };
}

function filled(
  part: "ids" | "targets" | "segments" | "positions",
  batch: TokenBatch,
  rows: number,
  lowest: number,
  end: number,
  padding: number,
): Int32Array<ArrayBuffer> {
  const given = batch[part];
  if (given.length !== batch.rows * batch.length) {
    throw new BonsaiError("internal", `A batch of ${batch.rows} rows of ${batch.length} has ${given.length} ${part}.`);
  }
  const wrong = given.findIndex((value) => value < lowest || value >= end);
  if (wrong >= 0) {
    throw new BonsaiError(
      "internal",
      `A batch has ${given[wrong]} among its ${part} (row ${Math.floor(wrong / batch.length)}, place ${wrong % batch.length}): they are from ${lowest} to ${end - 1}.`,
    );
  }
  const all = new Int32Array(rows * batch.length).fill(padding, given.length);
  all.set(given);
  return all;
}
