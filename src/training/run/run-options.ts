/**
 * @file What every run takes from a trainer's options: how steps are computed, how many there are, the longest row, and
 * the order of rows.
 */

import { availableParallelism } from "node:os";

import type { OptimizerOptions } from "../../autodiff/optimizers.ts";
import type { SharedTrainingOptions } from "../../config/training-command-line.ts";
import { BonsaiError } from "../../errors/bonsai-error.ts";
import type { DataOrderOptions } from "./data-order.ts";
import type { LoopOptions } from "./training-loop.ts";

/** How a step is computed. */
export interface Stepping {
  optimizer: OptimizerOptions;
  /** Largest norm of a step's gradient; undefined does not clip. */
  maxGradNorm: number | undefined;
  threads: number;
}

export function steppingOf(options: SharedTrainingOptions): Stepping {
  return {
    optimizer: optimizerOf(options),
    maxGradNorm: options.maxGradNorm === 0 ? undefined : options.maxGradNorm,
    threads: options.threads === 0 ? availableParallelism() : options.threads,
  };
}

/** Longest row where neither the option nor the model's context says otherwise; TRL's default. */
const defaultMaxLength = 1024;

/**
 * Most tokens of a row, or of an answer with its prompt.
 * @param contextLength most tokens that the model reads
 * @throws BonsaiError `usage` for a length that the model does not have.
 */
export function maxLengthOf({ maxLength }: Pick<SharedTrainingOptions, "maxLength">, contextLength: number): number {
  if (maxLength > contextLength) {
    const problem = `--max-length ${maxLength} is more than the model's context of ${contextLength} tokens.`;
    throw new BonsaiError("usage", problem, { param: "--max-length" });
  }
  return maxLength === 0 ? Math.min(defaultMaxLength, contextLength) : maxLength;
}

/** In which order rows are trained on. */
export function rowOrderOf(options: SharedTrainingOptions): Omit<DataOrderOptions, "rows"> {
  const { batchSize, gradientAccumulationSteps: accumulationSteps, seed, shuffle } = options;
  return { batchSize, accumulationSteps, seed, shuffle };
}

/** Steps of a run. */
export function totalStepsOf({ maxSteps, numTrainEpochs }: SharedTrainingOptions, stepsPerEpoch: number): number {
  return maxSteps > 0 ? maxSteps : Math.ceil(numTrainEpochs * stepsPerEpoch);
}

/** The schedule of a run, and what it keeps. */
export function loopOptions(
  options: SharedTrainingOptions,
  totalSteps: number,
): Pick<LoopOptions<never, never, never>, "schedule" | "outputDir" | "saveSteps" | "saveTotalLimit" | "evalSteps" | "resume"> {
  const { lrSchedulerType: type, learningRate, warmupSteps, outputDir, saveSteps, saveTotalLimit, evalSteps, resume } = options;
  return { schedule: { type, learningRate, warmupSteps, totalSteps }, outputDir, saveSteps, saveTotalLimit, evalSteps, resume };
}

/** SGD is plain, without momentum, as transformers' Trainer makes it of `--optim sgd`. */
function optimizerOf({ optim, weightDecay, adamBeta1, adamBeta2, adamEpsilon }: SharedTrainingOptions): OptimizerOptions {
  if (optim === "sgd") return { kind: "sgd", momentum: 0, weightDecay };
  return { kind: "adamw", beta1: adamBeta1, beta2: adamBeta2, epsilon: adamEpsilon, weightDecay };
}
