/** @file The two programs of a reward model under training: the loss of a batch of comparisons with gradients, and loss and rewards alone. */

import type { Node, Program } from "../../autodiff/program.ts";
import { outputGradients, type GradientProgramOptions } from "../model/gradient-program.ts";
import { preferenceLoss, type ComparisonSizes } from "./loss.ts";

/** A model up to its raw outputs. */
export interface RewardNetwork {
  program: Program;
  /** [N, D]. */
  outputs: Node;
  /** Trained weights by name. */
  parameters: ReadonlyMap<string, Node>;
}

/** Builds the network anew; its inputs are its own. */
export type BuildNetwork = (options: { dropout: boolean }) => RewardNetwork;

/** Outputs loss and rewards (see `preferenceLoss`), and the gradients of all parameters. */
export function rewardGradientProgram(build: BuildNetwork, sizes: ComparisonSizes, how: GradientProgramOptions): Program {
  const { program, outputs, parameters } = build({ dropout: true });
  outputGradients(program, preferenceLoss(program, outputs, sizes), parameters, how);
  return program;
}

/** Outputs loss and rewards. */
export function rewardEvaluationProgram(build: BuildNetwork, sizes: ComparisonSizes): Program {
  const { program, outputs } = build({ dropout: false });
  preferenceLoss(program, outputs, sizes);
  return program;
}
