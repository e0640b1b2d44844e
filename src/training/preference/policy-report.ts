/** @file The card of a policy that was tuned on preferences, and the record of its run. */

import { basename } from "node:path";

import type { ReadFile } from "../../formats/json-lines.ts";
import type { EvaluationLine, Metrics, StepLine } from "../run/metrics-file.ts";
import { duration, fileTable, madeBy, writePapers, type RunRecord } from "../report/training-report.ts";

export interface PolicyReport extends RunRecord {
  stage: "dpo";
  trains: "all weights" | "a LoRA adapter";
  objective: { losses: readonly string[]; beta: number };
  data: {
    files: readonly ReadFile[];
    evaluationFiles: readonly ReadFile[];
    pairs: number;
    /** Rows of tokens that they lie in, and their length. */
    rows: number;
    length: number;
    tooLongRows: number;
    identicalRows: number;
  };
  metrics: { steps: readonly (StepLine & Metrics)[]; evaluations: readonly (EvaluationLine & Metrics)[] };
}

/** Writes training.json, curves.svg and README.md to `folder`. @throws BonsaiError `write_failed`. */
export async function writePolicyReport(folder: string, report: PolicyReport): Promise<void> {
  await writePapers(folder, report, "loss (nats a pair)", policyCard(basename(folder), report));
}

/** Columns of the card's table: what stands above, and TRL's name. */
const columns = [
  ["accuracy", "rewards/accuracies"],
  ["margin", "rewards/margins"],
  ["reward of chosen", "rewards/chosen"],
  ["of rejected", "rewards/rejected"],
  ["KL", "kl_to_reference"],
  ["answer's tokens", "answer_length"],
] as const;

/** The card: YAML that the Hub reads, and what a person wants to know first. */
function policyCard(name: string, report: PolicyReport): string {
  const { base, trains, objective, data, metrics, steps, epochs, trainSeconds, versions } = report;
  const last = metrics.steps.at(-1);
  const [before, after] = [metrics.evaluations[0], metrics.evaluations.at(-1)];
  const isAdapter = trains === "a LoRA adapter";
  return `${[
    "---",
    `library_name: ${isAdapter ? "peft" : "transformers"}`,
    `base_model: ${JSON.stringify(base.name)}`,
    "pipeline_tag: text-generation",
    `tags: [bonsai, dpo${isAdapter ? ", lora" : ""}]`,
    "---",
    "",
    `# ${name}`,
    "",
    `${isAdapter ? "An adapter" : "A model"} made by preference tuning of ${base.name} with Bonsai ${versions["bonsai"] ?? ""}: ${objective.losses.join(" + ")}, beta ${objective.beta}, ${trains}, ${steps} steps, ${Number(epochs.toFixed(2))} epochs, ${duration(trainSeconds)} of training.`,
    "",
    `| | loss | ${columns.map(([title]) => title).join(" | ")} |`,
    `| --- | ---: |${columns.map(() => " ---: |").join("")}`,
    ...(last === undefined ? [] : [row("last step", last.loss, last, "")]),
    ...(before === undefined ? [] : [row(`held out, after ${before.step} steps`, before.eval_loss, before, "eval_")]),
    ...(after === undefined || after === before ? [] : [row(`held out, after ${after.step} steps`, after.eval_loss, after, "eval_")]),
    "",
    "Rewards are beta times the log-probability that the policy gives an answer above that of its reference, the model that it was made from; accuracy is the share of pairs whose chosen answer has the higher one. KL (nats an answer) and length are of answers that the policy itself wrote to a few held-out prompts.",
    "",
    "![Loss by step](curves.svg)",
    "",
    "## Data",
    "",
    `${data.pairs} ${objective.losses.includes("kto") ? "answers" : "pairs"} in ${data.rows} rows of ${data.length} tokens${leftOut(data)}.`,
    "",
    ...fileTable([...data.files, ...data.evaluationFiles]),
    "",
    ...madeBy(report.command),
  ].join("\n")}\n`;
}

function row(what: string, loss: number, metrics: Metrics, prefix: string): string {
  const shown = columns.map(([, name]) => metrics[`${prefix}${name}`]?.toFixed(4) ?? "");
  return `| ${what} | ${loss.toFixed(4)} | ${shown.join(" | ")} |`;
}

function leftOut({ tooLongRows, identicalRows }: PolicyReport["data"]): string {
  const parts = [
    ...(tooLongRows > 0 ? [`${tooLongRows} rows that are longer than allowed were left out`] : []),
    ...(identicalRows > 0 ? [`${identicalRows} rows of equal answers were left out`] : []),
  ];
  return parts.length === 0 ? "" : `; ${parts.join(" and ")}`;
}
