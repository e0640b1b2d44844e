/**
 * @file The loop of every trainer: steps, evaluations, metrics and checkpoints, and resuming from the newest
 * checkpoint.
 */

import { mkdirSync } from "node:fs";
import { join } from "node:path";

import { BonsaiError } from "../../errors/bonsai-error.ts";
import type { JsonObject } from "../../formats/json-file.ts";
import { onDisk } from "../../formats/written-file.ts";
import {
  checkpointsFolder,
  newestWhole,
  readCheckpoint,
  removeIncompleteCheckpoints,
  setAside,
  writeCheckpoint,
  type RunProgress,
} from "./checkpoint.ts";
import { learningRateAt, type Schedule } from "./learning-rate.ts";
import { MetricsFile, metricsFileName, readMetricLines, type EvaluationLine, type Metrics, type StepLine } from "./metrics-file.ts";
import { requireSameRun } from "./run-identity.ts";
import { requireFreeFolder } from "./run-folder.ts";
import type { StateTensor, SteppedModel, StepOutcome } from "./trainable-model.ts";

/** What one step trains on. */
export interface StepBatches<Batch> {
  /** The gradients of all batches add up. */
  batches: readonly Batch[];
  /** Tokens of the batches, without padding. */
  tokens: number;
}

/**
 * The batches of each step: a pure function of the step and of the model's state, so that a resumed run trains on the
 * same.
 */
export interface StepSource<Batch> {
  readonly stepsPerEpoch: number;
  /** @param step counted from 0. The data may be made by the model itself, which takes time. */
  batchesOf(step: number): StepBatches<Batch> | Promise<StepBatches<Batch>>;
}

export interface LoopOptions<Batch, Step extends StepOutcome, Sums> {
  model: Pick<SteppedModel<Batch, Step, Sums>, "step" | "evaluate" | "state" | "restore">;
  data: StepSource<Batch>;
  /** Held-out data; none is evaluated where undefined. */
  evaluation: readonly Batch[] | undefined;
  schedule: Schedule;
  outputDir: string;
  /** Steps between checkpoints; the last step always has one. 0 has no other. */
  saveSteps: number;
  /** Newest checkpoints that are kept. */
  saveTotalLimit: number;
  /** Steps between evaluations; before the first step and after the last there is always one. 0 has no other. */
  evalSteps: number;
  /** Resume from the newest checkpoint, if there is one. */
  resume: boolean;
  /** See `runIdentity`. */
  identity: JsonObject;
  /** Ends the run after the current step, with a checkpoint. */
  stop: AbortSignal;
  observe: (event: TrainingEvent) => void;
  /** More metrics of an evaluation, after `step` steps. */
  measure?: ((step: number) => Promise<Metrics>) | undefined;
  /** Whether the run is finished before its last step, by all evaluations so far; it is asked after each. */
  isEnough?: ((evaluations: readonly EvaluationLine[]) => boolean) | undefined;
}

export type TrainingEvent =
  /** `path` is where the damaged checkpoint is now. */
  | { kind: "checkpoint passed over"; path: string; reason: string }
  | { kind: "resumed"; step: number }
  | { kind: "step"; metrics: StepLine & Metrics; totalSteps: number; tokens: number; seconds: number }
  | { kind: "evaluation"; metrics: EvaluationLine & Metrics }
  | { kind: "checkpoint"; path: string };

export interface RunOutcome {
  /** Steps that are done. */
  step: number;
  isFinished: boolean;
  /** Over all processes of the run. */
  trainSeconds: number;
}

/** The metrics of a model as lines of metrics.jsonl, by TRL's names. */
export interface MetricNaming<Step, Sums> {
  /** Metrics of a step beside its loss and norm. */
  ofStep: (step: Step) => Metrics;
  ofEvaluation: (sums: readonly Sums[]) => Metrics & Pick<EvaluationLine, "eval_loss">;
}

/**
 * Trains until the schedule's last step, or until `stop`. A run that was ended at any step, by whatever means, and goes
 * on with `resume` does the same steps on the same data with the same state, so it ends with the same bytes.
 * @throws BonsaiError `usage` where the folder holds another run; `write_failed` (the last checkpoint is whole then);
 * `training_diverged`; what the model throws.
 */
export async function runSteps<Batch, Step extends StepOutcome, Sums>(
  options: LoopOptions<Batch, Step, Sums>,
  naming: MetricNaming<Step, Sums>,
): Promise<RunOutcome> {
  const { model, data, schedule, outputDir } = options;
  const checkpoints = join(outputDir, checkpointsFolder);
  const progress = beginRun(options, checkpoints);
  const metrics = new MetricsFile(join(outputDir, metricsFileName), progress.metricsBytes);
  const evaluations: EvaluationLine[] = progress.step === 0 ? [] : [...readMetricLines(join(outputDir, metricsFileName)).evaluations];
  const isOver = (): boolean => progress.step >= schedule.totalSteps || options.isEnough?.(evaluations) === true;
  let savedStep = progress.step;
  const save = (): void => {
    const state = model.state();
    // No loss was computed with the weights of the last update: without this check they could be published with NaNs.
    requireFiniteState(state, progress.step, savedStep);
    metrics.sync();
    progress.metricsBytes = metrics.bytes;
    const path = writeCheckpoint(checkpoints, progress, state, options.saveTotalLimit);
    savedStep = progress.step;
    options.observe({ kind: "checkpoint", path });
  };
  const evaluateNow = async (): Promise<void> => {
    if (options.evaluation === undefined) return;
    // Before the first step nothing is lost by stopping: a resumed run evaluates again.
    const sums = await evaluate(model, options.evaluation, progress.step === 0 ? options.stop : undefined);
    if (sums === undefined) return;
    const found = naming.ofEvaluation(sums);
    requireFinite("held-out loss", found.eval_loss, progress.step, savedStep);
    const evaluated = {
      step: progress.step,
      epoch: progress.step / data.stepsPerEpoch,
      ...found,
      ...(await options.measure?.(progress.step)),
    };
    metrics.append(evaluated);
    evaluations.push(evaluated);
    options.observe({ kind: "evaluation", metrics: evaluated });
  };
  try {
    if (progress.step === 0) await evaluateNow();
    while (!isOver() && !options.stop.aborted) {
      const startMs = performance.now();
      const { batches, tokens } = await data.batchesOf(progress.step);
      const learningRate = learningRateAt(schedule, progress.step);
      const result = await model.step(batches, learningRate);
      const seconds = (performance.now() - startMs) / 1000;
      requireFinite("loss", result.loss, progress.step + 1, savedStep);
      requireFinite("norm of the gradient", result.gradNorm, progress.step + 1, savedStep);
      advance(progress, data.stepsPerEpoch, tokens, seconds);
      const line: StepLine & Metrics = {
        step: progress.step,
        epoch: progress.step / data.stepsPerEpoch,
        loss: result.loss,
        grad_norm: result.gradNorm,
        learning_rate: learningRate,
        ...naming.ofStep(result),
        num_tokens: progress.numTokens,
      };
      metrics.append(line);
      options.observe({ kind: "step", metrics: line, totalSteps: schedule.totalSteps, tokens, seconds });
      const isLast = progress.step === schedule.totalSteps;
      if (isLast || isDue(progress.step, options.evalSteps)) await evaluateNow();
      if (isLast || isDue(progress.step, options.saveSteps)) save();
      await processSignals();
    }
    if (savedStep < progress.step) save();
    metrics.sync();
  } finally {
    metrics.close();
  }
  return { step: progress.step, isFinished: isOver(), trainSeconds: progress.trainSeconds };
}

const isDue = (step: number, every: number): boolean => every > 0 && step % every === 0;

function advance(progress: RunProgress, stepsPerEpoch: number, tokens: number, seconds: number): void {
  progress.step++;
  progress.epoch = Math.floor(progress.step / stepsPerEpoch);
  progress.stepInEpoch = progress.step % stepsPerEpoch;
  progress.numTokens += tokens;
  progress.trainSeconds += seconds;
}

/** Where the run begins: at step 0, or at its newest whole checkpoint, whose state the model gets. */
function beginRun<Batch, Step extends StepOutcome, Sums>(
  { model, outputDir, resume, identity, observe }: LoopOptions<Batch, Step, Sums>,
  checkpoints: string,
): RunProgress {
  onDisk(outputDir, () => mkdirSync(outputDir, { recursive: true }));
  requireFreeFolder(outputDir, resume);
  removeIncompleteCheckpoints(checkpoints);
  const newest = newestWhole(checkpoints, readCheckpoint);
  if (newest === undefined) return { step: 0, epoch: 0, stepInEpoch: 0, numTokens: 0, metricsBytes: 0, trainSeconds: 0, identity };
  const { progress, state } = newest.found;
  requireSameRun(progress.identity, identity, outputDir);
  model.restore(state);
  for (const { path, reason } of newest.passedOver) observe({ kind: "checkpoint passed over", path: setAside(path), reason });
  observe({ kind: "resumed", step: progress.step });
  return { ...progress, identity };
}

function requireFinite(what: string, value: number, step: number, savedStep: number): void {
  if (Number.isFinite(value)) return;
  throw new BonsaiError(
    "training_diverged",
    `The ${what} became ${value} at step ${step}: begin anew with a lower --learning-rate or --max-grad-norm${savedStep > 0 ? `; the checkpoint of step ${savedStep} is whole` : ""}.`,
  );
}

/** A finite value less itself is zero and any other NaN, so that one pass without a branch tells. */
function requireFiniteState(state: ReadonlyMap<string, StateTensor>, step: number, savedStep: number): void {
  for (const [name, { data }] of state) {
    let zeros = 0;
    for (const value of data) zeros += value - value;
    if (zeros === 0) continue;
    requireFinite(`tensor ${JSON.stringify(name)}`, data.find((value) => !Number.isFinite(value)) as number, step, savedStep);
  }
}

/** Node handles a signal only between turns of the event loop, and a step may be one turn. */
async function processSignals(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

/** What each batch gives; undefined where `stop` came before the end. */
async function evaluate<Batch, Sums>(
  model: Pick<SteppedModel<Batch, StepOutcome, Sums>, "evaluate">,
  batches: readonly Batch[],
  stop: AbortSignal | undefined,
): Promise<Sums[] | undefined> {
  const all: Sums[] = [];
  for (const batch of batches) {
    if (stop?.aborted === true) return undefined;
    all.push(await model.evaluate(batch));
    await processSignals();
  }
  return all;
}
