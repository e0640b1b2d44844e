/**
 * @file A reward model as the engine's scoring sees it, whatever computes it: texts become rows, and runs advance some
 * of them.
 */

import type { Sliced } from "../../text/slices.ts";
import type { ModelInfo } from "../contract/request.ts";
import type { ScoreInput } from "../contract/score-request.ts";

/** An input as the model reads it. */
export interface ReadInput {
  ids: readonly number[];
  /** Which of an encoder's two texts each token belongs to. */
  types?: readonly number[];
  /** As in `Score`. */
  cutTokens: number;
  /** Tokens at the beginning that other answers to the same prompt share. */
  promptTokens: number;
}

/** An input that is being scored. */
export interface ScoredRow {
  readonly input: ReadInput;
  /** Tokens that others had computed. */
  cachedTokens: number;
  /** The model's outputs, once they are there. */
  outputs: number[] | undefined;
}

export interface Scorer {
  readonly info: ModelInfo;
  /** Bytes of memory that a row of this many tokens takes while it is scored. */
  bytesOf(tokens: number): number;
  /**
   * Tokens of the inputs of a request, in slices.
   * @throws BonsaiError `context_length_exceeded` where an input is too long and may not be cut; `invalid_request`
   */
  read(inputs: readonly ScoreInput[], truncate: boolean): Sliced<ReadInput[]>;
  open(input: ReadInput): ScoredRow;
  /**
   * One run over as many of the rows as are worth it, the first among them. What else is in the run changes no bit of a
   * row's outputs.
   */
  advance(rows: readonly ScoredRow[]): Promise<void>;
  /** Frees what a row holds, ended or not. */
  close(row: ScoredRow): void;
}

/** Tokens of one run: some chunks, so that answers that are being written never wait long. */
export const tokensOfRun = 256;
