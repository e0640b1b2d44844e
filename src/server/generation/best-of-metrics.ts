/** @file The metrics of Best-of-N: candidates by their ends, tokens by their use, rewards of the winners. */

import { Counter, Histogram, type Registry } from "prom-client";
import type { BestOfReport } from "../../best-of-n/result.ts";

/** On the scale of a reward model's reference set. */
const rewardBuckets = [-3, -2, -1.5, -1, -0.5, 0, 0.5, 1, 1.5, 2, 2.5, 3, 4];
const secondsBuckets = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

export class BestOfMetrics {
  readonly #requests: Counter<"model" | "strategy">;
  readonly #candidates: Counter<"model" | "end">;
  readonly #tokens: Counter<"model" | "use">;
  readonly #fallbacks: Counter<"model" | "to">;
  readonly #reward: Histogram<"model" | "reward_model">;
  readonly #rewardSeconds: Histogram<"model">;

  constructor(registry: Registry) {
    const registers = [registry];
    this.#requests = new Counter({
      name: "bonsai_best_of_requests_total",
      help: "Prompts whose best candidate was chosen",
      labelNames: ["model", "strategy"],
      registers,
    });
    this.#candidates = new Counter({
      name: "bonsai_best_of_candidates_total",
      help: "Candidates by how they ended",
      labelNames: ["model", "end"],
      registers,
    });
    this.#tokens = new Counter({
      name: "bonsai_best_of_tokens_total",
      help: "Tokens that were generated, that came back, and (an estimate) that were saved by dropping candidates",
      labelNames: ["model", "use"],
      registers,
    });
    this.#fallbacks = new Counter({
      name: "bonsai_best_of_fallbacks_total",
      help: "Choices without the reward model or judge, which had failed",
      labelNames: ["model", "to"],
      registers,
    });
    this.#reward = new Histogram({
      name: "bonsai_best_of_reward",
      help: "Reward of the answer that was chosen",
      labelNames: ["model", "reward_model"],
      buckets: rewardBuckets,
      registers,
    });
    this.#rewardSeconds = new Histogram({
      name: "bonsai_best_of_reward_seconds",
      help: "Time of a request in which scores were being waited for",
      labelNames: ["model"],
      buckets: secondsBuckets,
      registers,
    });
  }

  /** Counts a request whose choice is made. */
  chosen(model: string, report: BestOfReport): void {
    this.#requests.inc({ model, strategy: report.strategy });
    for (const { end } of report.candidates) this.#candidates.inc({ model, end });
    this.#tokens.inc({ model, use: "generated" }, report.tokensGenerated);
    this.#tokens.inc({ model, use: "returned" }, report.tokensReturned);
    this.#tokens.inc({ model, use: "saved" }, report.tokensSaved);
    if (report.fallback !== undefined) this.#fallbacks.inc({ model, to: report.fallback });
    if (report.rewardModel === undefined) return;
    this.#rewardSeconds.observe({ model }, report.timings.rewardMs / 1000);
    const reward = report.candidates[0]?.score;
    if (reward !== undefined && report.fallback === undefined && report.strategy !== "knockout")
      this.#reward.observe({ model, reward_model: report.rewardModel }, reward);
  }
}
