/** @file The options of a Best-of-N request, with every default filled in. Plain data. */

import type { VotedPart } from "./strategies/majority.ts";
import type { PruneStage } from "./pruning/schedule.ts";

/**
 * How one of the candidates is chosen. max: the best reward. soft: drawn by exp(reward / temperature). majority: the
 * answer that most agree on. mbr: the answer most like the others. knockout: a tournament of pairs. logprob: the
 * highest mean log-probability, as OpenAI's `best_of`.
 */
export type Strategy = "max" | "soft" | "majority" | "mbr" | "knockout" | "logprob";

/**
 * What replaces a reward model that fails: nothing (the request fails), the mean log-probability, or the order of the
 * candidates.
 */
export type RewardFallback = "error" | "logprob" | "first";

/**
 * progress: how far the candidates are, then the winner. candidates: all of them as they are sampled. winner: the
 * winner alone.
 */
export type StreamMode = "progress" | "candidates" | "winner";

export interface BestOfOptions {
  strategy: Strategy;
  /** Undefined for strategies that need none. */
  rewardModel: string | undefined;
  /** A policy that compares pairs, for knockout. */
  judgeModel: string | undefined;
  /** Answers that come back, best first; no more than are sampled. */
  returned: number;
  /** For soft, in units of the reward. */
  softTemperature: number;
  /** For majority. */
  voteOn: VotedPart;
  prune: "off" | "auto" | readonly PruneStage[];
  deadlineMs: number | undefined;
  targetReward: number | undefined;
  sampleCost: number | undefined;
  rewardFallback: RewardFallback;
  stream: StreamMode;
}
