/** @file metrics.jsonl: a line a step and a line an evaluation, with TRL's names. A run that goes on continues it without a gap or a double. */

import { closeSync, fstatSync, fsyncSync, ftruncateSync, openSync } from "node:fs";

import { BonsaiError } from "../../errors/bonsai-error.ts";
import { onDisk, writeAll } from "../../formats/written-file.ts";
import { readJsonLines } from "../../formats/json-lines.ts";

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

/** More of a trainer's numbers, by TRL's names. */
export type Metrics = Readonly<Record<string, number>>;

/** Of a language model, after a step. */
export interface StepMetrics extends StepLine {
  /** Mean over the trained tokens, nats. */
  entropy: number;
  mean_token_accuracy: number;
}

/** Of a language model, after an evaluation. */
export interface EvaluationMetrics extends EvaluationLine {
  eval_mean_token_accuracy: number;
  /** Trained tokens of the held-out data. */
  eval_num_tokens: number;
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

/** All lines of a language model's metrics, split into steps and evaluations. */
export function readMetrics(path: string): { steps: StepMetrics[]; evaluations: EvaluationMetrics[] } {
  return readMetricLines(path) as unknown as { steps: StepMetrics[]; evaluations: EvaluationMetrics[] };
}

/** All lines of any trainer's metrics. */
export function readMetricLines(path: string): { steps: (StepLine & Metrics)[]; evaluations: (EvaluationLine & Metrics)[] } {
  const steps: (StepLine & Metrics)[] = [];
  const evaluations: (EvaluationLine & Metrics)[] = [];
  for (const { row } of readJsonLines(path)) {
    if ("eval_loss" in row) evaluations.push(row as unknown as EvaluationLine & Metrics);
    else steps.push(row as unknown as StepLine & Metrics);
  }
  return { steps, evaluations };
}
