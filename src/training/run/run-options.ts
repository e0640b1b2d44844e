/** @file What a run takes from a trainer's options, alike for all of them: how steps are computed, how many there are, and what is kept of them. */

import { availableParallelism } from "node:os";

import type { OptimizerOptions } from "../../autodiff/optimizers.ts";
import type { SharedTrainingOptions } from "../../config/training-command-line.ts";
import type { TrainingRunOptions } from "./training-run.ts";

/** How a step is computed. */
export function steppingOf(options: SharedTrainingOptions): {
  optimizer: OptimizerOptions;
  /** Undefined does not clip. */
  maxGradNorm: number | undefined;
  threads: number;
} {
  return {
    optimizer: optimizerOf(options),
    maxGradNorm: options.maxGradNorm === 0 ? undefined : options.maxGradNorm,
    threads: options.threads === 0 ? availableParallelism() : options.threads,
  };
}

/** How many steps a run has. */
export function totalStepsOf({ maxSteps, numTrainEpochs }: SharedTrainingOptions, stepsPerEpoch: number): number {
  return maxSteps > 0 ? maxSteps : Math.ceil(numTrainEpochs * stepsPerEpoch);
}

/** The run's schedule, and what it keeps. */
export function courseOf(
  options: SharedTrainingOptions,
  totalSteps: number,
): Pick<TrainingRunOptions, "schedule" | "outputDir" | "saveSteps" | "saveTotalLimit" | "evalSteps" | "resume"> {
  const { lrSchedulerType: type, learningRate, warmupSteps, outputDir, saveSteps, saveTotalLimit, evalSteps, resume } = options;
  return { schedule: { type, learningRate, warmupSteps, totalSteps }, outputDir, saveSteps, saveTotalLimit, evalSteps, resume };
}

/** SGD is plain, without momentum, as transformers' Trainer makes it of `--optim sgd`. */
function optimizerOf({ optim, weightDecay, adamBeta1, adamBeta2, adamEpsilon }: SharedTrainingOptions): OptimizerOptions {
  if (optim === "sgd") return { kind: "sgd", momentum: 0, weightDecay };
  return { kind: "adamw", beta1: adamBeta1, beta2: adamBeta2, epsilon: adamEpsilon, weightDecay };
}
