/** @file The card of a trained reward model, and the record of its run. */

import { basename } from "node:path";

import type { RewardDescription } from "../../engine/contract/reward-description.ts";
import type { ReadFile } from "../../formats/json-lines.ts";
import type { EvaluationLine, Metrics, StepLine } from "../run/metrics-file.ts";
import { duration, fileTable, madeBy, writePapers, type RunRecord } from "../report/training-report.ts";

export interface RewardReport extends RunRecord {
  stage: "reward";
  trains: "all weights" | "a LoRA adapter" | "a head";
  reward: RewardDescription;
  data: {
    files: readonly ReadFile[];
    evaluationFiles: readonly ReadFile[];
    referenceFiles: readonly ReadFile[];
    comparisons: number;
    answers: number;
    /** Rows of tokens that they lie in, and their length. */
    rows: number;
    length: number;
    truncatedAnswers: number;
    truncatedTokens: number;
    identicalRows: number;
    unlabelledRows: number;
  };
  metrics: { steps: readonly (StepLine & Metrics)[]; evaluations: readonly (EvaluationLine & Metrics)[] };
}

/** Writes training.json, curves.svg and README.md to `folder`. @throws BonsaiError `write_failed`. */
export async function writeRewardReport(folder: string, report: RewardReport): Promise<void> {
  await writePapers(folder, report, "loss (nats a label)", rewardCard(basename(folder), report));
}

const kinds = { "all weights": "A reward model", "a LoRA adapter": "A reward adapter", "a head": "A reward head" };

/** The card: YAML that the Hub reads, and what a person wants to know first. */
export function rewardCard(name: string, report: RewardReport): string {
  const { base, trains, reward, data, metrics, steps, epochs, trainSeconds, versions } = report;
  const last = metrics.steps.at(-1);
  const [before, after] = [metrics.evaluations[0], metrics.evaluations.at(-1)];
  const isAdapter = trains === "a LoRA adapter";
  return `${[
    "---",
    ...(trains === "a head" ? [] : [`library_name: ${isAdapter ? "peft" : "transformers"}`]),
    `base_model: ${JSON.stringify(base.name)}`,
    "pipeline_tag: text-classification",
    `tags: [bonsai, reward-model${isAdapter ? ", lora" : ""}]`,
    "---",
    "",
    `# ${name}`,
    "",
    `${kinds[trains]} (${reward.form}) made from ${base.name} with Bonsai ${versions["bonsai"] ?? ""}: ${trains}, ${steps} steps, ${Number(epochs.toFixed(2))} epochs, ${duration(trainSeconds)} of training.`,
    "",
    "| | loss | accuracy | margin | mean reward |",
    "| --- | ---: | ---: | ---: | ---: |",
    ...(last === undefined ? [] : [row("last step", last.loss, last, "")]),
    ...(before === undefined ? [] : [row(`held out, after ${before.step} steps`, before.eval_loss, before, "eval_")]),
    ...(after === undefined || after === before ? [] : [row(`held out, after ${after.step} steps`, after.eval_loss, after, "eval_")]),
    "",
    "Accuracy is the share of pairs whose better answer has the higher reward; a tie counts as wrong. Rewards are raw.",
    "",
    "![Loss by step](curves.svg)",
    "",
    "## Rewards",
    "",
    ...scaleLines(report),
    "",
    "## Data",
    "",
    `${data.comparisons} comparisons of ${data.answers} answers${leftOut(report)}.`,
    "",
    ...fileTable([...data.files, ...data.evaluationFiles, ...data.referenceFiles]),
    "",
    ...madeBy(report.command),
  ].join("\n")}\n`;
}

function row(what: string, loss: number, metrics: Metrics, prefix: string): string {
  const shown = ["accuracy", "margin", "mean_reward"].map((name) => metrics[`${prefix}${name}`]?.toFixed(4) ?? "");
  return `| ${what} | ${loss.toFixed(4)} | ${shown.join(" | ")} |`;
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

function leftOut({ data }: RewardReport): string {
  const parts = [
    ...(data.truncatedAnswers > 0
      ? [`${data.truncatedAnswers} answers lost ${data.truncatedTokens} tokens to the longest length allowed`]
      : []),
    ...(data.identicalRows > 0 ? [`${data.identicalRows} rows of equal answers were left out`] : []),
    ...(data.unlabelledRows > 0 ? [`${data.unlabelledRows} rows that say nothing of a dimension were left out`] : []),
  ];
  return parts.length === 0 ? "" : `; ${parts.join(" and ")}`;
}
