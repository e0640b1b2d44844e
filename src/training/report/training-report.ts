/** @file The papers of a trained model: training.json (everything that made it), curves.svg and README.md (its card). */

import { cpus, type as systemType } from "node:os";
import { basename, join, resolve, sep } from "node:path";

import { writeJsonFile, writeWholeFile } from "../../formats/written-file.ts";
import type { ReadFile } from "../../formats/json-lines.ts";
import { lineChart, type LineChart } from "./line-chart.ts";
import type { EvaluationLine, EvaluationMetrics, StepLine, StepMetrics } from "../run/metrics-file.ts";

/** What is recorded of every run. */
export interface RunRecord {
  stage: "pretrain" | "sft" | "reward" | "dpo";
  /** The command and its words, as a person would type them. */
  command: string;
  /** Every option by its flag. */
  flags: Readonly<Record<string, unknown>>;
  versions: Readonly<Record<string, string>>;
  /** The model that was trained, and the hash of its content. */
  base: { name: string; contentHash: string; isFromNothing: boolean };
  steps: number;
  epochs: number;
  trainSeconds: number;
  metrics: { steps: readonly StepLine[]; evaluations: readonly EvaluationLine[] };
}

/** What is recorded of a run that is over, but for what it trained on and what it measured. */
export function recordOf(
  { command, flags, versions, options }: Pick<RunRecord, "command" | "flags" | "versions"> & { options: { model: string } },
  base: { contentHash: string; isFromNothing?: boolean },
  { step, trainSeconds }: { step: number; trainSeconds: number },
  stepsPerEpoch: number,
): Omit<RunRecord, "stage" | "metrics"> {
  return {
    command,
    flags,
    versions,
    base: { name: options.model, contentHash: base.contentHash, isFromNothing: base.isFromNothing === true },
    steps: step,
    epochs: step / stepsPerEpoch,
    trainSeconds,
  };
}

/** Of a language model. */
export interface TrainingReport extends RunRecord {
  stage: "pretrain" | "sft";
  trains: "all weights" | "a LoRA adapter";
  data: {
    files: readonly ReadFile[];
    evaluationFiles: readonly ReadFile[];
    documents: number;
    rows: number;
    /** Places of a row. */
    length: number;
    truncatedRows: number;
    truncatedTokens: number;
    droppedRows: number;
  };
  metrics: { steps: readonly StepMetrics[]; evaluations: readonly EvaluationMetrics[] };
}

/** Writes the three files to `folder`. @throws BonsaiError `write_failed`. */
export async function writeTrainingReport(folder: string, report: TrainingReport): Promise<void> {
  await writePapers(folder, report, "loss (nats a token)", modelCard(basename(folder), report));
}

/** Writes the three files of any run to `folder`. @throws BonsaiError `write_failed`. */
export async function writePapers(folder: string, report: RunRecord, lossTitle: string, card: string): Promise<void> {
  const { metrics, ...record } = report;
  const [processor] = cpus();
  writeJsonFile(join(folder, "training.json"), {
    ...record,
    machine: { processor: processor?.model.trim() ?? "unknown", cores: cpus().length, system: systemType() },
    last: { step: metrics.steps.at(-1), evaluation: metrics.evaluations.at(-1) },
  });
  writeWholeFile(join(folder, "curves.svg"), [await lineChart(curves(metrics, lossTitle))]);
  writeWholeFile(join(folder, "README.md"), [card]);
}

/** More points than a chart has pixels only blur it. */
const mostPoints = 600;

/** Loss of training and of held-out data by step. Of many steps, neighbours are averaged. */
export function curves({ steps, evaluations }: RunRecord["metrics"], yTitle: string): LineChart {
  const perPoint = Math.ceil(steps.length / mostPoints);
  const points: { x: number; y: number }[] = [];
  for (let at = 0; at < steps.length; at += perPoint) {
    const group = steps.slice(at, at + perPoint);
    points.push({ x: group.at(-1)!.step, y: group.reduce((sum, { loss }) => sum + loss, 0) / group.length });
  }
  return {
    xTitle: "step",
    yTitle,
    series: [
      { name: "training", points },
      ...(evaluations.length === 0 ? [] : [{ name: "held out", points: evaluations.map((line) => ({ x: line.step, y: line.eval_loss })) }]),
    ],
  };
}

const stageNames = { pretrain: "pre-training", sft: "supervised fine-tuning" };

/** The card: YAML that the Hub reads, and what a person wants to know first. */
export function modelCard(name: string, report: TrainingReport): string {
  const { stage, base, trains, data, metrics, steps, epochs, trainSeconds, versions } = report;
  const isAdapter = trains === "a LoRA adapter";
  const [before, after] = [metrics.evaluations[0], metrics.evaluations.at(-1)];
  const cut = [
    ...(data.truncatedRows > 0 ? [`${data.truncatedRows} were cut at their end (${data.truncatedTokens} tokens)`] : []),
    ...(data.droppedRows > 0 ? [`${data.droppedRows} were left out, since nothing to train on was left of them`] : []),
  ];
  return `${[
    "---",
    `library_name: ${isAdapter ? "peft" : "transformers"}`,
    ...(base.isFromNothing ? [] : [`base_model: ${JSON.stringify(base.name)}`]),
    "pipeline_tag: text-generation",
    `tags: [bonsai, ${stage}${isAdapter ? ", lora" : ""}]`,
    "---",
    "",
    `# ${name}`,
    "",
    `${isAdapter ? "An adapter" : "A model"} made by ${stageNames[stage]} ${base.isFromNothing ? "from nothing" : `of ${base.name}`} with Bonsai ${versions["bonsai"] ?? ""}: ${trains}, ${steps} steps, ${Number(epochs.toFixed(2))} epochs, ${duration(trainSeconds)} of training.`,
    "",
    "| | loss | token accuracy |",
    "| --- | ---: | ---: |",
    ...(metrics.steps.length === 0 ? [] : [row("last step", metrics.steps.at(-1)!.loss, metrics.steps.at(-1)!.mean_token_accuracy)]),
    ...(before === undefined ? [] : [row(`held out, after ${before.step} steps`, before.eval_loss, before.eval_mean_token_accuracy)]),
    ...(after === undefined || after === before
      ? []
      : [row(`held out, after ${after.step} steps`, after.eval_loss, after.eval_mean_token_accuracy)]),
    "",
    "![Loss by step](curves.svg)",
    "",
    "## Data",
    "",
    `${data.documents} documents in ${data.rows} rows of ${data.length} tokens${cut.length === 0 ? "" : `; of the rows of the files ${cut.join(" and ")}`}.`,
    "",
    ...fileTable([...data.files, ...data.evaluationFiles]),
    "",
    ...madeBy(report.command),
  ].join("\n")}\n`;
}

/** The lines of a card that name its data. */
export function fileTable(files: readonly ReadFile[]): string[] {
  const names = tellingNames(files.map((file) => file.path));
  return [
    "| file | rows | SHA-256 |",
    "| --- | ---: | --- |",
    ...files.map((file, at) => `| ${names[at]} | ${file.rows} | \`${file.sha256}\` |`),
  ];
}

/** The last lines of a card. */
export function madeBy(command: string): string[] {
  return [
    "## Made by",
    "",
    "```sh",
    command,
    "```",
    "",
    "Every option, version and hash is in `training.json`, every step in `metrics.jsonl`.",
  ];
}

/** Of each path the fewest last parts that no other path ends with: files of one name are told apart, and no more of the machine is told than that takes. */
export function tellingNames(paths: readonly string[]): string[] {
  const parts = paths.map((path) => resolve(path).split(sep).slice(1));
  const ending = (of: readonly string[], count: number): string => of.slice(-count).join("/");
  return parts.map((own) => {
    const others = parts.filter((other) => other.join("/") !== own.join("/"));
    const count = own.findIndex((_, at) => others.every((other) => ending(other, at + 1) !== ending(own, at + 1))) + 1;
    return ending(own, count === 0 ? own.length : count);
  });
}

const row = (what: string, loss: number, accuracy: number): string => `| ${what} | ${loss.toFixed(4)} | ${accuracy.toFixed(4)} |`;

/** As a person says it. */
export function duration(seconds: number): string {
  return seconds < 120 ? `${Math.round(seconds)} s` : `${Math.round(seconds / 60)} min`;
}
