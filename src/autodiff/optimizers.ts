/** @file Optimisers as transformations of programs: from a weight, its gradient and moments to what they become. All formulas are PyTorch's. */

import { add, div, mul, sqrt, sub } from "./operations.ts";
import type { Node } from "./program.ts";

/** Adam with decoupled weight decay (Loshchilov and Hutter 2019, algorithm 2), as torch.optim.AdamW. */
export interface AdamWOptions {
  kind: "adamw";
  beta1: number;
  beta2: number;
  /** Outside of the root. */
  epsilon: number;
  /** Applies to matrices alone: vectors (norms, biases) do not decay, as in transformers' Trainer. */
  weightDecay: number;
}

/** torch.optim.SGD without dampening. */
export interface SgdOptions {
  kind: "sgd";
  momentum: number;
  weightDecay: number;
}

export type OptimizerOptions = AdamWOptions | SgdOptions;

/** Names of what an optimiser remembers of each weight, as torch.optim has them. */
export function momentNames(options: OptimizerOptions): readonly string[] {
  if (options.kind === "adamw") return ["exp_avg", "exp_avg_sq"];
  return options.momentum === 0 ? [] : ["momentum_buffer"];
}

/** Scalars of one step that its graph is fed with, by name. */
export type StepScalars = Readonly<Record<string, number>>;

/** @param step counted from 1 */
export function stepScalars(options: OptimizerOptions, learningRate: number, step: number, decays: boolean): StepScalars {
  const weightDecay = decays ? options.weightDecay : 0;
  if (options.kind === "sgd") return { decay: weightDecay, rate: learningRate };
  return {
    keep: 1 - learningRate * weightDecay,
    rate: learningRate / (1 - options.beta1 ** step),
    root: Math.sqrt(1 - options.beta2 ** step),
  };
}

export interface Updated {
  weight: Node;
  /** In the order of `momentNames`. */
  moments: Node[];
}

/**
 * All of one shape but the scalars.
 * @param scalars nodes of `stepScalars`, by name
 */
export function updateWeight(
  options: OptimizerOptions,
  weight: Node,
  gradient: Node,
  moments: readonly Node[],
  scalars: (name: string) => Node,
): Updated {
  if (options.kind === "sgd") {
    const decayed = add(gradient, mul(weight, scalars("decay")));
    const [buffer] = moments;
    const direction = buffer === undefined ? decayed : add(mul(buffer, options.momentum), decayed);
    return { weight: sub(weight, mul(direction, scalars("rate"))), moments: buffer === undefined ? [] : [direction] };
  }
  const [first, second] = moments as [Node, Node];
  const mean = add(first, mul(sub(gradient, first), 1 - options.beta1));
  const square = add(mul(second, options.beta2), mul(mul(gradient, gradient), 1 - options.beta2));
  const denominator = add(div(sqrt(square), scalars("root")), options.epsilon);
  const kept = mul(weight, scalars("keep"));
  return { weight: sub(kept, mul(div(mean, denominator), scalars("rate"))), moments: [mean, square] };
}

/** The factor that brings gradients of this global norm to `maxNorm` at most, as torch.nn.utils.clip_grad_norm_ (Pascanu et al. 2013). */
export function clipFactor(norm: number, maxNorm: number | undefined): number {
  return maxNorm === undefined ? 1 : Math.min(1, maxNorm / (norm + 1e-6));
}
