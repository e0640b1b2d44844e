/**
 * @file metrics.jsonl: a line a step and a line an evaluation, with TRL's names. A resumed run continues it without a
 * gap or a repetition.
 */

import { closeSync, fstatSync, fsyncSync, ftruncateSync, openSync } from "node:fs";

import { BonsaiError } from "../../errors/bonsai-error.ts";
import { onDisk, writeAll } from "../../formats/written-file.ts";
import { readJsonLines } from "../../formats/json-lines.ts";

/** In the output folder of a run. */
export const metricsFileName = "metrics.jsonl";

/** What every trainer writes after a step. */
export interface StepLine {
  /** Counted from 1. */
  step: number;
  /** Passes over the data so far, with its fraction. */
  epoch: number;
  /** Mean over what the step trained on, nats. */
  loss: number;
  /** Before clipping. */
  grad_norm: number;
  learning_rate: number;
  /** Tokens read since the run began. */
  num_tokens: number;
}

/** What every trainer writes after an evaluation. */
export interface EvaluationLine {
  /** Steps that were done before it. */
  step: number;
  epoch: number;
  /** Mean over the held-out data, nats. */
  eval_loss: number;
}

/** Metrics of one kind of training, by TRL's names. */
export type Metrics = Readonly<Record<string, number>>;

/** The same metrics as those of an evaluation. */
export function heldOutNames(metrics: Metrics): Metrics {
  return Object.fromEntries(Object.entries(metrics).map(([name, value]) => [`eval_${name}`, value]));
}

export interface MetricLines {
  steps: readonly (StepLine & Metrics)[];
  evaluations: readonly (EvaluationLine & Metrics)[];
}

export class MetricsFile {
  readonly #path: string;
  readonly #descriptor: number;
  #bytes: number;

  /**
   * Opens the file, makes it if absent, and cuts it to its first `bytes` bytes.
   * @throws BonsaiError `write_failed`; `invalid_model_file` when it is shorter than that.
   */
  constructor(path: string, bytes: number) {
    this.#path = path;
    this.#bytes = bytes;
    this.#descriptor = onDisk(path, () => openSync(path, "a"));
    const { size } = fstatSync(this.#descriptor);
    if (size < bytes) {
      closeSync(this.#descriptor);
      throw new BonsaiError(
        "invalid_model_file",
        `${path} has ${size} bytes, but the checkpoint was written when it had ${bytes}: put the file back, or begin anew in another folder.`,
      );
    }
    ftruncateSync(this.#descriptor, bytes);
  }

  /** Length so far. */
  get bytes(): number {
    return this.#bytes;
  }

  /** @throws BonsaiError `write_failed`. */
  append(metrics: StepLine | EvaluationLine): void {
    const line = Buffer.from(`${JSON.stringify(metrics)}\n`);
    onDisk(this.#path, () => writeAll(this.#descriptor, line));
    this.#bytes += line.length;
  }

  /** Brings what was appended to the disk: a checkpoint counts on it. */
  sync(): void {
    onDisk(this.#path, () => fsyncSync(this.#descriptor));
  }

  close(): void {
    closeSync(this.#descriptor);
  }
}

/** All lines of the file, split into steps and evaluations. */
export function readMetricLines(path: string): MetricLines {
  const steps: (StepLine & Metrics)[] = [];
  const evaluations: (EvaluationLine & Metrics)[] = [];
  for (const { row } of readJsonLines(path)) {
    if ("eval_loss" in row) evaluations.push(row as unknown as EvaluationLine & Metrics);
    else steps.push(row as unknown as StepLine & Metrics);
  }
  return { steps, evaluations };
}
