/**
 * @file A value model under training: a decoder whose score at each token of an answer predicts the score of the whole
 * answer.
 */

import { mul, reshape, sub, sumAll } from "../../autodiff/operations.ts";
import type { Node, Program } from "../../autodiff/program.ts";
import { BonsaiError } from "../../errors/bonsai-error.ts";
import type { RowSizes } from "../reward/batch.ts";
import { dropoutSeed } from "../model/dropout-seed.ts";
import { outputGradients } from "../model/gradient-program.ts";
import { openModelGraphs } from "../model/open-graphs.ts";
import { scoredDecoder, type ScoredDecoderOptions } from "../reward/decoder.ts";
import type { BuildNetwork } from "../reward/model.ts";
import type { SteppedModel, StepOutcome } from "../run/trainable-model.ts";
import { GraphModel, type TrainingGraphs } from "../model/training-graphs.ts";
import { valueArrays, type ValueBatch } from "./data.ts";

/** Sums over the tokens of answers, so that batches add up. */
export interface ValueSums {
  /** Sum of squared errors. */
  loss: number;
  labels: number;
  /** Sums of the scores and of their squares. */
  scores: number;
  squares: number;
}

/** A step; its loss is the mean squared error over the tokens of all batches. */
export interface ValueStep extends StepOutcome {
  sums: ValueSums;
}

/**
 * The weighted sum of squared errors times a scale, as the output `loss`: regression on the return that follows a
 * state, without discounting, as value functions are fitted (Schulman et al. 2017, "Proximal policy optimization
 * algorithms", equation 9, its second term).
 *
 * Inputs beside the model's: targets [N], weights [N], scale.
 * @param outputs the model's, [N, 1].
 */
export function valueLoss(program: Program, outputs: Node): Node {
  const places = outputs.shape[0]!;
  const values = reshape(outputs, [places]);
  const error = sub(values, program.input("targets", "float32", [places]));
  const loss = sumAll(mul(mul(error, error), program.input("weights", "float32", [places])));
  const scaled = mul(loss, program.input("scale", "float32", []));
  program.output("loss", scaled);
  return scaled;
}

/** Errors and files as `createTrainableDecoder`. */
export async function createValueModel(options: ScoredDecoderOptions): Promise<TrainableValueModel> {
  const { rows, length, config, seed = 0 } = options;
  const network = scoredDecoder(options, { places: rows * length, outputs: 1 });
  const graphs = await openModelGraphs(options, config, (blockSize) => {
    const build: BuildNetwork = ({ dropout }) => network.build(blockSize, dropout);
    return {
      parameters: build({ dropout: false }).parameters,
      gradients: (how) => {
        const { program, outputs, parameters } = build({ dropout: true });
        outputGradients(program, valueLoss(program, outputs), parameters, how);
        return program;
      },
      evaluation: () => {
        const { program, outputs } = build({ dropout: false });
        valueLoss(program, outputs);
        return program;
      },
      initial: network.initial,
    };
  });
  return new TrainableValueModel(graphs, { rows, length }, seed);
}

export class TrainableValueModel extends GraphModel implements SteppedModel<ValueBatch, ValueStep, ValueSums> {
  readonly #sizes: RowSizes;
  readonly #seed: number;

  constructor(graphs: TrainingGraphs, sizes: RowSizes, seed: number) {
    super(graphs);
    this.#sizes = sizes;
    this.#seed = seed;
  }

  async step(batches: readonly ValueBatch[], learningRate: number): Promise<ValueStep> {
    const labels = batches.reduce((sum, batch) => sum + batch.labels, 0);
    if (labels === 0) throw new BonsaiError("internal", "A step needs a token to train on.");
    const all: ValueSums[] = [];
    for (const [index, batch] of batches.entries()) {
      const found = { loss: new Float32Array(1) };
      const seed = dropoutSeed(this.#seed, this.graphs.steps, index);
      await this.graphs.accumulate(index, { ...this.#inputs(batch, 1 / labels), dropout_seed: seed }, found);
      all.push(sumsOf(batch, found.loss[0]!));
    }
    const sums = addValueSums(all);
    return { loss: sums.loss, gradNorm: await this.graphs.update(sums.loss, learningRate), sums };
  }

  /** The loss is the sum over the batch's tokens. */
  async evaluate(batch: ValueBatch): Promise<ValueSums> {
    const found = { loss: new Float32Array(1) };
    await this.graphs.evaluate(this.#inputs(batch, 1), found);
    return sumsOf(batch, found.loss[0]!);
  }

  #inputs(batch: ValueBatch, scale: number): ReturnType<typeof valueArrays> {
    return { ...valueArrays(batch, this.#sizes), scale: Float32Array.of(scale) };
  }
}

function sumsOf({ answers, labels }: ValueBatch, loss: number): ValueSums {
  let [scores, squares] = [0, 0];
  for (const { ids, answerStart, score } of answers) {
    scores += score * (ids.length - answerStart);
    squares += score ** 2 * (ids.length - answerStart);
  }
  return { loss, labels, scores, squares };
}

export function addValueSums(all: readonly ValueSums[]): ValueSums {
  const sum = (of: (sums: ValueSums) => number): number => all.reduce((total, sums) => total + of(sums), 0);
  return { loss: sum(({ loss }) => loss), labels: sum(({ labels }) => labels), scores: sum(({ scores }) => scores), squares: sum(({ squares }) => squares) }; // prettier-ignore
}

/** 1 - mean squared error / variance of the scores over the tokens; undefined where all scores are the same. */
export function explainedVariance(meanSquaredError: number, { labels, scores, squares }: ValueSums): number | undefined {
  const variance = squares / labels - (scores / labels) ** 2;
  return variance > 0 ? 1 - meanSquaredError / variance : undefined;
}
