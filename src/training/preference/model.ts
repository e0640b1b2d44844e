/** @file A policy under training on preferences: the inputs of its graphs, and its optimiser steps. */

import { buildTrainingDecoder } from "../../architectures/training/training-decoder.ts";
import { BonsaiError } from "../../errors/bonsai-error.ts";
import { batchArrays, trainedTokens } from "../model/decoder-batch.ts";
import type { TrainableDecoderOptions } from "../model/decoder-trainable.ts";
import { dropoutSeed } from "../model/dropout-seed.ts";
import { initialOfDecoder, locateTrainedDecoder, openModelGraphs } from "../model/open-graphs.ts";
import type { PolicyBatch } from "./pair-rows.ts";
import { addPolicySums, policySums, type PolicySums } from "./metrics.ts";
import { policyEvaluationProgram, policyGradientProgram, type PolicyObjective } from "./programs.ts";
import type { SteppedModel, StepOutcome } from "../run/trainable-model.ts";
import { GraphModel, type TrainingGraphs } from "../model/training-graphs.ts";
import type { Arrays } from "../model/training-session.ts";

/** A step; its loss is the mean over the pairs of all batches. */
export interface PolicyStep extends StepOutcome {
  sums: PolicySums;
  /** Mean entropy of the predictions at the trained tokens, nats. */
  entropy: number;
  /** Share of the trained tokens that were the likeliest. */
  meanTokenAccuracy: number;
}

export interface TrainablePolicyOptions extends TrainableDecoderOptions {
  optimizer: NonNullable<TrainableDecoderOptions["optimizer"]>;
  seed: number;
  temporaryFolder: string;
  /** Most pairs of a batch. */
  pairs: number;
  objective: PolicyObjective;
}

/**
 * Errors and files as `createTrainableDecoder`. An untrained policy is its own reference: its adapter, if any, adds
 * nothing yet.
 */
export async function createTrainablePolicy(options: TrainablePolicyOptions): Promise<TrainablePolicy> {
  const { config, mode, rows, length, pairs, objective } = options;
  const weights = locateTrainedDecoder(config, options);
  const graphs = await openModelGraphs(options, config, (blockSize) => {
    const programs = { config, weights, mode, rows, length, pairs, blockSize };
    return {
      parameters: buildTrainingDecoder({ ...programs, dropout: false }).parameters,
      gradients: (how) => policyGradientProgram(programs, objective, how),
      evaluation: () => policyEvaluationProgram(programs, objective),
      initial: (weight) => initialOfDecoder(config, options, weight),
    };
  });
  return new TrainablePolicy(options, graphs);
}

type Outputs = Record<string, Float32Array<ArrayBuffer>>;

export class TrainablePolicy extends GraphModel implements SteppedModel<PolicyBatch, PolicyStep, PolicySums> {
  readonly #options: TrainablePolicyOptions;

  constructor(options: TrainablePolicyOptions, graphs: TrainingGraphs) {
    super(graphs);
    this.#options = options;
  }

  async step(batches: readonly PolicyBatch[], learningRate: number): Promise<PolicyStep> {
    const pairs = batches.reduce((sum, { labels }) => sum + labels.length, 0);
    if (pairs === 0) throw new BonsaiError("internal", "A step needs a pair to train on.");
    const meanChosenLength = batches.reduce((sum, { lengths }) => sum + chosenTokens(lengths), 0) / pairs;
    const all: PolicySums[] = [];
    let [loss, correct, entropy, tokens] = [0, 0, 0, 0];
    for (const [index, batch] of batches.entries()) {
      const seed = dropoutSeed(this.#options.seed, this.graphs.steps, index);
      const inputs = { ...this.#inputs(batch, 1 / pairs, meanChosenLength), dropout_seed: seed };
      const found = this.#outputs(["loss", "correct", "entropy"]);
      await this.graphs.accumulate(index, inputs, found);
      all.push(policySums(batch, found["log_probabilities"]!, found["loss"]![0]! * pairs, this.#options.objective));
      loss += found["loss"]![0]!;
      correct += found["correct"]![0]!;
      entropy += found["entropy"]![0]!;
      tokens += trainedTokens(batch.tokens);
    }
    return {
      loss,
      gradNorm: await this.graphs.update(loss, learningRate),
      sums: addPolicySums(all as [PolicySums, ...PolicySums[]]),
      entropy: entropy / tokens,
      meanTokenAccuracy: correct / tokens,
    };
  }

  async evaluate(batch: PolicyBatch): Promise<PolicySums> {
    const found = this.#outputs(["loss"]);
    const meanChosenLength = chosenTokens(batch.lengths) / batch.labels.length;
    await this.graphs.evaluate(this.#inputs(batch, 1, meanChosenLength), found);
    return policySums(batch, found["log_probabilities"]!, found["loss"]![0]!, this.#options.objective);
  }

  /** log pi of the batch's sequences, [2P]. */
  async logProbabilities(batch: PolicyBatch): Promise<Float32Array> {
    const found = this.#outputs([]);
    await this.graphs.evaluate(this.#inputs(batch, 1, 1), found);
    return found["log_probabilities"]!.subarray(0, batch.lengths.length);
  }

  /** The trained weights by name: views that the next step changes. */
  weights(): Arrays {
    return Object.fromEntries([...this.graphs.trainedWeights()].map(([name, { data }]) => [name, data]));
  }

  #outputs(scalars: readonly string[]): Outputs {
    const outputs: Outputs = { log_probabilities: new Float32Array(2 * this.#options.pairs) };
    for (const name of scalars) outputs[name] = new Float32Array(1);
    return outputs;
  }

  #inputs(batch: PolicyBatch, pairWeight: number, meanChosenLength: number): Arrays {
    const { rows, length, pairs: P, config } = this.#options;
    const given = batch.labels.length;
    if (given > P) throw new BonsaiError("internal", `A batch of ${given} pairs does not fit graphs for ${P}.`);
    const filled = (values: Float32Array, size: number, padding: number): Float32Array<ArrayBuffer> => {
      const all = new Float32Array(size).fill(padding);
      all.set(values);
      return all;
    };
    const sequences = new Int32Array(rows * length);
    sequences.set(batch.sequences);
    return {
      ...batchArrays(batch.tokens, { rows, length }, config),
      sequences,
      padding: new Float32Array(2 * P).fill(-1, 2 * given),
      references: filled(batch.references, 2 * P, 0),
      lengths: filled(batch.lengths, 2 * P, 1),
      mean_chosen_length: Float32Array.of(meanChosenLength),
      labels: filled(batch.labels, P, 1),
      shares: new Float32Array(P).fill(1 / given, 0, given),
      pair_weights: new Float32Array(P).fill(pairWeight, 0, given),
    };
  }
}

function chosenTokens(lengths: Float32Array): number {
  return lengths.reduce((sum, length, at) => sum + (at % 2 === 0 ? length : 0), 0);
}
