/**
 * @file The documents of a trained model: training.json (everything that made it), curves.svg and README.md (its card).
 */

import { cpus, type as systemType } from "node:os";
import { join } from "node:path";

import { writeJsonFile, writeWholeFile } from "../../formats/written-file.ts";
import type { ReadFile } from "../../formats/json-lines.ts";
import { lineChart, type LineChart } from "./line-chart.ts";
import { metricsFileName, readMetricLines, type MetricLines } from "../run/metrics-file.ts";

/** What a run trained. */
export type TrainedPart = "all weights" | "a LoRA adapter" | "a head";

/** What is recorded of every run that is over. */
export interface RunRecord {
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
  metrics: MetricLines;
}

/** The record, with what one kind of training says of itself. */
export interface TrainingReport extends RunRecord {
  stage: "pretrain" | "sft" | "reward" | "dpo";
  trains: TrainedPart;
  data: { files: readonly ReadFile[]; evaluationFiles: readonly ReadFile[] };
}

/** What a run publishes beside the trained model. */
export interface RunDocuments {
  /** Becomes training.json, in the order of its keys. */
  report: TrainingReport;
  /** Title of the loss's axis. */
  lossTitle: string;
  /** README.md. */
  card: string;
}

/** The record of a run that ended with these outcomes. */
export function runRecord(
  {
    command,
    flags,
    versions,
    options,
  }: Pick<RunRecord, "command" | "flags" | "versions"> & { options: { model: string; outputDir: string } },
  { contentHash }: { contentHash: string },
  { step, trainSeconds }: { step: number; trainSeconds: number },
  stepsPerEpoch: number,
): RunRecord {
  return {
    command,
    flags,
    versions,
    base: { name: options.model, contentHash, isFromNothing: false },
    steps: step,
    epochs: step / stepsPerEpoch,
    trainSeconds,
    metrics: readMetricLines(join(options.outputDir, metricsFileName)),
  };
}

/** Writes training.json, curves.svg and README.md to `folder`. @throws BonsaiError `write_failed`. */
export async function writeRunDocuments(folder: string, { report, lossTitle, card }: RunDocuments): Promise<void> {
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
export function curves({ steps, evaluations }: MetricLines, yTitle: string): LineChart {
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
