/**
 * @file The card of a trained model: README.md with YAML that the Hugging Face Hub reads, and what a person wants to
 * know first.
 */

import { existsSync } from "node:fs";
import { basename, resolve, sep } from "node:path";

import type { ReadFile } from "../../formats/json-lines.ts";
import type { EvaluationLine, Metrics, StepLine } from "../run/metrics-file.ts";
import type { TrainingReport } from "./training-report.ts";

/** What the card of one kind of training has of its own. */
export interface CardParts {
  /** Title of the card: the name of the folder. */
  name: string;
  report: TrainingReport;
  pipelineTag: "text-generation" | "text-classification";
  /** Tag on the Hub, such as "reward-model". */
  tag: string;
  /** What was made from what, up to "with Bonsai". */
  subject: string;
  /** Follows the version, before what was trained, such as "beta 0.1". */
  details?: readonly string[];
  /** More sentences of the first paragraph, with a space before them. */
  remarks?: string;
  /** Columns of metrics beside the loss: title, and name in metrics.jsonl. */
  columns: readonly (readonly [title: string, metric: string])[];
  /** Title of the loss's column, by default "loss". */
  lossColumn?: string;
  /** What the numbers mean. */
  explanation?: string;
  /** Lines of sections between the curves and the data. */
  sections?: readonly string[];
  /** What was trained on, a sentence. */
  data: string;
  files: readonly ReadFile[];
}

export function modelCard(parts: CardParts): string {
  const {
    name,
    report,
    pipelineTag,
    tag,
    subject,
    details = [],
    remarks = "",
    columns,
    lossColumn = "loss",
    explanation,
    sections = [],
  } = parts;
  const { base, trains, steps, epochs, trainSeconds, versions } = report;
  const isAdapter = trains === "a LoRA adapter";
  const facts = [...details, trains, `${steps} steps`, `${Number(epochs.toFixed(2))} epochs`, `${duration(trainSeconds)} of training`];
  return `${[
    "---",
    ...(trains === "a head" ? [] : [`library_name: ${isAdapter ? "peft" : "transformers"}`]),
    ...(base.isFromNothing ? [] : [`base_model: ${JSON.stringify(baseName(report))}`]),
    `pipeline_tag: ${pipelineTag}`,
    `tags: [bonsai, ${tag}${isAdapter ? ", lora" : ""}]`,
    "---",
    "",
    `# ${name}`,
    "",
    `${subject} with Bonsai ${versions["bonsai"] ?? ""}: ${facts.join(", ")}.${remarks}`,
    "",
    `| | ${[lossColumn, ...columns.map(([title]) => title)].join(" | ")} |`,
    `| --- | ---: |${columns.map(() => " ---: |").join("")}`,
    ...metricRows(report, columns.map(([, metric]) => metric)), // prettier-ignore
    "",
    ...(explanation === undefined ? [] : [explanation, ""]),
    "![Loss by step](curves.svg)",
    "",
    ...(sections.length === 0 ? [] : [...sections, ""]),
    "## Data",
    "",
    parts.data,
    "",
    ...fileTable(parts.files),
    "",
    "## Made by",
    "",
    "```sh",
    report.command,
    "```",
    "",
    "Every option, version and hash is in `training.json`, every step in `metrics.jsonl`.",
  ].join("\n")}\n`;
}

/** The base model's name; of a file or folder of this machine only the last part of its path. */
export function baseName({ base: { name } }: TrainingReport): string {
  return existsSync(name) ? basename(resolve(name)) : name;
}

/** The last step, and the first and the last evaluation. */
function metricRows({ metrics: { steps, evaluations } }: TrainingReport, names: readonly string[]): string[] {
  const row = (what: string, loss: number, metrics: Metrics, prefix: string): string =>
    `| ${[what, loss.toFixed(4), ...names.map((name) => metrics[`${prefix}${name}`]?.toFixed(4) ?? "")].join(" | ")} |`;
  const step: (StepLine & Metrics) | undefined = steps.at(-1);
  const held: ((EvaluationLine & Metrics) | undefined)[] = [...new Set([evaluations[0], evaluations.at(-1)])];
  return [
    ...(step === undefined ? [] : [row("last step", step.loss, step, "")]),
    ...held.flatMap((line) => (line === undefined ? [] : [row(`held out, after ${line.step} steps`, line.eval_loss, line, "eval_")])),
  ];
}

/** The end of a sentence about the data: "; " and the clauses whose count is above 0. */
export function countedClauses(clauses: readonly (readonly [count: number, clause: string])[]): string {
  const parts = clauses.filter(([count]) => count > 0).map(([, clause]) => clause);
  return parts.length === 0 ? "" : `; ${parts.join(" and ")}`;
}

function fileTable(files: readonly ReadFile[]): string[] {
  const names = distinctNames(files.map((file) => file.path));
  return [
    "| file | rows | SHA-256 |",
    "| --- | ---: | --- |",
    ...files.map((file, at) => `| ${names[at]} | ${file.rows} | \`${file.sha256}\` |`),
  ];
}

/**
 * The fewest last parts of each path that no other path ends with: files of one name are told apart, and no more of the
 * machine is told than that takes.
 */
export function distinctNames(paths: readonly string[]): string[] {
  const parts = paths.map((path) => resolve(path).split(sep).slice(1));
  const ending = (path: readonly string[], count: number): string => path.slice(-count).join("/");
  return parts.map((own) => {
    const others = parts.filter((other) => other.join("/") !== own.join("/"));
    const count = own.findIndex((_, at) => others.every((other) => ending(other, at + 1) !== ending(own, at + 1))) + 1;
    return ending(own, count === 0 ? own.length : count);
  });
}

function duration(seconds: number): string {
  return seconds < 120 ? `${Math.round(seconds)} s` : `${Math.round(seconds / 60)} min`;
}
