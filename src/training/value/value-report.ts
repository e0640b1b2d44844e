/** @file The card of a trained value model, and the record of its run. */

import { basename } from "node:path";
import type { RewardDescription } from "../../engine/contract/reward-description.ts";
import type { ReadFile } from "../../formats/json-lines.ts";
import type { EvaluationLine, Metrics, StepLine } from "../run/metrics-file.ts";
import type { RewardReport } from "../reward/reward-report.ts";
import { duration, fileTable, madeBy, writePapers, type RunRecord } from "../report/training-report.ts";

export interface ValueReport extends RunRecord {
  stage: "reward";
  trains: RewardReport["trains"];
  reward: RewardDescription;
  data: {
    files: readonly ReadFile[];
    evaluationFiles: readonly ReadFile[];
    answers: number;
    /** Rows of tokens that they lie in, and their length. */
    rows: number;
    length: number;
    truncatedAnswers: number;
    truncatedTokens: number;
    emptyRows: number;
  };
  metrics: { steps: readonly (StepLine & Metrics)[]; evaluations: readonly (EvaluationLine & Metrics)[] };
}

/** Writes training.json, curves.svg and README.md to `folder`. @throws BonsaiError `write_failed`. */
export async function writeValueReport(folder: string, report: ValueReport): Promise<void> {
  await writePapers(folder, report, "mean squared error", valueCard(basename(folder), report));
}

/** The card: YAML that the Hub reads, and what a person wants to know first. */
export function valueCard(name: string, report: ValueReport): string {
  const { base, trains, reward, data, metrics, steps, epochs, trainSeconds, versions } = report;
  const last = metrics.steps.at(-1);
  const [before, after] = [metrics.evaluations[0], metrics.evaluations.at(-1)];
  const isAdapter = trains === "a LoRA adapter";
  const row = (what: string, loss: number, explained: number | undefined): string =>
    `| ${what} | ${loss.toFixed(4)} | ${explained?.toFixed(4) ?? ""} |`;
  const heldOut = [...new Set([before, after])].filter((line) => line !== undefined);
  return `${[
    "---",
    `library_name: ${isAdapter ? "peft" : "transformers"}`,
    `base_model: ${JSON.stringify(base.name)}`,
    "pipeline_tag: text-classification",
    `tags: [bonsai, value-model${isAdapter ? ", lora" : ""}]`,
    "---",
    "",
    `# ${name}`,
    "",
    `A value model made from ${base.name} with Bonsai ${versions["bonsai"] ?? ""}: ${trains}, ${steps} steps, ${Number(epochs.toFixed(2))} epochs, ${duration(trainSeconds)} of training. At any token of an answer it says what the whole is expected to be worth; it reads answers without the end of their turn, and at most ${reward.maxLength} tokens.`,
    "",
    "| | mean squared error | explained variance |",
    "| --- | ---: | ---: |",
    ...(last === undefined ? [] : [row("last step", last.loss, last["explained_variance"])]),
    ...heldOut.map((line) => row(`held out, after ${line.step} steps`, line.eval_loss, line["eval_explained_variance"])),
    "",
    "Over the tokens of answers, so that long ones count more; of beginnings nobody can know all.",
    "",
    "![Loss by step](curves.svg)",
    "",
    "## Data",
    "",
    `${data.answers} scored answers${leftOut(report)}.`,
    "",
    ...fileTable([...data.files, ...data.evaluationFiles]),
    "",
    ...madeBy(report.command),
  ].join("\n")}\n`;
}

function leftOut({ data: { truncatedAnswers, truncatedTokens, emptyRows } }: ValueReport): string {
  const parts = [
    ...(truncatedAnswers > 0 ? [`${truncatedAnswers} lost ${truncatedTokens} tokens to the longest length allowed`] : []),
    ...(emptyRows > 0 ? [`${emptyRows} rows without any token of an answer were left out`] : []),
  ];
  return parts.length === 0 ? "" : `; ${parts.join(" and ")}`;
}
