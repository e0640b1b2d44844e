/** @file The record and the card of a trained reward model. */

import type { RewardDescription } from "../../engine/contract/reward-description.ts";
import type { ReadFile } from "../../formats/json-lines.ts";
import { baseName, countedClauses, modelCard } from "../report/model-card.ts";
import type { TrainingReport } from "../report/training-report.ts";

export interface RewardReport extends TrainingReport {
  stage: "reward";
  reward: RewardDescription;
  data: TrainingReport["data"] & {
    referenceFiles: readonly ReadFile[];
    comparisons: number;
    answers: number;
    /** Rows of tokens that the comparisons lie in. */
    rows: number;
    /** Places of a row. */
    length: number;
    truncatedAnswers: number;
    truncatedTokens: number;
    identicalRows: number;
    unlabelledRows: number;
  };
}

const kinds = { "all weights": "A reward model", "a LoRA adapter": "A reward adapter", "a head": "A reward head" };

/** README.md. @param name its title */
export function rewardCard(name: string, report: RewardReport): string {
  const { trains, reward, data } = report;
  const { truncatedAnswers, truncatedTokens, identicalRows, unlabelledRows } = data;
  const leftOut = countedClauses([
    [truncatedAnswers, `${truncatedAnswers} answers lost ${truncatedTokens} tokens to the longest length allowed`],
    [identicalRows, `${identicalRows} rows of equal answers were left out`],
    [unlabelledRows, `${unlabelledRows} rows that say nothing of a dimension were left out`],
  ]);
  return modelCard({
    name,
    report,
    pipelineTag: "text-classification",
    tag: "reward-model",
    subject: `${kinds[trains]} (${reward.form}) made from ${baseName(report)}`,
    columns: [
      ["accuracy", "accuracy"],
      ["margin", "margin"],
      ["mean reward", "mean_reward"],
    ],
    explanation: "Accuracy is the share of pairs whose better answer has the higher reward; a tie counts as wrong. Rewards are raw.",
    sections: ["## Rewards", "", ...scaleLines(report)],
    data: `${data.comparisons} comparisons of ${data.answers} answers${leftOut}.`,
    files: [...data.files, ...data.evaluationFiles, ...data.referenceFiles],
  });
}

function scaleLines({ reward, metrics }: RewardReport): string[] {
  const { dimensions, weights, normalization } = reward;
  const last = metrics.evaluations.at(-1);
  const line = (name: string, weight: string, { mean, deviation }: { mean: number; deviation: number }, metric: string): string =>
    `| ${name} | ${weight} | ${mean.toFixed(4)} | ${deviation.toFixed(4)} | ${last?.[metric]?.toFixed(4) ?? ""} |`;
  const byDimension = dimensions.map((name, index) =>
    line(name, shortNumber(weights[index]!), normalization.dimensions[index]!, `eval_accuracy/${name}`),
  );
  return [
    `Scaled to mean 0 and deviation 1 on ${normalization.reference}; at most ${reward.maxLength} tokens are read.`,
    "",
    "| output | weight | mean | deviation | held-out accuracy |",
    "| --- | ---: | ---: | ---: | ---: |",
    ...(dimensions.length === 1
      ? [line(dimensions[0]!, shortNumber(weights[0]!), normalization.holistic, "eval_accuracy")]
      : [...byDimension, line("holistic", "", normalization.holistic, "eval_accuracy")]),
  ];
}

const shortNumber = (value: number): string => String(Number(value.toPrecision(4)));
