/** @file Optimisers and clipping against PyTorch. */

import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { clipFactor, momentNames, stepScalars, updateWeight, type OptimizerOptions } from "../../src/autodiff/optimizers.ts";
import { Program } from "../../src/autodiff/program.ts";
import { assertClose } from "./assert-close.ts";
import { runProgram, type Feeds } from "./run-program.ts";

interface Golden {
  start: number[];
  gradients: number[][];
  end: number[];
}

const goldens = JSON.parse(readFileSync(new URL("../oracle/training/optimizers.json", import.meta.url), "utf8")) as Record<string, Golden>;

/** As in the script. */
const optimizers: Record<string, OptimizerOptions> = {
  adamw: { kind: "adamw", beta1: 0.9, beta2: 0.99, epsilon: 1e-6, weightDecay: 0.1 },
  sgd: { kind: "sgd", momentum: 0, weightDecay: 0.1 },
  "sgd with momentum": { kind: "sgd", momentum: 0.9, weightDecay: 0.1 },
};
const learningRate = 0.01;
const maxNorm = 4;

describe("the optimiser", () => {
  for (const [name, options] of Object.entries(optimizers)) {
    test(`${name} takes PyTorch's clipped steps`, async () => {
      const { start, gradients, end } = goldens[name]!;
      const program = new Program();
      const vector = (input: string): ReturnType<Program["input"]> => program.input(input, "float32", [start.length]);
      const scalar = (input: string): ReturnType<Program["input"]> => program.input(input, "float32", []);
      const moments = momentNames(options).map(vector);
      const updated = updateWeight(options, vector("weight"), vector("gradient"), moments, true, scalar);
      program.output("new weight", updated.weight);
      updated.moments.forEach((moment, at) => program.output(`new ${momentNames(options)[at]}`, moment));
      let state: Record<string, number[]> = { weight: start };
      for (const moment of momentNames(options)) state[moment] = start.map(() => 0);
      for (const [step, gradient] of gradients.entries()) {
        const clip = clipFactor(Math.hypot(...gradient), maxNorm);
        const scalars = stepScalars(options, { learningRate, step: step + 1, clip, decays: true });
        const feeds: Feeds = Object.fromEntries([
          ...Object.entries({ ...state, gradient }).map(([input, values]) => [input, Float32Array.from(values)]),
          ...Object.entries(scalars).map(([input, value]) => [input, Float32Array.of(value)]),
        ]) as Feeds;
        const results = await runProgram(program, feeds);
        state = Object.fromEntries(Object.entries(results).map(([output, values]) => [output.slice("new ".length), values]));
      }
      assertClose(state["weight"]!, end, 1e-6, "weight");
    });
  }
});
