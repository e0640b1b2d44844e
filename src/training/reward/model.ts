/**
 * @file A reward model under training, of any form: its programs, the inputs of its graphs, and its optimiser steps.
 */

import type { DecoderConfig } from "../../architectures/decoder/decoder-config.ts";
import { BonsaiError } from "../../errors/bonsai-error.ts";
import { comparisonArrays, tokenArrays, type ComparisonBatch, type RewardObjective } from "./batch.ts";
import { dropoutSeed } from "../model/dropout-seed.ts";
import { openModelGraphs, type BlockSizes, type ModelPrograms, type ModelTrainingOptions } from "../model/open-graphs.ts";
import { outputGradients, type GradientProgramOptions } from "../model/gradient-program.ts";
import type { Node, Program } from "../../autodiff/program.ts";
import { preferenceLoss, type ComparisonSizes } from "./loss.ts";
import { addRewardSums, rewardSums, type RewardSums } from "./metrics.ts";
import type { SteppedModel, StepOutcome } from "../run/trainable-model.ts";
import { GraphModel, type TrainingGraphs } from "../model/training-graphs.ts";
import type { Arrays } from "../model/training-session.ts";

/** A step; its loss is the mean over the labels of all batches. */
export interface RewardStep extends StepOutcome {
  sums: RewardSums;
}

/** The loss of a reward model, and the sizes of its batches. */
export interface RewardLossOptions {
  sizes: ComparisonSizes;
  objective: RewardObjective;
}

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

/** A network that gives rewards, built over blocks of frozen weights, and what its trained weights begin with. */
export interface RewardNetworkParts {
  build: (blockSize: BlockSizes, dropout: boolean) => RewardNetwork;
  initial: ModelPrograms["initial"];
}

/** @param config of a decoder. Errors and files as `createTrainableDecoder`. */
export async function openRewardModel(
  options: ModelTrainingOptions & RewardLossOptions,
  config: DecoderConfig | undefined,
  network: RewardNetworkParts,
): Promise<TrainableRewardModel> {
  const { rows, length, sizes, objective, seed = 0 } = options;
  const graphs = await openModelGraphs(options, config, (blockSize) => {
    const build: BuildNetwork = ({ dropout }) => network.build(blockSize, dropout);
    return {
      parameters: build({ dropout: false }).parameters,
      gradients: (how) => rewardGradientProgram(build, sizes, how),
      evaluation: () => rewardEvaluationProgram(build, sizes),
      initial: network.initial,
    };
  });
  return new TrainableRewardModel({
    graphs,
    sizes,
    objective,
    seed,
    arrays: (batch) => tokenArrays(batch, { rows, length }, sizes.answers),
  });
}

export interface RewardModelParts {
  graphs: TrainingGraphs;
  sizes: ComparisonSizes;
  objective: RewardObjective;
  /** What the network takes of a batch. */
  arrays: (batch: ComparisonBatch) => Arrays;
  /** Seed of dropout. */
  seed: number;
}

export class TrainableRewardModel extends GraphModel implements SteppedModel<ComparisonBatch, RewardStep, RewardSums> {
  readonly #parts: RewardModelParts;

  constructor(parts: RewardModelParts) {
    super(parts.graphs);
    this.#parts = parts;
  }

  async step(batches: readonly ComparisonBatch[], learningRate: number): Promise<RewardStep> {
    const { graphs } = this;
    const { seed } = this.#parts;
    const labels = batches.reduce((sum, batch) => sum + batch.labels, 0);
    if (labels === 0) throw new BonsaiError("internal", "A step needs a label to train on.");
    const all: RewardSums[] = [];
    for (const [index, batch] of batches.entries()) {
      const inputs = { ...this.#inputs(batch, 1 / labels), dropout_seed: dropoutSeed(seed, graphs.steps, index) };
      all.push(await this.#sums(batch, async (found) => graphs.accumulate(index, inputs, found)));
    }
    const sums = addRewardSums(all as [RewardSums, ...RewardSums[]]);
    return { loss: sums.loss, gradNorm: await graphs.update(sums.loss, learningRate), sums };
  }

  /** The loss is the sum over the batch's labels. */
  async evaluate(batch: ComparisonBatch): Promise<RewardSums> {
    const inputs = this.#inputs(batch, 1);
    return this.#sums(batch, async (found) => this.graphs.evaluate(inputs, found));
  }

  /** Raw rewards of the batch's answers by measure, [answers, M]. */
  async rewards(batch: ComparisonBatch): Promise<Float32Array<ArrayBuffer>> {
    const found = this.#found();
    await this.graphs.evaluate(this.#inputs(batch, 1), found);
    return found.rewards.slice(0, batch.answers.length * this.#parts.sizes.measures);
  }

  #inputs(batch: ComparisonBatch, scale: number): Arrays {
    const { arrays, sizes, objective } = this.#parts;
    return { ...arrays(batch), ...comparisonArrays(batch, sizes, objective), scale: Float32Array.of(scale) };
  }

  #found(): Record<"loss" | "rewards", Float32Array<ArrayBuffer>> {
    const { answers, measures } = this.#parts.sizes;
    return { loss: new Float32Array(1), rewards: new Float32Array(answers * measures) };
  }

  async #sums(
    batch: ComparisonBatch,
    run: (found: Record<"loss" | "rewards", Float32Array<ArrayBuffer>>) => Promise<void>,
  ): Promise<RewardSums> {
    const found = this.#found();
    await run(found);
    return rewardSums(batch, found.rewards, this.#parts.sizes.measures, found.loss[0]!);
  }
}
