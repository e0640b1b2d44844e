/**
 * @file How much is measured, by profile. In the full one, the teddy models take about twelve minutes on two cores and
 * SmolLM2 about ten. The quick one takes about a minute and is a smoke test.
 */

import { candidateCounts } from "./variants.ts";

/** How much is measured of the ways to answer of some models. */
export interface WaysPlan {
  counts: readonly number[];
  /** Requests of one client, one after the other, by number of candidates. */
  latencyRequests: (bestOf: number) => number;
  /** Prompts, from the first, whose pruned answers are judged. */
  prunedPrompts: number;
  /** Prompts whose candidates are all judged. */
  qualityPrompts: number;
  /** Answers of the baseline to each of those prompts. */
  baselineAnswers: number;
}

export interface Plan extends WaysPlan {
  loadConnections: number;
  loadRequests: (bestOf: number) => number;
  mix: { clientsOfEach: number; bestOf: number; seconds: number } | undefined;
  /** The same load over each transport. */
  transport: { clients: number; requests: number };
  capacity: { bestOf: number; shares: readonly number[]; seconds: number };
  /** Streams at a time while memory is read. */
  memoryStreams: readonly number[];
  memorySeconds: number;
  /** The plan for SmolLM2 and its adapter; undefined leaves them out. */
  smolLM2: WaysPlan | undefined;
  peerRounds: number;
}

const requestsFor = (seconds: number, least: number, most: number) => (bestOf: number) =>
  // A candidate takes some 30 ms of two cores.
  Math.min(most, Math.max(least, Math.round(seconds / (0.03 * bestOf))));

export const plans: Record<"full" | "quick", Plan> = {
  full: {
    counts: candidateCounts,
    latencyRequests: (bestOf) => (bestOf < 8 ? 48 : 32),
    prunedPrompts: 72,
    qualityPrompts: 72,
    baselineAnswers: 4,
    loadConnections: 4,
    loadRequests: requestsFor(3, 8, 96),
    mix: { clientsOfEach: 8, bestOf: 8, seconds: 10 },
    transport: { clients: 8, requests: 160 },
    capacity: { bestOf: 4, shares: [0.25, 0.5, 0.75, 0.9, 1.1, 1.5, 2], seconds: 7 },
    memoryStreams: [1, 8, 32, 64],
    memorySeconds: 3,
    smolLM2: {
      counts: candidateCounts,
      latencyRequests: (bestOf) => (bestOf < 8 ? 8 : bestOf < 32 ? 6 : 4),
      prunedPrompts: 8,
      qualityPrompts: 16,
      baselineAnswers: 4,
    },
    peerRounds: 3,
  },
  quick: {
    counts: [1, 4],
    latencyRequests: () => 3,
    prunedPrompts: 4,
    qualityPrompts: 4,
    baselineAnswers: 2,
    loadConnections: 2,
    loadRequests: () => 4,
    mix: undefined,
    transport: { clients: 2, requests: 6 },
    capacity: { bestOf: 4, shares: [0.5, 3], seconds: 1 },
    memoryStreams: [4],
    memorySeconds: 0.5,
    smolLM2: undefined,
    peerRounds: 0,
  },
};

/** The plan as plain data, which tells its results from those of another plan. */
export function planIdentity(plan: Plan): unknown {
  const { smolLM2 } = plan;
  return {
    ...plan,
    latencyRequests: plan.counts.map(plan.latencyRequests),
    loadRequests: plan.counts.map(plan.loadRequests),
    smolLM2: smolLM2 && { ...smolLM2, latencyRequests: smolLM2.counts.map(smolLM2.latencyRequests) },
  };
}
