/** @file From the kept results of scenarios to operating points: quality with intervals beside latency and tokens. */

import type { MeasuredMean, OperatingPoint } from "../../src/evaluation/operating-points.ts";
import { estimateMean } from "../../src/statistics/intervals.ts";
import { judge } from "../../src/teddy/judge/judge.ts";
import type { Message } from "../../src/text/conversation/message.ts";
import type { Quantiles } from "../load-summary.ts";
import type { LatencyResult } from "../scenarios/latency.ts";
import type { Candidate, JudgedCandidate } from "../scenarios/quality.ts";
import { variantTitle, type Variant } from "../variants.ts";
import { chosenOfFirst, expectedBest, winShare } from "./best-of-estimate.ts";

/** The results of one variant. */
export interface Measured<C extends Candidate> {
  variant: Variant;
  latency: LatencyResult;
  /** Candidates of the variant's model, by prompt. */
  quality: readonly (readonly C[])[];
  /** Scores of the baseline's answers, by prompt. */
  baseline: readonly (readonly number[])[];
}

/** What a variant costs, and how often it is better than the baseline. */
export interface MeasuredWay extends Omit<OperatingPoint, "gold"> {
  firstTokenMs: Quantiles;
  tokensReturned: number;
}

/** An operating point, and what its table shows beside it. */
export interface MeasuredPoint extends MeasuredWay, OperatingPoint {}

/** A way to answer whose quality only a reward model judges. */
export interface RewardedWay extends MeasuredWay {
  /** Mean reward of the chosen answers, by the model that chose them. */
  reward: MeasuredMean;
}

type TimedAnswer = LatencyResult["answers"][number];

/** How candidates are scored, and timed answers by the number of their prompt. */
interface Scores<C> {
  ofCandidate: (candidate: C) => number;
  ofTimed: (answer: TimedAnswer, prompt: number) => number;
}

/** The operating point by the true score. */
export function measuredPoint(measured: Measured<JudgedCandidate>, prompts: readonly Message[][]): MeasuredPoint {
  const scores: Scores<JudgedCandidate> = {
    ofCandidate: ({ gold }) => gold,
    ofTimed: ({ text }, prompt) => judge(prompts[prompt]!, text).score,
  };
  return { ...measuredWay(measured, scores), gold: clamped(qualityOf(measured, scores, (gold) => gold)) };
}

/** An empty answer has no reward. It counts 0, the mean reward of the reference answers. */
export function rewardOf({ reward }: Pick<Candidate, "reward">): number {
  return reward ?? 0;
}

/** The way to answer with its quality by the reward of the model that chose. */
export function rewardedWay(measured: Measured<Candidate>): RewardedWay {
  const scores: Scores<Candidate> = { ofCandidate: rewardOf, ofTimed: rewardOf };
  return { ...measuredWay(measured, scores), reward: qualityOf(measured, scores, (reward) => reward) };
}

function measuredWay<C extends Candidate>(measured: Measured<C>, scores: Scores<C>): MeasuredWay {
  const { variant, latency, baseline } = measured;
  const { model, bestOf, pruned } = variant;
  const { load } = latency;
  return {
    id: variant.id,
    title: variantTitle(variant),
    model: model.id,
    rewardModel: model.rewardModel,
    bestOf,
    pruned,
    prune: pruned ? model.prune : null,
    latencyMs: load.endToEndMs!,
    firstTokenMs: load.firstTokenMs!,
    tokensGenerated: load.tokensGenerated / load.answered,
    tokensReturned: load.tokensReturned / load.answered,
    winRate: clamped(qualityOf(measured, scores, (score, prompt) => winShare(score, baseline[prompt]!))),
  };
}

/**
 * Mean over prompts of a value of the chosen answer's score. Unpruned: its expectation over all choices of N among the
 * candidates of each prompt. Pruned: that, plus the mean difference to the unpruned choice on the prompts that were
 * answered with pruning, where both chose among the same candidates. The two parts' variances add up to the interval.
 */
function qualityOf<C extends Candidate>(
  { variant, latency, quality }: Measured<C>,
  { ofCandidate, ofTimed }: Scores<C>,
  value: (score: number, prompt: number) => number,
): MeasuredMean {
  const { bestOf, pruned } = variant;
  const unpruned = estimateMean(quality.map((group, prompt) => expectedBest(group, bestOf, (one) => value(ofCandidate(one), prompt))));
  if (!pruned) return interval(unpruned);
  const differences = latency.answers.slice(0, quality.length).map((answer, prompt) => {
    const kept = value(ofTimed(answer, prompt), prompt);
    return kept - value(ofCandidate(chosenOfFirst(quality[prompt]!, bestOf)), prompt);
  });
  const difference = estimateMean(differences);
  return interval({ mean: unpruned.mean + difference.mean, margin: Math.hypot(unpruned.margin, difference.margin) });
}

function interval({ mean, margin }: { mean: number; margin: number }): MeasuredMean {
  return { mean, low: mean - margin, high: mean + margin };
}

/** Gold scores and win rates lie in [0, 1], and so do their intervals. */
function clamped({ mean, low, high }: MeasuredMean): MeasuredMean {
  return { mean, low: Math.max(0, low), high: Math.min(1, high) };
}

/**
 * The share of timed answers that are the choice among the first N candidates: 1 where the judged answers are those
 * that the server gives. NaN for pruned answers, which may differ.
 */
export function agreementWithGroup({ variant, latency, quality }: Omit<Measured<Candidate>, "baseline">): number {
  if (variant.pruned) return NaN;
  const compared = latency.answers.slice(0, quality.length);
  const equal = compared.filter(({ text }, prompt) => text === chosenOfFirst(quality[prompt]!, variant.bestOf).text);
  return equal.length / compared.length;
}
