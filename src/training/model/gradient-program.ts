/** @file The backward pass of a loss as outputs of its program, one for each trained weight. */

import { gradients } from "../../autodiff/gradients.ts";
import { add } from "../../autodiff/operations.ts";
import type { Node, Program } from "../../autodiff/program.ts";
import type { RecomputationKind } from "../../autodiff/recomputation.ts";

/** Prefixes of the names of gradients. */
export const gradientPrefix = { output: "gradient:", accumulated: "accumulated:" } as const;

export interface GradientProgramOptions {
  /** Which activations are computed anew instead of being kept. */
  recompute: RecomputationKind;
  /** Whether gradients are added to `accumulated:NAME`, an input. */
  accumulate: boolean;
}

/** Adds the output `gradient:NAME` of every parameter. */
export function outputGradients(
  program: Program,
  loss: Node,
  parameters: ReadonlyMap<string, Node>,
  { recompute, accumulate }: GradientProgramOptions,
): void {
  const found = gradients(program, loss, [...parameters.values()], { recompute });
  const named = [...parameters.keys()].map((name, at) => ({ name, gradient: found[at] as Node }));
  // In the order in which they become whole, so that none waits for another.
  for (const { name, gradient } of named.toSorted((a, b) => a.gradient.index - b.gradient.index)) {
    const accumulated = (): Node => program.input(`${gradientPrefix.accumulated}${name}`, "float32", gradient.shape);
    program.output(`${gradientPrefix.output}${name}`, accumulate ? add(accumulated(), gradient) : gradient);
  }
}
