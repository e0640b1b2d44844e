/** @file Every primitive, forward and backward, against PyTorch and against differences of its own values. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { derivativeRules } from "../../src/autodiff/derivative-rules.ts";
import { gradients } from "../../src/autodiff/gradients.ts";
import { mul, sumAll } from "../../src/autodiff/operations.ts";
import { Program } from "../../src/autodiff/program.ts";
import type { ElementArray } from "../../src/onnx/data-type.ts";
import { assertClose } from "./assert-close.ts";
import { primitiveCases, withoutDerivative } from "./primitive-cases.ts";
import { runProgram } from "./run-program.ts";

interface Golden {
  arguments: { shape: number[]; data: number[] }[];
  output: { shape: number[]; data: number[] };
  seed: number[];
  gradients: number[][];
}

const goldens = JSON.parse(readFileSync(new URL("../oracle/training/primitives.json", import.meta.url), "utf8")) as Record<string, Golden>;

/** The loss sum(seed * output), the output and the derivative by each argument. */
function build(name: string, golden: Golden): { program: Program; feeds: Record<string, ElementArray> } {
  const program = new Program();
  const feeds: Record<string, ElementArray> = {};
  const x = golden.arguments.map(({ shape, data }, at) => {
    feeds[`x${at}`] = Float32Array.from(data);
    return program.parameter(`x${at}`, shape);
  });
  let inputs = 0;
  const output = primitiveCases[name]!(
    x,
    (type, shape, data) => {
      const input = `fixed${inputs++}`;
      feeds[input] = data;
      return program.input(input, type, shape);
    },
    program,
  );
  assert.deepEqual(output.shape, golden.output.shape);
  feeds["seed"] = Float32Array.from(golden.seed);
  const loss = sumAll(mul(output, program.input("seed", "float32", output.shape)));
  program.output("loss", loss);
  program.output("output", output);
  gradients(program, loss, x).forEach((gradient, at) => program.output(`gradient${at}`, gradient));
  return { program, feeds };
}

describe("the primitive", () => {
  for (const [name, golden] of Object.entries(goldens)) {
    test(`${name} has PyTorch's values and derivatives`, async () => {
      const { program, feeds } = build(name, golden);
      const results = await runProgram(program, feeds);
      assertClose(results["output"]!, golden.output.data, 1e-5, "output");
      golden.gradients.forEach((gradient, at) => assertClose(results[`gradient${at}`]!, gradient, 2e-5, `derivative by argument ${at}`));
    });

    test(`${name} has the slope of its own values`, async () => {
      const { program, feeds } = build(name, golden);
      const { output: _, ...at } = await runProgram(program, feeds);
      // Through stopGradient the value changes and the derivative does not: that argument stays where it is.
      const moving = golden.arguments.map((__, index) => index).filter((index) => name !== "stopGradient" || index > 0);
      const direction = moving.map((index) => golden.arguments[index]!.data.map((___, element) => Math.sin(element * 2.3 + index + 1)));
      const h = 4e-3;
      const lossAt = async (step: number): Promise<number> => {
        const moved = moving.map((index, order) => {
          const data = golden.arguments[index]!.data.map((value, element) => value + step * direction[order]![element]!);
          return [`x${index}`, Float32Array.from(data)];
        });
        const results = await runProgram(program, { ...feeds, ...(Object.fromEntries(moved) as Record<string, ElementArray>) });
        return results["loss"]![0]!;
      };
      const slope = ((await lossAt(h)) - (await lossAt(-h))) / (2 * h);
      const expected = moving.reduce(
        (sum, index, order) =>
          sum + at[`gradient${index}`]!.reduce((part, value, element) => part + value * direction[order]![element]!, 0),
        0,
      );
      assertClose([slope], [expected], 4e-3, "slope");
    });
  }

  test("without a case above has no derivative", () => {
    // These are tested with what they are part of: 8-bit bases and cross-entropy.
    const covered = new Set([
      ...Object.keys(primitiveCases).map((name) => name.split(" ")[0]),
      "quantizedLinear",
      "after",
      "withGradients",
    ]);
    const missing = Object.keys(derivativeRules).filter(
      (name) => !covered.has(name) && !(withoutDerivative as readonly string[]).includes(name),
    );
    assert.deepEqual(missing, []);
  });
});
