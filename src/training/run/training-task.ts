/**
 * @file What `runTraining` takes: a request of a command, and the task that says what is special about one kind of
 * training.
 */

import type { JsonObject } from "../../formats/json-file.ts";
import type { ReadFile } from "../../formats/json-lines.ts";
import type { RowBatches } from "../data/row-data.ts";
import type { ChosenAdapter } from "../model/adapter-choice.ts";
import type { RunDocuments, RunRecord } from "../report/training-report.ts";
import type { EvaluationLine, Metrics } from "./metrics-file.ts";
import type { Stepping } from "./run-options.ts";
import type { SteppedModel, StepOutcome } from "./trainable-model.ts";
import type { MetricNaming, StepSource, TrainingEvent } from "./training-loop.ts";

/** What a command asks of a trainer. */
export interface TrainingRequest<Options> {
  /** The command and its words, as a person would type them. */
  command: string;
  /** Every option by its flag. */
  flags: Readonly<Record<string, unknown>>;
  versions: Readonly<Record<string, string>>;
  /** A GGUF file or a Hugging Face folder. */
  modelPath: string;
  options: Options;
  /** Ends the run after the current step, with a checkpoint. */
  stop: AbortSignal;
  observe: (event: TrainingEvent) => void;
  /** Shows a line to the user. */
  log: (line: string) => void;
}

/** Data sets laid out in rows. */
export interface TaskData<Batch> {
  training: StepSource<Batch>;
  heldOut: RowBatches<Batch> | undefined;
  /** Counts of what was read, for training.json; the files also identify the run. */
  summary: { files: readonly ReadFile[]; evaluationFiles: readonly ReadFile[] };
}

/** What a task opens its model with. */
export interface OpenOptions extends Stepping {
  /** Where graphs and frozen weights are written; removed after the run. */
  temporaryFolder: string;
  stop: AbortSignal;
  /** See `runIdentity`. */
  identity: JsonObject;
  totalSteps: number;
}

export interface OpenedModel<Model> {
  model: Model;
  /** More metrics of an evaluation, after `step` steps. */
  measure?: ((step: number) => Promise<Metrics>) | undefined;
  /** Frees the model and all that was opened with it. */
  dispose: () => Promise<void>;
}

/**
 * One kind of training over an opened base model. `runTraining` calls `read`, `layOut` and `open` once each (`read`
 * once more for held-out data), and `publish` after the last step.
 */
export interface TrainingTask<
  Rows,
  Batch,
  Step extends StepOutcome,
  Sums,
  Model extends SteppedModel<Batch, Step, Sums>,
  Data extends TaskData<Batch>,
> {
  /** What will be trained, as a sentence for the user. */
  announcement: string;
  /** Most tokens that the base model reads. */
  contextLength: number;
  /** The adapter that is trained; undefined for all weights. */
  adapter: ChosenAdapter | undefined;
  /** Hash of the weights that training begins with, where they are not the base's. */
  initialWeightsHash?: string | undefined;
  /** Flags of this task that decide the course of a run. */
  courseFlags: readonly string[];
  /**
   * Reads and tokenises JSON Lines files, and logs what was cut or left out.
   * @throws BonsaiError `file_not_found`, `invalid_dataset`.
   */
  read: (paths: readonly string[], maxLength: number) => Rows;
  layOut: (rows: Rows, heldOut: Rows | undefined, maxLength: number) => Data;
  /** Undefined where `stop` came first. */
  open: (data: Data, options: OpenOptions) => Promise<OpenedModel<Model> | undefined>;
  metrics: MetricNaming<Step, Sums>;
  /** Whether the run may end before its last step, by all evaluations so far. */
  isEnough?: (evaluations: readonly EvaluationLine[]) => boolean;
  /** Told of each event after the request's own observer. */
  observe?: (event: TrainingEvent) => void;
  /**
   * Writes the trained model to the output folder.
   * @returns the documents of the run
   * @throws BonsaiError `write_failed`.
   */
  publish: (model: Model, data: Data, record: RunRecord) => Promise<RunDocuments>;
}
