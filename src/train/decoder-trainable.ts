/** @file A decoder under training: its graphs, what they are fed with, and the optimiser's step over what they give. */

import { rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DecoderConfig } from "../architectures/decoder-config.ts";
import { decoderWeightShapes, locateDecoderWeights } from "../architectures/decoder-weights.ts";
import { buildTrainingDecoder } from "../architectures/training/training-decoder.ts";
import { checkTargets, type TrainedWeight, type TrainingMode } from "../architectures/training/trained-weights.ts";
import type { OptimizerOptions } from "../autodiff/optimizers.ts";
import { BonsaiError } from "../errors/bonsai-error.ts";
import type { WeightSource } from "../formats/model-file.ts";
import { ExternalDataWriter } from "../onnx/external-data.ts";
import { batchArrays, trainedTokens } from "./decoder-batch.ts";
import { FrozenWeights, type BaseBits } from "./decoder-frozen-weights.ts";
import { initialLoraA } from "./decoder-initial-weights.ts";
import { evaluationProgram, gradientProgram } from "./decoder-programs.ts";
import { dropoutSeed } from "./dropout-seed.ts";
import type { EvaluationSums, StateTensor, TokenBatch, TrainableModel, TrainStep } from "./trainable-model.ts";
import { inGraphFolder } from "./run-folder.ts";
import { TrainingGraphs } from "./training-graphs.ts";
import type { Arrays } from "./training-session.ts";

export interface TrainableDecoderOptions {
  config: DecoderConfig;
  /** Read while this is made, and not after. */
  weights: WeightSource;
  /** Of the model, as errors name it. */
  path: string;
  /** Rows of a batch at most, and their length. */
  rows: number;
  length: number;
  mode: TrainingMode;
  /** Default: AdamW with PyTorch's betas and epsilon and no decay. */
  optimizer?: OptimizerOptions;
  /** Largest global norm of a step's gradient; by default it is not clipped. */
  maxGradNorm?: number | undefined;
  threads: number;
  /**
   * Compute all activations of a layer anew in the backward pass: less memory, about a third more time. By default, false, only those that cost
   * next to nothing are.
   */
  recompute?: boolean;
  /** Bits of the frozen linear layers under LoRA; default 32. */
  baseBits?: BaseBits;
  /** Of LoRA's first weights and of dropout; default 0. */
  seed?: number;
  /** Where the folder of graphs and frozen weights is made; default: the system's own. */
  temporaryFolder?: string;
}

const defaultOptimizer: OptimizerOptions = { kind: "adamw", beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0 };

/**
 * Throws `invalid_model_file` for weights that are not the config's, `usage` for LoRA targets that the model has not. Graphs and frozen weights
 * lie in a temporary folder until `dispose`.
 */
export async function createTrainableDecoder(options: TrainableDecoderOptions): Promise<TrainableModel> {
  return inGraphFolder(options.temporaryFolder ?? tmpdir(), async (folder) => TrainableDecoder.open(options, folder));
}

class TrainableDecoder implements TrainableModel {
  readonly #options: TrainableDecoderOptions;
  readonly #folder: string;
  readonly #data: ExternalDataWriter;
  readonly #graphs: TrainingGraphs;

  private constructor(options: TrainableDecoderOptions, folder: string, data: ExternalDataWriter, graphs: TrainingGraphs) {
    this.#options = options;
    this.#folder = folder;
    this.#data = data;
    this.#graphs = graphs;
  }

  static async open(options: TrainableDecoderOptions, folder: string): Promise<TrainableDecoder> {
    const { config, weights: source, path, mode, rows, length, threads, maxGradNorm, recompute = false, baseBits = 32 } = options;
    const weights = locateDecoderWeights(config, source, path);
    if (mode.kind === "lora") checkTargets(mode.lora, weights);
    const data = new ExternalDataWriter(join(folder, "weights.bin"));
    const frozen = new FrozenWeights(config, source, data, mode.kind === "lora" ? baseBits : 32);
    const programs = { config, weights, mode, rows, length, blockSize: (module: string) => frozen.blockSize(module) };
    const { parameters } = buildTrainingDecoder({ ...programs, dropout: false });
    const graphs = await TrainingGraphs.open({
      folder,
      threads,
      trained: [...parameters].map(([name, { shape }]): TrainedWeight => ({ name, shape })),
      initial: (weight) => initialValues(options, weight),
      optimizer: options.optimizer ?? defaultOptimizer,
      maxGradNorm,
      gradients: (accumulate) => gradientProgram(programs, { recompute: recompute ? "all" : "cheap", accumulate }),
      evaluation: () => evaluationProgram(programs),
      weights: { fileName: data.fileName, data: (name) => frozen.locate(name) },
    });
    return new TrainableDecoder(options, folder, data, graphs);
  }

  async step(batches: readonly TokenBatch[], learningRate: number): Promise<TrainStep> {
    const tokens = batches.reduce((sum, batch) => sum + trainedTokens(batch), 0);
    if (tokens === 0) throw new BonsaiError("internal", "A step needs a token to train on.");
    const sums = { loss: 0, correct: 0, entropy: 0 };
    for (const [index, batch] of batches.entries()) {
      const seed = dropoutSeed(this.#options.seed ?? 0, this.#graphs.steps, index);
      const inputs = { ...this.#arrays(batch), scale: Float32Array.of(1 / tokens), dropout_seed: seed };
      await adding(sums, async (found) => this.#graphs.accumulate(index, inputs, found));
    }
    return {
      loss: sums.loss,
      gradNorm: await this.#graphs.update(sums.loss, learningRate),
      trainedTokens: tokens,
      meanTokenAccuracy: sums.correct / tokens,
      entropy: sums.entropy / tokens,
    };
  }

  async evaluate(batch: TokenBatch): Promise<EvaluationSums> {
    const sums = { loss: 0, correct: 0 };
    await adding(sums, async (found) => this.#graphs.evaluate({ ...this.#arrays(batch), scale: Float32Array.of(1) }, found));
    return { loss: sums.loss, correct: sums.correct, trainedTokens: trainedTokens(batch) };
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

  async dispose(): Promise<void> {
    try {
      await this.#graphs.dispose();
    } finally {
      this.#data.close();
      rmSync(this.#folder, { recursive: true, force: true });
    }
  }

  #arrays(batch: TokenBatch): Arrays {
    return batchArrays(batch, this.#options, this.#options.config);
  }
}

/** Adds what a run of a graph finds. */
async function adding<Name extends string>(
  sums: Record<Name, number>,
  run: (found: Record<Name, Float32Array<ArrayBuffer>>) => Promise<void>,
): Promise<void> {
  const names = Object.keys(sums) as Name[];
  const found = Object.fromEntries(names.map((name) => [name, new Float32Array(1)])) as Record<Name, Float32Array<ArrayBuffer>>;
  await run(found);
  for (const name of names) sums[name] += found[name][0] as number;
}

/** The model's own weights; of LoRA's factors A is drawn and B is zero. */
function initialValues({ config, weights, mode, seed = 0 }: TrainableDecoderOptions, { name, shape }: TrainedWeight): Float32Array {
  if (mode.kind === "full" || decoderWeightShapes(config).has(name)) return weights.readFloat32(name);
  const [rows, columns] = shape as [number, number];
  return name.endsWith(".lora_A.weight") ? initialLoraA(seed, name, rows, columns) : new Float32Array(rows * columns);
}
