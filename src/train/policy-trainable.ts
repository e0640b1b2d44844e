/** @file A policy under training on preferences: its graphs, what they are fed with, and the optimiser's step over what they give. */

import { join } from "node:path";
import { decoderWeightShapes, locateDecoderWeights } from "../architectures/decoder-weights.ts";
import { buildTrainingDecoder } from "../architectures/training/training-decoder.ts";
import { checkTargets, type TrainedWeight } from "../architectures/training/trained-weights.ts";
import { BonsaiError } from "../errors/bonsai-error.ts";
import { ExternalDataWriter } from "../onnx/external-data.ts";
import { batchArrays, trainedTokens } from "./decoder-batch.ts";
import { FrozenWeights } from "./decoder-frozen-weights.ts";
import { initialLoraA } from "./decoder-initial-weights.ts";
import type { TrainableDecoderOptions } from "./decoder-trainable.ts";
import { dropoutSeed } from "./dropout-seed.ts";
import type { PolicyBatch } from "./policy-batch.ts";
import { addPolicySums, policySums, type PolicySums } from "./policy-metrics.ts";
import { policyEvaluationProgram, policyGradientProgram, type PolicyObjective } from "./policy-programs.ts";
import type { StateTensor, SteppedModel, StepOutcome } from "./trainable-model.ts";
import { inGraphFolder } from "./run-folder.ts";
import { TrainingGraphs } from "./training-graphs.ts";
import type { Arrays } from "./training-session.ts";

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

/** Errors and files as `createTrainableDecoder`. A policy that was just made is its own reference: the model's weights, or the base under an adapter that adds nothing. */
export async function createTrainablePolicy(options: TrainablePolicyOptions): Promise<TrainablePolicy> {
  return inGraphFolder(options.temporaryFolder, async (folder, release) => openIn(folder, options, release));
}

async function openIn(folder: string, options: TrainablePolicyOptions, release: () => void): Promise<TrainablePolicy> {
  const { config, weights: source, mode, rows, length, pairs, objective, threads, recompute = false, baseBits = 32 } = options;
  const weights = locateDecoderWeights(config, source, options.path);
  if (mode.kind === "lora") checkTargets(mode.lora, weights);
  const data = new ExternalDataWriter(join(folder, "weights.bin"));
  const frozen = new FrozenWeights(config, source, data, mode.kind === "lora" ? baseBits : 32);
  const programs = { config, weights, mode, rows, length, pairs, blockSize: (module: string) => frozen.blockSize(module) };
  const { parameters } = buildTrainingDecoder({ ...programs, dropout: false });
  const graphs = await TrainingGraphs.open({
    folder,
    threads,
    trained: [...parameters].map(([name, { shape }]): TrainedWeight => ({ name, shape })),
    initial: (weight) => initialValues(options, weight),
    optimizer: options.optimizer,
    maxGradNorm: options.maxGradNorm,
    gradients: (accumulate) => policyGradientProgram(programs, objective, { recompute: recompute ? "all" : "cheap", accumulate }),
    evaluation: () => policyEvaluationProgram(programs, objective),
    weights: { fileName: data.fileName, data: (name) => frozen.locate(name) },
  });
  return new TrainablePolicy(options, graphs, () => {
    data.close();
    release();
  });
}

type Outputs = Record<string, Float32Array<ArrayBuffer>>;

export class TrainablePolicy implements SteppedModel<PolicyBatch, PolicyStep, PolicySums> {
  readonly #options: TrainablePolicyOptions;
  readonly #graphs: TrainingGraphs;
  readonly #release: () => void;

  constructor(options: TrainablePolicyOptions, graphs: TrainingGraphs, release: () => void) {
    this.#options = options;
    this.#graphs = graphs;
    this.#release = release;
  }

  async step(batches: readonly PolicyBatch[], learningRate: number): Promise<PolicyStep> {
    const pairs = batches.reduce((sum, { labels }) => sum + labels.length, 0);
    if (pairs === 0) throw new BonsaiError("internal", "A step needs a pair to train on.");
    const meanChosenLength = batches.reduce((sum, { lengths }) => sum + chosenTokens(lengths), 0) / pairs;
    const all: PolicySums[] = [];
    let [loss, correct, entropy, tokens] = [0, 0, 0, 0];
    for (const [index, batch] of batches.entries()) {
      const seed = dropoutSeed(this.#options.seed, this.#graphs.steps, index);
      const inputs = { ...this.#inputs(batch, 1 / pairs, meanChosenLength), dropout_seed: seed };
      const found = this.#outputs(["loss", "correct", "entropy"]);
      await this.#graphs.accumulate(index, inputs, found);
      all.push(policySums(batch, found["log_probabilities"]!, found["loss"]![0]! * pairs, this.#options.objective));
      loss += found["loss"]![0]!;
      correct += found["correct"]![0]!;
      entropy += found["entropy"]![0]!;
      tokens += trainedTokens(batch.tokens);
    }
    return {
      loss,
      gradNorm: await this.#graphs.update(loss, learningRate),
      sums: addPolicySums(all as [PolicySums, ...PolicySums[]]),
      entropy: entropy / tokens,
      meanTokenAccuracy: correct / tokens,
    };
  }

  async evaluate(batch: PolicyBatch): Promise<PolicySums> {
    const found = this.#outputs(["loss"]);
    const meanChosenLength = chosenTokens(batch.lengths) / batch.labels.length;
    await this.#graphs.evaluate(this.#inputs(batch, 1, meanChosenLength), found);
    return policySums(batch, found["log_probabilities"]!, found["loss"]![0]!, this.#options.objective);
  }

  /** log pi of the batch's sequences, [2P]. */
  async logProbabilities(batch: PolicyBatch): Promise<Float32Array> {
    const found = this.#outputs([]);
    await this.#graphs.evaluate(this.#inputs(batch, 1, 1), found);
    return found["log_probabilities"]!.subarray(0, batch.lengths.length);
  }

  trainedWeights(): ReadonlyMap<string, StateTensor> {
    return this.#graphs.trainedWeights();
  }

  state(): ReadonlyMap<string, StateTensor> {
    return this.#graphs.state();
  }

  restore(state: ReadonlyMap<string, StateTensor>): void {
    this.#graphs.restore(state);
  }

  /** The trained weights by name: views that the next step changes. */
  weights(): Arrays {
    return Object.fromEntries([...this.#graphs.trainedWeights()].map(([name, { data }]) => [name, data]));
  }

  async dispose(): Promise<void> {
    try {
      await this.#graphs.dispose();
    } finally {
      this.#release();
    }
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

/** The model's own weights; of LoRA's factors A is drawn and B is zero. */
function initialValues({ config, weights, mode, seed }: TrainablePolicyOptions, { name, shape }: TrainedWeight): Float32Array {
  if (mode.kind === "full" || decoderWeightShapes(config).has(name)) return weights.readFloat32(name);
  const [rows, columns] = shape as [number, number];
  return name.endsWith(".lora_A.weight") ? initialLoraA(seed, name, rows, columns) : new Float32Array(rows * columns);
}
