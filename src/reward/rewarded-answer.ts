/** @file What rewards answers, wherever it runs and however many models it is made of: one interface. */

import type { ScoreInput } from "../engine/contract/score-request.ts";
import type { NormalizedReward } from "./normalization.ts";

/** A conversation that ends with an answer, and what that is worth. */
export interface RewardedAnswer extends NormalizedReward {
  /** Tokens that were read, by all models that did. */
  tokens: number;
  /** How many of them other answers or earlier requests had computed. */
  cachedTokens: number;
  /** Tokens that were left out because a model reads no more. */
  cutTokens: number;
}

export interface RewardOptions {
  /** Whether what is longer than the model reads is cut; else it is an error. */
  truncate: boolean;
  /** Frees what the request holds. */
  signal?: AbortSignal | undefined;
}

export interface RewardModel {
  readonly name: string;
  readonly dimensions: readonly string[];
  /**
   * Rewards in the order of the inputs.
   * @throws BonsaiError `context_length_exceeded` naming an input that is too long and may not be cut; `overloaded`;
   * what else the engine throws
   */
  score(inputs: readonly ScoreInput[], options: RewardOptions): Promise<RewardedAnswer[]>;
}
