/**
 * @file Optimisers as transformations of programs: from a weight, its gradient and moments to what they become. All
 * formulas are PyTorch's.
 */

import { add, div, mul, sqrt, sub } from "./operations.ts";
import type { Node } from "./program.ts";

/** Adam with decoupled weight decay (Loshchilov and Hutter 2019, algorithm 2), as torch.optim.AdamW. */
export interface AdamWOptions {
  kind: "adamw";
  beta1: number;
  beta2: number;
  /** Added to the square root, not under it. */
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

export interface OptimizerStep {
  learningRate: number;
  /** Counted from 1. */
  step: number;
  /** What the gradient is multiplied by: see `clipFactor`. */
  clip: number;
  /** Whether the weights are some that decay. */
  decays: boolean;
}

export function stepScalars(options: OptimizerOptions, { learningRate, step, clip, decays }: OptimizerStep): StepScalars {
  const weightDecay = decays ? options.weightDecay : 0;
  if (options.kind === "sgd") return { clip, decay: weightDecay, rate: learningRate };
  // With s = root of the second bias correction, rate mean / (root(square) / s + epsilon) is rate s mean /
  // (root(square) + s epsilon).
  const root = Math.sqrt(1 - options.beta2 ** step);
  return {
    keep: 1 - learningRate * weightDecay,
    share: (1 - options.beta1) * clip,
    // The factor multiplies the gradient, not its square: the squares of a large gradient and of a small factor may
    // each leave the range of float32, their product does not.
    rootShare: Math.sqrt(1 - options.beta2) * clip,
    rate: (learningRate * root) / (1 - options.beta1 ** step),
    margin: root * options.epsilon,
  };
}

export interface Updated {
  weight: Node;
  /** In the order of `momentNames`. */
  moments: Node[];
}

/**
 * All of one shape but the scalars. What can be computed of scalars is, since each operation here is a pass over all
 * weights.
 * @param gradient before clipping
 * @param decays as in the scalars
 * @param scalars nodes of `stepScalars`, by name
 */
export function updateWeight(
  options: OptimizerOptions,
  weight: Node,
  gradient: Node,
  moments: readonly Node[],
  decays: boolean,
  scalars: (name: string) => Node,
): Updated {
  const isDecayed = decays && options.weightDecay > 0;
  if (options.kind === "sgd") {
    const clipped = mul(gradient, scalars("clip"));
    const decayed = isDecayed ? add(clipped, mul(weight, scalars("decay"))) : clipped;
    const [buffer] = moments;
    const direction = buffer === undefined ? decayed : add(mul(buffer, options.momentum), decayed);
    return { weight: sub(weight, mul(direction, scalars("rate"))), moments: buffer === undefined ? [] : [direction] };
  }
  const [first, second] = moments as [Node, Node];
  const mean = add(mul(first, options.beta1), mul(gradient, scalars("share")));
  const scaled = mul(gradient, scalars("rootShare"));
  const square = add(mul(second, options.beta2), mul(scaled, scaled));
  const change = mul(div(mean, add(sqrt(square), scalars("margin"))), scalars("rate"));
  return { weight: sub(isDecayed ? mul(weight, scalars("keep")) : weight, change), moments: [mean, square] };
}

/**
 * The factor that brings gradients of this global norm to `maxNorm` at most, as torch.nn.utils.clip_grad_norm_ (Pascanu
 * et al. 2013).
 */
export function clipFactor(norm: number, maxNorm: number | undefined): number {
  return maxNorm === undefined ? 1 : Math.min(1, maxNorm / (norm + 1e-6));
}
