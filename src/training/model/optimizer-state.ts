/** @file Weights, gradients and moments under training, updated slice by slice by one small graph. */

import type { TrainedWeight } from "../../architectures/training/trained-weights.ts";
import { clipFactor, momentNames, stepScalars, updateWeight, type OptimizerOptions } from "../../autodiff/optimizers.ts";
import { Program } from "../../autodiff/program.ts";
import { BonsaiError } from "../../errors/bonsai-error.ts";
import type { StateTensor } from "../run/trainable-model.ts";
import { ArenaLayout } from "./optimizer-arena.ts";
import { TrainingSession } from "./training-session.ts";

/** Values of a slice: a megabyte in each of its arrays, so that one step's arrays stay in the cache. */
const longestSlice = 2 ** 18;

/** Weights that decay, or those that do not. */
interface Group {
  decays: boolean;
  layout: ArenaLayout;
  weights: Float32Array<ArrayBuffer>;
  gradients: Float32Array<ArrayBuffer>;
  moments: Float32Array<ArrayBuffer>[];
  session: TrainingSession;
}

const stepName = "step";

export class OptimizerState {
  readonly #options: OptimizerOptions;
  readonly #trained: readonly TrainedWeight[];
  readonly #groups: readonly Group[];
  readonly #groupOf = new Map<string, Group>();
  #step = 0;

  private constructor(options: OptimizerOptions, trained: readonly TrainedWeight[], groups: readonly Group[]) {
    this.#options = options;
    this.#trained = trained;
    this.#groups = groups;
    for (const weight of trained) {
      const group = groups.find(({ decays }) => decays === hasDecay(weight));
      if (group !== undefined) this.#groupOf.set(weight.name, group);
    }
  }

  /** All weights zero, no step taken. @param folder where graphs are written */
  static async open(
    options: OptimizerOptions,
    trained: readonly TrainedWeight[],
    folder: string,
    threads: number,
  ): Promise<OptimizerState> {
    const groups: Group[] = [];
    for (const decays of [true, false]) {
      const members = trained.filter((weight) => hasDecay(weight) === decays);
      if (members.length === 0) continue;
      const layout = new ArenaLayout(members, longestSlice);
      const name = decays ? "update-matrices" : "update-vectors";
      const session = await TrainingSession.open(updateProgram(options, decays, layout.sliceLength), { folder, name, threads });
      const moments = momentNames(options).map(() => layout.allocate());
      groups.push({ decays, layout, weights: layout.allocate(), gradients: layout.allocate(), moments, session });
    }
    return new OptimizerState(options, trained, groups);
  }

  /** Steps taken. */
  get steps(): number {
    return this.#step;
  }

  /** The weight's own values, not a copy. */
  weight(name: string): Float32Array<ArrayBuffer> {
    const { layout, weights } = this.#group(name);
    return layout.view(weights, name);
  }

  /** Where the weight's gradient is to be written before `update`. */
  gradient(name: string): Float32Array<ArrayBuffer> {
    const { layout, gradients } = this.#group(name);
    return layout.view(gradients, name);
  }

  /** Euclidean norm of all gradients. */
  gradientNorm(): number {
    return Math.sqrt(this.#groups.reduce((sum, { gradients }) => sum + sumOfSquares(gradients), 0));
  }

  /** One step with the gradients, of the given norm, brought to `maxNorm` at most. */
  async update(learningRate: number, norm: number, maxNorm: number | undefined): Promise<void> {
    this.#step++;
    const clip = clipFactor(norm, maxNorm);
    for (const { decays, layout, weights, gradients, moments, session } of this.#groups) {
      const scalars = Object.entries(stepScalars(this.#options, { learningRate, step: this.#step, clip, decays }));
      const fixed = Object.fromEntries(scalars.map(([name, value]) => [name, Float32Array.of(value)]));
      for (let at = 0; at < layout.slices; at++) {
        const weight = layout.slice(weights, at);
        const remembered = moments.map((moment, index) => [`moment${index}`, layout.slice(moment, at)] as const);
        const changed = [["weight", weight] as const, ...remembered];
        const outputs = Object.fromEntries(changed.map(([name, array]) => [`new_${name}`, array]));
        await session.run({ ...fixed, ...Object.fromEntries(changed), gradient: layout.slice(gradients, at) }, outputs);
      }
    }
  }

  /** Weights by name: views that the next step changes. */
  trainedWeights(): Map<string, StateTensor> {
    return new Map(this.#trained.map(({ name, shape }) => [name, { shape, data: this.weight(name) }]));
  }

  /** Weights, moments by `exp_avg.NAME` and the like, and the count of steps: views that the next step changes. */
  tensors(): Map<string, StateTensor> {
    const all = this.trainedWeights();
    momentNames(this.#options).forEach((moment, index) => {
      for (const { name, shape } of this.#trained) {
        const { layout, moments } = this.#group(name);
        all.set(`${moment}.${name}`, { shape, data: layout.view(moments[index]!, name) });
      }
    });
    // Two halves, each exact in float32.
    return all.set(stepName, { shape: [2], data: Float32Array.of(this.#step % 2 ** 20, Math.floor(this.#step / 2 ** 20)) });
  }

  /** Throws `invalid_model_file` naming the tensor that is missing or of another shape, before anything is changed. */
  restore(state: ReadonlyMap<string, StateTensor>): void {
    const wanted = this.tensors();
    for (const [name, { shape }] of wanted) {
      const found = state.get(name)?.shape.join(", ");
      if (found === shape.join(", ")) continue;
      const problem = found === undefined ? "is missing" : `has the shape [${found}], not [${shape.join(", ")}]`;
      throw new BonsaiError("invalid_model_file", `The training state does not fit the model: the tensor "${name}" ${problem}.`);
    }
    for (const [name, { data }] of wanted) data.set(state.get(name)!.data);
    const [low, high] = state.get(stepName)!.data as unknown as [number, number];
    this.#step = low + high * 2 ** 20;
  }

  async dispose(): Promise<void> {
    for (const { session } of this.#groups) await session.dispose();
  }

  #group(name: string): Group {
    const group = this.#groupOf.get(name);
    if (group === undefined) throw new BonsaiError("internal", `"${name}" is not trained.`);
    return group;
  }
}

function hasDecay({ shape }: TrainedWeight): boolean {
  return shape.length > 1;
}

function updateProgram(options: OptimizerOptions, decays: boolean, length: number): Program {
  const program = new Program();
  const vector = (name: string): ReturnType<Program["input"]> => program.input(name, "float32", [length]);
  const scalar = (name: string): ReturnType<Program["input"]> => program.input(name, "float32", []);
  const moments = momentNames(options).map((_, index) => vector(`moment${index}`));
  const updated = updateWeight(options, vector("weight"), vector("gradient"), moments, decays, scalar);
  program.output("new_weight", updated.weight);
  updated.moments.forEach((moment, index) => program.output(`new_moment${index}`, moment));
  return program;
}

/** In float64 and four sums, so that no order of threads has a say in it. */
function sumOfSquares(values: Float32Array): number {
  let [a, b, c, d] = [0, 0, 0, 0];
  // Lengths are multiples of the alignment.
  for (let at = 0; at < values.length; at += 4) {
    a += (values[at] as number) ** 2;
    b += (values[at + 1] as number) ** 2;
    c += (values[at + 2] as number) ** 2;
    d += (values[at + 3] as number) ** 2;
  }
  return a + b + c + d;
}
