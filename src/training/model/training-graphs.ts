/**
 * @file Weights under training and the graphs of their gradients, which add up over batches before an optimiser step.
 */

import type { TrainedWeight } from "../../architectures/training/trained-weights.ts";
import type { OptimizerOptions } from "../../autodiff/optimizers.ts";
import type { Program } from "../../autodiff/program.ts";
import { gradientPrefix } from "./gradient-program.ts";
import { OptimizerState } from "./optimizer-state.ts";
import type { StateTensor } from "../run/trainable-model.ts";
import { TrainingSession, type Arrays, type TrainingSessionOptions } from "./training-session.ts";

export interface TrainingGraphsOptions {
  /** Where graphs are written, and where the file of frozen weights lies. */
  folder: string;
  threads: number;
  trained: readonly TrainedWeight[];
  /** The values that a weight begins with. */
  initial: (weight: TrainedWeight) => Float32Array;
  optimizer: OptimizerOptions;
  /** Largest global norm of a step's gradient; undefined never scales it down. */
  maxGradNorm: number | undefined;
  /** Gives `gradient:NAME` of every trained weight; when it accumulates, added to `accumulated:NAME`. */
  gradients: (accumulate: boolean) => Program;
  evaluation: () => Program;
  /** The frozen weights, if the programs read any. */
  weights?: TrainingSessionOptions["weights"];
  /** Called once the graphs are disposed: removes their files. */
  release: () => void;
}

type GraphName = "gradients" | "more-gradients" | "evaluation";

export class TrainingGraphs {
  readonly #options: TrainingGraphsOptions;
  readonly #optimizer: OptimizerState;
  readonly #names: readonly string[];
  readonly #sessions = new Map<GraphName, Promise<TrainingSession>>();

  private constructor(options: TrainingGraphsOptions, optimizer: OptimizerState) {
    this.#options = options;
    this.#optimizer = optimizer;
    this.#names = options.trained.map(({ name }) => name);
  }

  static async open(options: TrainingGraphsOptions): Promise<TrainingGraphs> {
    const { optimizer, trained, folder, threads } = options;
    const state = await OptimizerState.open(optimizer, trained, folder, threads);
    for (const weight of trained) state.weight(weight.name).set(options.initial(weight));
    const graphs = new TrainingGraphs(options, state);
    await graphs.#session("gradients");
    return graphs;
  }

  /** Steps taken. */
  get steps(): number {
    return this.#optimizer.steps;
  }

  /**
   * Runs forward and backward over a batch.
   * @param index of the batch within its step: the gradients of the first one replace those that are there.
   * @param outputs what else is to be written; see `TrainingSession.run`.
   */
  async accumulate(index: number, inputs: Arrays, outputs: Arrays): Promise<void> {
    const session = await this.#session(index === 0 ? "gradients" : "more-gradients");
    const gradient = (name: string): Float32Array<ArrayBuffer> => this.#optimizer.gradient(name);
    const accumulated = index === 0 ? {} : this.#named(gradientPrefix.accumulated, gradient);
    await session.run({ ...this.#weights(), ...inputs, ...accumulated }, { ...this.#named(gradientPrefix.output, gradient), ...outputs });
  }

  /**
   * One step of the optimiser along what was accumulated, whose loss is given.
   * @returns the norm of the gradient before clipping. Where loss or norm is not finite, nothing changes.
   */
  async update(loss: number, learningRate: number): Promise<number> {
    const norm = this.#optimizer.gradientNorm();
    // A NaN would spoil every weight: the weights stay, and the caller sees the NaN in the result.
    if (Number.isFinite(loss) && Number.isFinite(norm)) await this.#optimizer.update(learningRate, norm, this.#options.maxGradNorm);
    return norm;
  }

  async evaluate(inputs: Arrays, outputs: Arrays): Promise<void> {
    const session = await this.#session("evaluation");
    await session.run({ ...this.#weights(), ...inputs }, outputs);
  }

  /** Weights by name: views that the next step changes. */
  trainedWeights(): ReadonlyMap<string, StateTensor> {
    return this.#optimizer.trainedWeights();
  }

  /** See `TrainableModel`. */
  state(): ReadonlyMap<string, StateTensor> {
    return this.#optimizer.tensors();
  }

  /** See `TrainableModel`. */
  restore(state: ReadonlyMap<string, StateTensor>): void {
    this.#optimizer.restore(state);
  }

  async dispose(): Promise<void> {
    // A session whose opening failed has thrown already.
    const opened = await Promise.allSettled(this.#sessions.values());
    try {
      for (const session of opened) if (session.status === "fulfilled") await session.value.dispose();
      this.#sessions.clear();
      await this.#optimizer.dispose();
    } finally {
      this.#options.release();
    }
  }

  /** Opens the session on its first use: a run that never accumulates or evaluates pays for neither. */
  async #session(name: GraphName): Promise<TrainingSession> {
    const existing = this.#sessions.get(name);
    if (existing !== undefined) return existing;
    const { folder, threads, weights, evaluation, gradients } = this.#options;
    const program = name === "evaluation" ? evaluation() : gradients(name === "more-gradients");
    const opened = TrainingSession.open(program, { folder, name, threads, ...(weights === undefined ? {} : { weights }) });
    this.#sessions.set(name, opened);
    return opened;
  }

  #weights(): Arrays {
    return this.#named("", (name) => this.#optimizer.weight(name));
  }

  #named(prefix: string, array: (name: string) => Float32Array<ArrayBuffer>): Record<string, Float32Array<ArrayBuffer>> {
    return Object.fromEntries(this.#names.map((name) => [`${prefix}${name}`, array(name)]));
  }
}

/** The base of all models under training: their weights and optimiser lie in training graphs. See `SteppedModel`. */
export abstract class GraphModel {
  protected readonly graphs: TrainingGraphs;

  constructor(graphs: TrainingGraphs) {
    this.graphs = graphs;
  }

  trainedWeights(): ReadonlyMap<string, StateTensor> {
    return this.graphs.trainedWeights();
  }

  state(): ReadonlyMap<string, StateTensor> {
    return this.graphs.state();
  }

  restore(state: ReadonlyMap<string, StateTensor>): void {
    this.graphs.restore(state);
  }

  async dispose(): Promise<void> {
    await this.graphs.dispose();
  }
}
