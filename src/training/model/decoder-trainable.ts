/** @file A language model under training: the inputs of its graphs, and its optimiser steps. */

import type { DecoderConfig } from "../../architectures/decoder/decoder-config.ts";
import { buildTrainingDecoder } from "../../architectures/training/training-decoder.ts";
import { BonsaiError } from "../../errors/bonsai-error.ts";
import { batchArrays, trainedTokens } from "./decoder-batch.ts";
import { evaluationProgram, gradientProgram } from "./decoder-programs.ts";
import { dropoutSeed } from "./dropout-seed.ts";
import { initialOfDecoder, locateTrainedDecoder, openModelGraphs, type ModelTrainingOptions } from "./open-graphs.ts";
import type { EvaluationSums, TokenBatch, TrainableModel, TrainStep } from "../run/trainable-model.ts";
import { GraphModel, type TrainingGraphs } from "./training-graphs.ts";
import type { Arrays } from "./training-session.ts";

export interface TrainableDecoderOptions extends ModelTrainingOptions {
  config: DecoderConfig;
}

/**
 * Throws `invalid_model_file` for weights that are not the config's, `usage` for LoRA targets that the model has not.
 * Graphs and frozen weights lie in a temporary folder until `dispose`.
 */
export async function createTrainableDecoder(options: TrainableDecoderOptions): Promise<TrainableModel> {
  const { config, mode, rows, length } = options;
  const weights = locateTrainedDecoder(config, options);
  const graphs = await openModelGraphs(options, config, (blockSize) => {
    const programs = { config, weights, mode, rows, length, blockSize };
    return {
      parameters: buildTrainingDecoder({ ...programs, dropout: false }).parameters,
      gradients: (how) => gradientProgram(programs, how),
      evaluation: () => evaluationProgram(programs),
      initial: (weight) => initialOfDecoder(config, options, weight),
    };
  });
  return new TrainableDecoder(options, graphs);
}

class TrainableDecoder extends GraphModel implements TrainableModel {
  readonly #options: TrainableDecoderOptions;

  constructor(options: TrainableDecoderOptions, graphs: TrainingGraphs) {
    super(graphs);
    this.#options = options;
  }

  async step(batches: readonly TokenBatch[], learningRate: number): Promise<TrainStep> {
    const tokens = batches.reduce((sum, batch) => sum + trainedTokens(batch), 0);
    if (tokens === 0) throw new BonsaiError("internal", "A step needs a token to train on.");
    const sums = { loss: 0, correct: 0, entropy: 0 };
    for (const [index, batch] of batches.entries()) {
      const seed = dropoutSeed(this.#options.seed ?? 0, this.graphs.steps, index);
      const inputs = { ...this.#arrays(batch), scale: Float32Array.of(1 / tokens), dropout_seed: seed };
      await addOutputs(sums, async (found) => this.graphs.accumulate(index, inputs, found));
    }
    return {
      loss: sums.loss,
      gradNorm: await this.graphs.update(sums.loss, learningRate),
      trainedTokens: tokens,
      meanTokenAccuracy: sums.correct / tokens,
      entropy: sums.entropy / tokens,
    };
  }

  async evaluate(batch: TokenBatch): Promise<EvaluationSums> {
    const sums = { loss: 0, correct: 0 };
    await addOutputs(sums, async (found) => this.graphs.evaluate({ ...this.#arrays(batch), scale: Float32Array.of(1) }, found));
    return { loss: sums.loss, correct: sums.correct, trainedTokens: trainedTokens(batch) };
  }

  #arrays(batch: TokenBatch): Arrays {
    return batchArrays(batch, this.#options, this.#options.config);
  }
}

/** Adds the scalar outputs of a run to `sums`. */
async function addOutputs<Name extends string>(
  sums: Record<Name, number>,
  run: (found: Record<Name, Float32Array<ArrayBuffer>>) => Promise<void>,
): Promise<void> {
  const names = Object.keys(sums) as Name[];
  const found = Object.fromEntries(names.map((name) => [name, new Float32Array(1)])) as Record<Name, Float32Array<ArrayBuffer>>;
  await run(found);
  for (const name of names) sums[name] += found[name][0] as number;
}
