/**
 * @file A decoder with a score in place of its head: hidden states at the ends of documents, and what a reward model
 * makes of them.
 */

import * as o from "../../autodiff/operations.ts";
import type { Node, Program } from "../../autodiff/program.ts";
import { scoreTensor } from "../../formats/peft-adapter.ts";
import type { TrainingMode } from "./trained-weights.ts";
import { buildTrainingDecoderBody, type TrainingDecoderOptions } from "./training-decoder.ts";
import { norm, parametersOf } from "./training-layers.ts";

export interface TrainingRewardDecoderOptions extends TrainingDecoderOptions {
  /** Documents of a batch at most, N. */
  documents: number;
}

/**
 * The hidden state after the final norm at each document's end, [N, H]. Inputs are those of `buildTrainingDecoder` and
 * ends [N] int32, places among the B * T tokens.
 */
export function buildHiddenAtEnds(options: TrainingRewardDecoderOptions): {
  program: Program;
  hidden: Node;
  parameters: Map<string, Node>;
} {
  const { context, residual } = buildTrainingDecoderBody(options);
  const { program } = context;
  const ends = program.input("ends", "int32", [options.documents]);
  const hidden = norm(context, options.weights.finalNorm, o.gatherRows(residual, ends));
  return { program, hidden, parameters: parametersOf(context) };
}

/** The score's name in the model's own files, or in PEFT's, which keep it whole beside the factors. */
export function scoreName({ kind }: TrainingMode): string {
  return kind === "full" ? "score.weight" : scoreTensor;
}

export interface TrainingRewardDecoder {
  program: Program;
  /** [N, D]. */
  outputs: Node;
  /** Trained weights by name: the score, and the decoder's own or their factors. */
  parameters: Map<string, Node>;
}

/** hidden scoreᵀ, as transformers' …ForSequenceClassification has it: `score` [D, H] has no bias. */
export function buildTrainingRewardDecoder(options: TrainingRewardDecoderOptions & { outputs: number }): TrainingRewardDecoder {
  const { program, hidden, parameters } = buildHiddenAtEnds(options);
  const name = scoreName(options.mode);
  const score = program.parameter(name, [options.outputs, options.config.hiddenSize]);
  return { program, outputs: o.matmul(hidden, score, { transposeB: true }), parameters: new Map([...parameters, [name, score]]) };
}
