/** @file The order of a request's candidates by its strategy, when they have ended. */

import { selectionDraw } from "../../random/philox.ts";
import type { Candidate } from "../candidate.ts";
import { rankByKnockout, type Comparison } from "./knockout.ts";
import { rankByMajority } from "./majority.ts";
import { scoreByConsensus } from "./minimum-bayes-risk.ts";
import type { BestOfOptions } from "../options.ts";
import { rankByScore, type Scored, type Standing } from "./ranking.ts";
import { rankSoftly } from "./soft.ts";

export interface Choice extends Pick<BestOfOptions, "strategy" | "softTemperature" | "voteOn"> {
  seed: number;
  /** Reward or mean log-probability of a candidate, as the strategy has it. */
  scoreOf: (candidate: Candidate) => number | undefined;
  /** Of knockout. */
  compare: Comparison;
}

/**
 * All candidates, best first. Only those that may be chosen and are not blank compete; then come blank ones, those that were dropped, and those that
 * failed, each by index.
 */
export async function choose(candidates: readonly Candidate[], choice: Choice): Promise<Standing[]> {
  const competing = candidates.filter(({ isEligible, text }) => isEligible && text.trim() !== "");
  const order = await orderOf(competing, choice);
  const placed = new Set(order.map(({ index }) => index));
  const rest = candidates
    .filter(({ index }) => !placed.has(index))
    .toSorted((one, other) => restGroup(one) - restGroup(other) || one.index - other.index);
  return [...order, ...rest.map(({ index }) => ({ index, score: undefined }))];
}

async function orderOf(competing: readonly Candidate[], choice: Choice): Promise<Standing[]> {
  const scored = (): Scored[] => competing.map((candidate) => ({ index: candidate.index, score: choice.scoreOf(candidate) }));
  switch (choice.strategy) {
    case "max":
    case "logprob":
      return rankByScore(scored());
    case "soft":
      return rankSoftly(scored(), choice.softTemperature, (index) => selectionDraw(choice.seed, index));
    case "majority":
      return rankByMajority(competing, choice.voteOn);
    case "mbr":
      return rankByScore(await consensusScores(competing));
    case "knockout":
      return rankByKnockout(
        competing.map(({ index }) => index),
        choice.compare,
      );
    default:
      return choice.strategy satisfies never;
  }
}

/** Comparing all pairs takes time that others on this thread get their share of. */
async function consensusScores(competing: readonly Candidate[]): Promise<Scored[]> {
  const scores: Scored[] = [];
  for (const score of scoreByConsensus(competing)) {
    scores.push(score);
    await new Promise((resolve) => setImmediate(resolve));
  }
  return scores;
}

function restGroup({ isEligible, end }: Candidate): number {
  if (isEligible) return 0;
  return end === "failed" ? 2 : 1;
}
