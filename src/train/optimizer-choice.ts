/** @file The optimiser that a trainer's options choose. */

import type { OptimizerOptions } from "../autodiff/optimizers.ts";
import type { TrainingOptions } from "../config/training-options.ts";

type OptimizerChoice = Pick<TrainingOptions, "optim" | "weightDecay" | "adamBeta1" | "adamBeta2" | "adamEpsilon">;

/** SGD is plain, without momentum, as transformers' Trainer makes it of `--optim sgd`. */
export function chooseOptimizer({ optim, weightDecay, adamBeta1, adamBeta2, adamEpsilon }: OptimizerChoice): OptimizerOptions {
  if (optim === "sgd") return { kind: "sgd", momentum: 0, weightDecay };
  return { kind: "adamw", beta1: adamBeta1, beta2: adamBeta2, epsilon: adamEpsilon, weightDecay };
}
