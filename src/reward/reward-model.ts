/** @file What rewards answers, wherever it runs and however many models it is made of: one interface. */

import type { Engine, ModelInfo } from "../engine/request.ts";
import type { ScoreInput } from "../engine/score-request.ts";
import { BonsaiError } from "../errors/bonsai-error.ts";
import { normalized, type NormalizedReward } from "./normalization.ts";

/** A conversation that ends with an answer, and what that is worth. */
export interface RewardedAnswer extends NormalizedReward {
  /** Tokens that were read, by all models that did. */
  tokens: number;
  /** Of them, tokens that other answers or earlier requests had computed. */
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
   * @throws BonsaiError `context_length_exceeded` naming an input that is too long and may not be cut; `overloaded`; what else the engine throws
   */
  score(inputs: readonly ScoreInput[], options: RewardOptions): Promise<RewardedAnswer[]>;
}

/** A reward model that the engine serves. Throws `invalid_request` for a policy. */
export function servedRewardModel(engine: Engine, { id, reward }: ModelInfo): RewardModel {
  if (reward === undefined) throw new BonsaiError("invalid_request", `The model ${id} writes answers and scores none.`, { param: "model" });
  return {
    name: id,
    dimensions: reward.dimensions,
    async score(inputs, { truncate, signal }) {
      const { scores } = await engine.score({ model: id, inputs: [...inputs], truncate }, signal);
      return scores.map(({ raw, ...read }) => ({ ...normalized(reward, raw), ...read }));
    },
  };
}
