/**
 * @file Operating points: measured quality, latency and tokens of ways to answer, the Pareto frontier, and the best
 * point within a latency budget.
 */

import type { PruneStage } from "../best-of-n/pruning/schedule.ts";

/** A mean over prompts with its 95% interval. */
export interface MeasuredMean {
  mean: number;
  low: number;
  high: number;
}

/** Milliseconds of whole answers for one client alone. */
export interface MeasuredLatency {
  p50: number;
  p90: number;
  p99: number;
  /** Answers. */
  measured: number;
}

/** One way to answer, as it was measured. Written by `npm run loadtest`. */
export interface OperatingPoint {
  id: string;
  title: string;
  model: string;
  rewardModel: string;
  bestOf: number;
  pruned: boolean;
  /** In the form of `best_of_options.prune`; null for none. */
  prune: "auto" | readonly PruneStage[] | null;
  latencyMs: MeasuredLatency;
  /** Mean tokens for one answer, with those of all candidates. */
  tokensGenerated: number;
  /** The true (gold) score. */
  gold: MeasuredMean;
  /** Share of prompts on which it beats one answer of the baseline; a tie counts a half. */
  winRate: MeasuredMean;
}

export const percentiles = ["p50", "p90", "p99"] as const;
export type Percentile = (typeof percentiles)[number];

/** The point to choose, and alternatives worth knowing. */
export interface Advice {
  /** The point within the budget whose gold interval has the highest lower end: the surest, not the luckiest. */
  chosen: OperatingPoint;
  /** The fastest point whose mean gold score the interval of the chosen one holds: it may be as good. */
  fasterWithinNoise: OperatingPoint | undefined;
  /** The fastest point beyond the budget whose interval begins higher. */
  beyond: OperatingPoint | undefined;
}

/**
 * Chooses a point whose latency, at a percentile, is within a budget. The highest of many noisy means is too high by
 * chance, so the lower ends of intervals are compared.
 * @returns undefined where nothing answers within the budget
 */
export function adviseFor(points: readonly OperatingPoint[], budgetMs: number, percentile: Percentile): Advice | undefined {
  const latency = ({ latencyMs }: OperatingPoint): number => latencyMs[percentile];
  const within = points.filter((point) => latency(point) <= budgetMs);
  const [chosen] = within.toSorted((one, other) => other.gold.low - one.gold.low || latency(one) - latency(other));
  if (chosen === undefined) return undefined;
  const bySpeed = points.toSorted((one, other) => latency(one) - latency(other));
  return {
    chosen,
    fasterWithinNoise: bySpeed.find((point) => latency(point) < latency(chosen) && point.gold.mean >= chosen.gold.low),
    beyond: bySpeed.find((point) => latency(point) > budgetMs && point.gold.low > chosen.gold.low),
  };
}

/** The points that no other beats in both quality and cost, cheapest first. */
export function paretoFrontier<P>(points: readonly P[], cost: (point: P) => number, quality: (point: P) => number): P[] {
  const frontier: P[] = [];
  for (const point of points.toSorted((one, other) => cost(one) - cost(other) || quality(other) - quality(one))) {
    const best = frontier.at(-1);
    if (best === undefined || quality(point) > quality(best)) frontier.push(point);
  }
  return frontier;
}
