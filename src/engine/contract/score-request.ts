/**
 * @file What is asked of a reward model and what it answers: plain data that crosses to the compute worker by
 * structured clone.
 */

import type { Message } from "../../text/conversation/message.ts";

/** An answer to score. */
export interface ScoreInput {
  /**
   * What is answered. Inputs of one request with the same array have it cross to the worker, and be tokenised, once.
   */
  prompt: readonly Message[];
  answer: Message;
  /** The request's field that it came from, for errors. */
  param: string;
}

export interface ScoreRequest {
  /** Id of a reward model. */
  model: string;
  /** At least one. */
  inputs: readonly ScoreInput[];
  /** Whether what is longer than the model reads is cut; else it is an error. */
  truncate: boolean;
}

export interface Score {
  /** The model's outputs as they are, one for each of its dimensions. */
  raw: number[];
  /** Tokens that were read. */
  tokens: number;
  /** Those of the tokens that other inputs or earlier requests had computed. */
  cachedTokens: number;
  /**
   * Tokens that were left out because the model reads no more. Text that could not be read anyway is not tokenised: it
   * counts as its fewest tokens.
   */
  cutTokens: number;
}

export interface ScoreResult {
  /** In the order of the inputs. */
  scores: Score[];
  timings: ScoreTimings;
}

/** Milliseconds. */
export interface ScoreTimings {
  queueMs: number;
  computeMs: number;
}
