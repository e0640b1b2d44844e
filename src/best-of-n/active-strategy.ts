/**
 * @file The strategy that a run follows: the one of its options, until its reward model or judge fails and the fallback
 * of its options takes over.
 */

import type { ScoreSource } from "./candidate-set.ts";
import type { RewardFallback, Strategy } from "./options.ts";

export class ActiveStrategy {
  #strategy: Strategy;
  readonly #rewardFallback: RewardFallback;
  readonly #hasJudge: boolean;
  #fallback: Exclude<RewardFallback, "error"> | undefined;

  /** @param hasJudge whether a judge compares pairs, so that knockout needs no rewards */
  constructor(strategy: Strategy, rewardFallback: RewardFallback, hasJudge: boolean) {
    this.#strategy = strategy;
    this.#rewardFallback = rewardFallback;
    this.#hasJudge = hasJudge;
  }

  /** What has replaced the reward model or judge. */
  get fallback(): Exclude<RewardFallback, "error"> | undefined {
    return this.#fallback;
  }

  /** The strategy that ranks. Without scores, `max` keeps the order of the candidates. */
  get ranksBy(): Strategy {
    return this.#fallback === "first" ? "max" : this.#strategy;
  }

  get scoredBy(): ScoreSource {
    const strategy = this.#strategy;
    if (strategy === "logprob") return "logprob";
    const needsRewards = strategy === "max" || strategy === "soft" || (strategy === "knockout" && !this.#hasJudge);
    return needsRewards && this.#fallback !== "first" ? "reward" : "none";
  }

  /** Goes on by the fallback. @returns whether the options name one */
  fallBack(): boolean {
    if (this.#rewardFallback === "error") return false;
    this.#fallback = this.#rewardFallback;
    if (this.#fallback === "logprob") this.#strategy = "logprob";
    return true;
  }
}
