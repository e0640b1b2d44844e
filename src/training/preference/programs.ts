/** @file The two programs of a policy under training: loss with gradients, and loss with log-probabilities. */

import { buildTrainingDecoder, type TrainingDecoder, type TrainingDecoderOptions } from "../../architectures/training/training-decoder.ts";
import { crossEntropy, targetLogProbabilities } from "../../autodiff/cross-entropy.ts";
import { gradients } from "../../autodiff/gradients.ts";
import { gatherRows, mul, neg, reshape, scatterAddRows, slice, sumAll } from "../../autodiff/operations.ts";
import type { Node, Program } from "../../autodiff/program.ts";
import type { DecoderProgramOptions } from "../model/decoder-programs.ts";
import { outputGradients, type GradientProgramOptions } from "../model/gradient-program.ts";
import { ktoLoss, type KtoSettings } from "./kto-loss.ts";
import { mixedLoss, type PairLossSettings, type WeightedLoss } from "./losses.ts";

/**
 * What a policy is trained for: losses of pairs, or of answers that are wanted or not, each beside an answer to another
 * prompt.
 */
export type PolicyObjective =
  | { kind: "pairs"; mix: readonly WeightedLoss[]; settings: PairLossSettings }
  | { kind: "kto"; settings: KtoSettings };

export interface PolicyProgramOptions extends DecoderProgramOptions {
  /** Most pairs of a batch, P. Sequence 2p is the chosen answer of pair p, 2p + 1 the rejected one. */
  pairs: number;
}

/**
 * Outputs log_probabilities [2P], correct and entropy (see `CrossEntropy`), loss, and the gradients of all parameters.
 *
 * The loss is a function of sums over tokens, so its derivative by a sum is one number a sequence: the first pass over
 * the head finds the sums, that function is differentiated by them, and a cross-entropy whose rows are scaled by the
 * numbers has the loss's derivative, chunk by chunk.
 */
export function policyGradientProgram(options: PolicyProgramOptions, objective: PolicyObjective, how: GradientProgramOptions): Program {
  const { decoder, targets, sequences, sums } = withSums({ ...options, dropout: true });
  const { program, hidden, head, parameters } = decoder;
  const loss = policyLoss(program, sums, objective, options.pairs);
  const [derivative] = gradients(program, loss, [sums]) as [Node];
  const {
    loss: surrogate,
    correct,
    entropy,
  } = crossEntropy({
    hidden,
    weight: head,
    targets,
    scale: neg(gatherRows(derivative, sequences)),
    differentiated: true,
  });
  for (const [name, node] of Object.entries({ loss, correct, entropy })) program.output(name, node);
  outputGradients(program, surrogate, parameters, how);
  return program;
}

/** Outputs log_probabilities [2P] and loss. */
export function policyEvaluationProgram(options: PolicyProgramOptions, objective: PolicyObjective): Program {
  const { decoder, sums } = withSums({ ...options, dropout: false });
  decoder.program.output("loss", policyLoss(decoder.program, sums, objective, options.pairs));
  return decoder.program;
}

interface DecoderWithSums {
  decoder: TrainingDecoder;
  targets: Node;
  sequences: Node;
  /** log pi of each sequence, [2P, 1]. */
  sums: Node;
}

/**
 * Inputs beside the decoder's: targets int32 [B * T]; sequences int32 [B * T], the sequence of each place (any where
 * nothing is trained); padding [2P, 1], what the sums begin at: 0, and below it for sequences that are not there, so
 * that no loss sees a log-probability of 0.
 */
function withSums(options: TrainingDecoderOptions & Pick<PolicyProgramOptions, "pairs">): DecoderWithSums {
  const decoder = buildTrainingDecoder(options);
  const { program, hidden, head } = decoder;
  const places = options.rows * options.length;
  const targets = program.input("targets", "int32", [places]);
  const sequences = program.input("sequences", "int32", [places]);
  const padding = program.input("padding", "float32", [2 * options.pairs, 1]);
  const sums = scatterAddRows(padding, sequences, targetLogProbabilities({ hidden, weight: head, targets }));
  program.output("log_probabilities", reshape(sums, [2 * options.pairs]));
  return { decoder, targets, sequences, sums };
}

/**
 * The loss of a batch, a scalar.
 *
 * Inputs: references [2P], log pi_ref; pair_weights [P], what the loss of each pair is multiplied by; of losses of
 * pairs lengths [2P], tokens of the answers, and mean_chosen_length; of KTO labels and shares [P] (see `ktoLoss`).
 * @param sums log pi, [2P, 1].
 */
export function policyLoss(program: Program, sums: Node, objective: PolicyObjective, pairs: number): Node {
  const weights = program.input("pair_weights", "float32", [pairs]);
  const [first, second] = halves(sums, pairs);
  const [referenceFirst, referenceSecond] = halves(program.input("references", "float32", [2 * pairs]), pairs);
  if (objective.kind === "kto") {
    const labels = program.input("labels", "float32", [pairs]);
    const shares = program.input("shares", "float32", [pairs]);
    const answers = { answer: first, reference: referenceFirst, unmatched: second, referenceUnmatched: referenceSecond, labels, shares };
    return sumAll(mul(ktoLoss(answers, objective.settings), weights));
  }
  const [chosenLength, rejectedLength] = halves(program.input("lengths", "float32", [2 * pairs]), pairs);
  const given = {
    chosen: first,
    rejected: second,
    referenceChosen: referenceFirst,
    referenceRejected: referenceSecond,
    chosenLength,
    rejectedLength,
    meanChosenLength: program.input("mean_chosen_length", "float32", []),
  };
  return sumAll(mul(mixedLoss(objective.mix, given, objective.settings), weights));
}

/** What is of the first and of the second sequence of each pair. */
function halves(x: Node, pairs: number): [Node, Node] {
  const byPair = reshape(x, [pairs, 2]);
  const half = (at: number): Node => reshape(slice(byPair, 1, at, at + 1), [pairs]);
  return [half(0), half(1)];
}
