/** @file Runs a program as the training does, by lowering it to ONNX, with everything inline. */

import { lowerProgram } from "../../src/autodiff/lower-program.ts";
import type { Program } from "../../src/autodiff/program.ts";
import { BonsaiError } from "../../src/errors/bonsai-error.ts";
import type { ElementArray } from "../../src/onnx/data-type.ts";
import { writeModel } from "../../src/onnx/write.ts";
import { InferenceSession, Tensor } from "../../src/runtime/onnx-runtime.ts";

/** What inputs, parameters and weights are, by name. */
export type Feeds = Readonly<Record<string, ElementArray>>;

/** The outputs by name, flat. Feeds that the outputs do not need are ignored. */
export async function runProgram(program: Program, feeds: Feeds): Promise<Record<string, number[]>> {
  const of = (name: string): ElementArray => {
    const data = feeds[name];
    if (data === undefined) throw new BonsaiError("internal", `The test gives no "${name}".`);
    return data;
  };
  const graph = lowerProgram(program, (name) => ({ kind: "inline", data: of(name) }));
  const session = await InferenceSession.create(writeModel(graph), {
    graphOptimizationLevel: "disabled",
    intraOpNumThreads: 1,
    logSeverityLevel: 3,
  });
  const tensors = graph.inputs.map(({ name, type, shape }) => [
    name,
    new Tensor(type as "float32", of(name) as Float32Array, shape as number[]),
  ]);
  const outputs = await session.run(Object.fromEntries(tensors) as Record<string, Tensor>);
  await session.release();
  return Object.fromEntries(
    Object.entries(outputs).map(([name, { data }]) => [name, Array.from(data as ArrayLike<number | bigint>, Number)]),
  );
}
