/** @file The `usage` of /v1/rewards and /v1/rerank. */

import type { RewardedAnswer } from "../../reward/reward-model.ts";
import type { ScoringUsage } from "../wire/scoring.ts";

export function usageOf(answers: readonly RewardedAnswer[]): ScoringUsage {
  const sum = (value: (answer: RewardedAnswer) => number): number => answers.reduce((total, answer) => total + value(answer), 0);
  const tokens = sum((answer) => answer.tokens);
  return {
    prompt_tokens: tokens,
    total_tokens: tokens,
    prompt_tokens_details: { cached_tokens: sum(({ cachedTokens }) => cachedTokens) },
    truncated_tokens: sum(({ cutTokens }) => cutTokens),
  };
}
