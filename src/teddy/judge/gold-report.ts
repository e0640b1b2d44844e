/**
 * @file What the gold judge says of a policy: means with their uncertainty, and what the best of several samples would
 * reach.
 */

import { estimateMean, type Estimate } from "../../statistics/intervals.ts";
import { meanOf } from "../../statistics/moments.ts";
import type { GoldScores } from "./judge.ts";

export const goldDimensions = [
  "usefulness",
  "friendliness",
  "safety",
  "language",
  "score",
] as const satisfies readonly (keyof GoldScores)[];

export interface GoldSummary {
  prompts: number;
  samples: number;
  /** Means of one sample, by dimension. */
  single: Record<keyof GoldScores, Estimate>;
  /** Means of the sample with the highest gold score: the most that a choice among the samples can reach. */
  best: Record<keyof GoldScores, Estimate>;
  /** The score of the best sample less the mean score of all samples. */
  gain: Estimate;
}

/** @param scores of each prompt's samples: [prompts][samples], equally many of each */
export function summarizeGold(scores: readonly (readonly GoldScores[])[]): GoldSummary {
  const best = scores.map((samples) => samples.reduce((first, second) => (second.score > first.score ? second : first)));
  const byDimension = (
    of: (samples: readonly GoldScores[], index: number, dimension: keyof GoldScores) => number,
  ): GoldSummary["single"] => {
    const estimates = goldDimensions.map((dimension) => [
      dimension,
      estimateMean(scores.map((samples, index) => of(samples, index, dimension))),
    ]);
    return Object.fromEntries(estimates) as GoldSummary["single"];
  };
  const meanOfPrompt = (samples: readonly GoldScores[], dimension: keyof GoldScores): number =>
    meanOf(samples.map((sample) => sample[dimension]));
  return {
    prompts: scores.length,
    samples: scores[0]?.length ?? 0,
    single: byDimension((samples, _, dimension) => meanOfPrompt(samples, dimension)),
    best: byDimension((_, index, dimension) => best[index]![dimension]),
    gain: estimateMean(scores.map((samples, index) => best[index]!.score - meanOfPrompt(samples, "score"))),
  };
}

/** A Markdown table: a row for each policy and for its best of N, and the last for the oracle. */
export function goldTable(policies: readonly { name: string; summary: GoldSummary }[], oracle: Record<keyof GoldScores, Estimate>): string {
  const cells = (estimates: Record<keyof GoldScores, Estimate>): string[] =>
    goldDimensions.map((dimension) => `${estimates[dimension].mean.toFixed(3)} ± ${estimates[dimension].margin.toFixed(3)}`);
  const row = (name: string, estimates: Record<keyof GoldScores, Estimate>): string => `| ${[name, ...cells(estimates)].join(" | ")} |`;
  return [
    `| | ${goldDimensions.join(" | ")} |`,
    `| --- |${goldDimensions.map(() => " ---: |").join("")}`,
    ...policies.flatMap(({ name, summary }) => [
      row(name, summary.single),
      row(`${name}, best of ${summary.samples} by gold`, summary.best),
    ]),
    row("the oracle's answers", oracle),
  ].join("\n");
}
