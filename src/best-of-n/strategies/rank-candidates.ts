/** @file Ranks the candidates of a request by its strategy, when they have ended. */

import { selectionDraw } from "../../random/philox.ts";
import type { Candidate } from "../candidate.ts";
import { rankByKnockout, type Comparison } from "./knockout.ts";
import { rankByMajority } from "./majority.ts";
import { scoreByConsensus } from "./minimum-bayes-risk.ts";
import type { BestOfOptions } from "../options.ts";
import { rankByScore, type RankedCandidate, type Scored } from "./ranking.ts";
import { rankSoftly } from "./soft.ts";

export interface RankingRules extends Pick<BestOfOptions, "strategy" | "softTemperature" | "voteOn"> {
  seed: number;
  /** Reward or mean log-probability of a candidate, as the strategy needs it. */
  scoreOf: (candidate: Candidate) => number | undefined;
  /** For knockout. */
  compare: Comparison;
}

/**
 * All candidates, best first. Only eligible candidates whose text is not blank compete. After them come the blank ones,
 * those that were dropped, and those that failed, each by index.
 */
export async function rankCandidates(candidates: readonly Candidate[], rules: RankingRules): Promise<RankedCandidate[]> {
  const competing = candidates.filter(({ isEligible, text }) => isEligible && text.trim() !== "");
  const ranking = await rankCompeting(competing, rules);
  const placed = new Set(ranking.map(({ index }) => index));
  const rest = candidates
    .filter(({ index }) => !placed.has(index))
    .toSorted((one, other) => restGroup(one) - restGroup(other) || one.index - other.index);
  return [...ranking, ...rest.map(({ index }) => ({ index, score: undefined }))];
}

async function rankCompeting(competing: readonly Candidate[], rules: RankingRules): Promise<RankedCandidate[]> {
  const scored = (): Scored[] => competing.map((candidate) => ({ index: candidate.index, score: rules.scoreOf(candidate) }));
  switch (rules.strategy) {
    case "max":
    case "logprob":
      return rankByScore(scored());
    case "soft":
      return rankSoftly(scored(), rules.softTemperature, (index) => selectionDraw(rules.seed, index));
    case "majority":
      return rankByMajority(competing, rules.voteOn);
    case "mbr":
      return rankByScore(await consensusScores(competing));
    case "knockout":
      return rankByKnockout(
        competing.map(({ index }) => index),
        rules.compare,
      );
    default:
      return rules.strategy satisfies never;
  }
}

/** To compare all pairs takes time: other work of this thread runs in between. */
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
