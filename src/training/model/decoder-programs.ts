/** @file The two programs of a decoder under training: loss with gradients, and loss alone. */

import { buildTrainingDecoder, type TrainingDecoderOptions } from "../../architectures/training/training-decoder.ts";
import { crossEntropy, type CrossEntropy } from "../../autodiff/cross-entropy.ts";
import type { Node, Program } from "../../autodiff/program.ts";
import { outputGradients, type GradientProgramOptions } from "./gradient-program.ts";

/**
 * What both take beside the decoder's inputs: targets int32 [B * T], and scale, what the losses of the tokens are
 * multiplied by.
 */
export type DecoderProgramOptions = Omit<TrainingDecoderOptions, "dropout">;

/**
 * Outputs loss, correct, entropy (see `CrossEntropy`) and `gradient:NAME` of each trained weight; when it accumulates,
 * it adds to `accumulated:NAME`, an input.
 */
export function gradientProgram(options: DecoderProgramOptions, how: GradientProgramOptions): Program {
  const { program, parameters, sums } = withLoss({ ...options, dropout: true }, true);
  outputGradients(program, sums.loss, parameters, how);
  return program;
}

/** Outputs loss and correct. */
export function evaluationProgram(options: DecoderProgramOptions): Program {
  return withLoss({ ...options, dropout: false }, false).program;
}

function withLoss(
  options: TrainingDecoderOptions,
  differentiated: boolean,
): { program: Program; parameters: Map<string, Node>; sums: CrossEntropy } {
  const { program, hidden, head, parameters } = buildTrainingDecoder(options);
  const targets = program.input("targets", "int32", [options.rows * options.length]);
  const sums = crossEntropy({ hidden, weight: head, targets, scale: program.input("scale", "float32", []), differentiated });
  for (const name of ["loss", "correct", ...(differentiated ? (["entropy"] as const) : [])] as const) program.output(name, sums[name]);
  return { program, parameters, sums };
}
