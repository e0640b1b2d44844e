/** @file A decoder under training: its graphs, what they are fed with, and the optimiser's step over what they give. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DecoderConfig } from "../architectures/decoder-config.ts";
import { decoderWeightShapes, locateDecoderWeights } from "../architectures/decoder-weights.ts";
import { buildTrainingDecoder } from "../architectures/training/training-decoder.ts";
import { checkTargets, type TrainedWeight, type TrainingMode } from "../architectures/training/trained-weights.ts";
import type { OptimizerOptions } from "../autodiff/optimizers.ts";
import { philox4x32 } from "../engine/random.ts";
import { BonsaiError } from "../errors/bonsai-error.ts";
import type { WeightSource } from "../formats/model-file.ts";
import { ExternalDataWriter } from "../onnx/external-data.ts";
import { batchArrays, trainedTokens } from "./decoder-batch.ts";
import { FrozenWeights, type BaseBits } from "./decoder-frozen-weights.ts";
import { initialLoraA } from "./decoder-initial-weights.ts";
import { evaluationProgram, gradientPrefix, gradientProgram, type DecoderProgramOptions } from "./decoder-programs.ts";
import { OptimizerState } from "./optimizer-state.ts";
import { TrainingSession, type Arrays } from "./training-session.ts";
import type { EvaluationSums, StateTensor, TokenBatch, TrainableModel, TrainStep } from "./trainable-model.ts";

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
  const folder = mkdtempSync(join(options.temporaryFolder ?? tmpdir(), "bonsai-training-"));
  try {
    return await TrainableDecoder.open(options, folder);
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    throw error;
  }
}

/** Makes a session of a program. */
type OpenSession = (name: string, program: () => ReturnType<typeof gradientProgram>) => Promise<TrainingSession>;

class TrainableDecoder implements TrainableModel {
  readonly #options: TrainableDecoderOptions;
  readonly #folder: string;
  readonly #optimizer: OptimizerState;
  readonly #names: readonly string[];
  readonly #open: OpenSession;
  readonly #programs: DecoderProgramOptions;
  readonly #sessions = new Map<string, Promise<TrainingSession>>();
  readonly #data: ExternalDataWriter;

  private constructor(
    options: TrainableDecoderOptions,
    folder: string,
    optimizer: OptimizerState,
    trained: readonly TrainedWeight[],
    programs: DecoderProgramOptions,
    data: ExternalDataWriter,
    open: OpenSession,
  ) {
    this.#options = options;
    this.#folder = folder;
    this.#optimizer = optimizer;
    this.#names = trained.map(({ name }) => name);
    this.#programs = programs;
    this.#data = data;
    this.#open = open;
  }

  static async open(options: TrainableDecoderOptions, folder: string): Promise<TrainableDecoder> {
    const { config, weights: source, path, mode, rows, length, threads, baseBits = 32, optimizer = defaultOptimizer } = options;
    const weights = locateDecoderWeights(config, source, path);
    if (mode.kind === "lora") checkTargets(mode.lora, weights);
    const data = new ExternalDataWriter(join(folder, "weights.bin"));
    const frozen = new FrozenWeights(config, source, data, mode.kind === "lora" ? baseBits : 32);
    const programs = { config, weights, mode, rows, length, blockSize: (module: string) => frozen.blockSize(module) };
    const { parameters } = buildTrainingDecoder({ ...programs, dropout: false });
    const trained = [...parameters].map(([name, { shape }]): TrainedWeight => ({ name, shape }));
    const state = await OptimizerState.open(optimizer, trained, folder, threads);
    for (const weight of trained) state.weight(weight.name).set(initialValues(options, weight));
    const weightFile = { fileName: data.fileName, data: (name: string) => frozen.locate(name) };
    const open: OpenSession = async (name, program) => TrainingSession.open(program(), { folder, name, threads, weights: weightFile });
    const decoder = new TrainableDecoder(options, folder, state, trained, programs, data, open);
    await decoder.#session("gradients");
    return decoder;
  }

  async step(batches: readonly TokenBatch[], learningRate: number): Promise<TrainStep> {
    const { config, maxGradNorm } = this.#options;
    const tokens = batches.reduce((sum, batch) => sum + trainedTokens(batch), 0);
    if (tokens === 0) throw new BonsaiError("internal", "A step needs a token to train on.");
    const scale = Float32Array.of(1 / tokens);
    const sums = { loss: 0, correct: 0, entropy: 0 };
    const gradients = this.#named(gradientPrefix.output, (name) => this.#optimizer.gradient(name));
    for (const [index, batch] of batches.entries()) {
      const session = await this.#session(index === 0 ? "gradients" : "more-gradients");
      const inputs = { ...batchArrays(batch, this.#programs, config), scale, dropout_seed: this.#dropoutSeed(index) };
      const sofar = index === 0 ? {} : this.#named(gradientPrefix.sofar, (name) => this.#optimizer.gradient(name));
      await this.#run(session, { ...inputs, ...sofar }, gradients, sums);
    }
    const gradNorm = this.#optimizer.gradientNorm();
    // What is no number would spoil every weight: the caller is told by the result, and the weights stay.
    if (Number.isFinite(sums.loss) && Number.isFinite(gradNorm)) await this.#optimizer.update(learningRate, gradNorm, maxGradNorm);
    return {
      loss: sums.loss,
      gradNorm,
      trainedTokens: tokens,
      meanTokenAccuracy: sums.correct / tokens,
      entropy: sums.entropy / tokens,
    };
  }

  async evaluate(batch: TokenBatch): Promise<EvaluationSums> {
    const session = await this.#session("evaluation");
    const sums = { loss: 0, correct: 0, entropy: 0 };
    const inputs = { ...batchArrays(batch, this.#programs, this.#options.config), scale: Float32Array.of(1) };
    await this.#run(session, inputs, {}, sums);
    return { loss: sums.loss, correct: sums.correct, trainedTokens: trainedTokens(batch) };
  }

  trainedWeights(): ReadonlyMap<string, StateTensor> {
    return this.#optimizer.trainedWeights();
  }

  state(): ReadonlyMap<string, StateTensor> {
    return this.#optimizer.tensors();
  }

  restore(state: ReadonlyMap<string, StateTensor>): void {
    this.#optimizer.restore(state);
  }

  async dispose(): Promise<void> {
    try {
      // One whose opening failed has told so already.
      const opened = await Promise.allSettled(this.#sessions.values());
      for (const session of opened) if (session.status === "fulfilled") await session.value.dispose();
      this.#sessions.clear();
      await this.#optimizer.dispose();
    } finally {
      this.#data.close();
      rmSync(this.#folder, { recursive: true, force: true });
    }
  }

  /** Opened when it is needed first: a run that never accumulates or evaluates pays for neither. */
  async #session(name: "gradients" | "more-gradients" | "evaluation"): Promise<TrainingSession> {
    const existing = this.#sessions.get(name);
    if (existing !== undefined) return existing;
    const { recompute = false } = this.#options;
    const opened = this.#open(name, () =>
      name === "evaluation"
        ? evaluationProgram(this.#programs)
        : gradientProgram(this.#programs, { recompute: recompute ? "all" : "cheap", accumulate: name === "more-gradients" }),
    );
    this.#sessions.set(name, opened);
    return opened;
  }

  async #run(
    session: TrainingSession,
    inputs: Arrays,
    outputs: Arrays,
    sums: Record<"loss" | "correct" | "entropy", number>,
  ): Promise<void> {
    const found = { loss: new Float32Array(1), correct: new Float32Array(1), entropy: new Float32Array(1) };
    const weights = this.#named("", (name) => this.#optimizer.weight(name));
    await session.run({ ...weights, ...inputs }, { ...outputs, ...found });
    for (const name of ["loss", "correct", "entropy"] as const) sums[name] += found[name][0] as number;
  }

  #named(prefix: string, array: (name: string) => Float32Array<ArrayBuffer>): Record<string, Float32Array<ArrayBuffer>> {
    return Object.fromEntries(this.#names.map((name) => [`${prefix}${name}`, array(name)]));
  }

  /** A hash of the run's seed, the step and the batch within it: two words. */
  #dropoutSeed(batch: number): Int32Array<ArrayBuffer> {
    const { seed = 0 } = this.#options;
    const [first, second] = philox4x32([this.#optimizer.steps, batch, 0, 0xd20], [seed >>> 0, Math.floor(seed / 2 ** 32)]);
    return Int32Array.of(first, second);
  }
}

/** The model's own weights; of LoRA's factors A is drawn and B is zero. */
function initialValues({ config, weights, mode, seed = 0 }: TrainableDecoderOptions, { name, shape }: TrainedWeight): Float32Array {
  if (mode.kind === "full" || decoderWeightShapes(config).has(name)) return weights.readFloat32(name);
  const [rows, columns] = shape as [number, number];
  return name.endsWith(".lora_A.weight") ? initialLoraA(seed, name, rows, columns) : new Float32Array(rows * columns);
}
