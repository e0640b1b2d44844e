/** @file From the kept results of scenarios to operating points: quality with intervals beside latency and tokens. */

import type { MeasuredMean, OperatingPoint } from "../../src/bestofn/operating-points.ts";
import { estimate } from "../../src/teddy/gold-report.ts";
import { judge } from "../../src/teddy/judge.ts";
import type { Message } from "../../src/teddy/conversation.ts";
import type { Quantiles } from "../load-summary.ts";
import type { LatencyResult } from "../scenarios/latency.ts";
import type { QualityResult } from "../scenarios/quality.ts";
import { stagedPruning, variantTitle, type Variant } from "../variants.ts";
import { chosenOfFirst, expectedBest, winShare } from "./best-of-estimate.ts";

/** What is known of one variant. */
export interface Measured {
  variant: Variant;
  latency: LatencyResult;
  /** Of the variant's model. */
  quality: QualityResult;
  /** Gold scores of the baseline's answers, by prompt. */
  baseline: readonly (readonly number[])[];
  prompts: readonly Message[][];
}

/** An operating point, and what its table shows beside it. */
export interface MeasuredPoint extends OperatingPoint {
  firstTokenMs: Quantiles;
  tokensReturned: number;
}

export function measuredPoint(measured: Measured): MeasuredPoint {
  const { variant, latency } = measured;
  const { model, bestOf, pruned } = variant;
  const { load } = latency;
  return {
    id: variant.id,
    title: variantTitle(variant),
    model: model.id,
    rewardModel: model.rewardModel,
    bestOf,
    pruned,
    prune: pruned ? stagedPruning : null,
    latencyMs: load.endToEndMs!,
    firstTokenMs: load.firstTokenMs!,
    tokensGenerated: load.tokensGenerated / load.answered,
    tokensReturned: load.tokensReturned / load.answered,
    gold: qualityOf(measured, (gold) => gold),
    winRate: qualityOf(measured, (gold, prompt) => winShare(gold, measured.baseline[prompt]!)),
  };
}

/**
 * Mean over prompts of a value of the chosen answer's gold score. Unpruned: its expectation over all choices of N among the candidates of each prompt.
 * Pruned: that, plus the mean difference to the unpruned choice on the prompts that were answered with pruning, where both chose among the same
 * candidates. The two parts' variances add up to the interval.
 */
function qualityOf({ variant, latency, quality, prompts }: Measured, value: (gold: number, prompt: number) => number): MeasuredMean {
  const unpruned = estimate(quality.map((group, prompt) => expectedBest(group, variant.bestOf, ({ gold }) => value(gold, prompt))));
  if (!variant.pruned) return interval(unpruned);
  const differences = latency.answers.slice(0, quality.length).map(({ text }, prompt) => {
    const kept = value(judge(prompts[prompt]!, text).score, prompt);
    return kept - value(chosenOfFirst(quality[prompt]!, variant.bestOf).gold, prompt);
  });
  const difference = estimate(differences);
  return interval({ mean: unpruned.mean + difference.mean, margin: Math.hypot(unpruned.margin, difference.margin) });
}

/** Gold scores and win rates lie in [0, 1], and so do their intervals. */
function interval({ mean, margin }: { mean: number; margin: number }): MeasuredMean {
  return { mean, low: Math.max(0, mean - margin), high: Math.min(1, mean + margin) };
}

/**
 * How often the answer that was timed is the one that the choice among the first N candidates gives: 1 where what was judged is what the server answers.
 * NaN for pruned answers, which may differ.
 */
export function agreementWithGroup({ variant, latency, quality }: Pick<Measured, "variant" | "latency" | "quality">): number {
  if (variant.pruned) return NaN;
  const compared = latency.answers.slice(0, quality.length);
  const equal = compared.filter(({ text }, prompt) => text === chosenOfFirst(quality[prompt]!, variant.bestOf).text);
  return equal.length / compared.length;
}
