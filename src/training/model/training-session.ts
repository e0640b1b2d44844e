/** @file Runs a program of fixed shapes: inputs are plain arrays, and outputs are written into given arrays. */

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { lowerProgram } from "../../autodiff/lower-program.ts";
import type { Program } from "../../autodiff/program.ts";
import { BonsaiError } from "../../errors/bonsai-error.ts";
import type { ElementArray } from "../../onnx/data-type.ts";
import type { InitializerData, ValueInfo } from "../../onnx/graph.ts";
import { onDisk } from "../../formats/written-file.ts";
import { writeModel } from "../../onnx/write.ts";
import { loadSession, tensor, type Session, type Tensor } from "../../runtime/session.ts";

export interface TrainingSessionOptions {
  /** Where the graph is written; the file of its weights lies there too. */
  folder: string;
  /** Name of the graph's file, without its extension. */
  name: string;
  /** The file of weights, and where in it each is, where the program has any. */
  weights?: { fileName: string; data: (name: string) => InitializerData };
  threads: number;
}

/** Arrays by the names of inputs and outputs. */
export type Arrays = Readonly<Record<string, ElementArray>>;

type MakeTensor = (data: ElementArray) => Tensor;

export class TrainingSession {
  readonly #session: Session;
  readonly #inputs: ReadonlyMap<string, MakeTensor>;
  readonly #outputs: ReadonlyMap<string, MakeTensor>;

  private constructor(session: Session, inputs: ReadonlyMap<string, MakeTensor>, outputs: ReadonlyMap<string, MakeTensor>) {
    this.#session = session;
    this.#inputs = inputs;
    this.#outputs = outputs;
  }

  static async open(program: Program, options: TrainingSessionOptions): Promise<TrainingSession> {
    const { folder, name, weights, threads } = options;
    const noWeights = (weight: string): never => {
      throw new BonsaiError("internal", `The program "${name}" reads the weight "${weight}" and was given none.`);
    };
    const graph = lowerProgram(program, weights?.data ?? noWeights);
    const path = join(folder, `${name}.onnx`);
    onDisk(path, () => writeFileSync(path, writeModel(graph, weights?.fileName, "reversed")));
    const session = await loadSession(path, { threads, spinning: true, asWritten: true });
    return new TrainingSession(session, makers(graph.inputs), makers(graph.outputs));
  }

  /**
   * Runs once. Inputs that the graph does not read are ignored. `outputs` are written in place at the end, and may be
   * inputs too.
   */
  async run(inputs: Arrays, outputs: Arrays): Promise<void> {
    const feeds: Record<string, Tensor> = {};
    for (const [name, make] of this.#inputs) {
      const data = inputs[name];
      if (data === undefined) throw new BonsaiError("internal", `A training graph was not given its input "${name}".`);
      feeds[name] = make(data);
    }
    const targets: Record<string, Tensor> = {};
    for (const [name, data] of Object.entries(outputs)) targets[name] = this.#outputs.get(name)!(data);
    await this.#session.run(feeds, targets);
  }

  async dispose(): Promise<void> {
    await this.#session.dispose();
  }
}

function makers(values: readonly ValueInfo[]): Map<string, MakeTensor> {
  return new Map(values.map(({ name, type, shape }) => [name, (data) => tensor(type, data, shape as number[])]));
}
