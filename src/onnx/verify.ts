/**
 * @file Checks that a graph is well formed before it is written: every value defined once and before its use, every
 * output made.
 */

import { BonsaiError } from "../errors/bonsai-error.ts";
import { elementBytes, type ElementType } from "./data-type.ts";
import type { Graph } from "./graph.ts";

/**
 * Throws `internal` naming the first value that breaks static single assignment, topological order or its declared
 * size.
 */
export function verify(graph: Graph): void {
  const defined = new Set<string>();
  const define = (name: string, by: string): void => {
    if (defined.has(name)) throw new BonsaiError("internal", `${by} defines "${name}" a second time.`);
    defined.add(name);
  };
  for (const input of graph.inputs) define(input.name, "An input");
  for (const initializer of graph.initializers) {
    define(initializer.name, "An initializer");
    const bytes = byteLength(initializer.type, initializer.shape);
    const given = initializer.data.kind === "inline" ? initializer.data.data.byteLength : initializer.data.length;
    if (bytes !== given) {
      throw new BonsaiError(
        "internal",
        `Initializer "${initializer.name}" of shape [${initializer.shape.join(", ")}] needs ${bytes} bytes, not ${given}.`,
      );
    }
  }
  for (const node of graph.nodes) {
    for (const input of node.inputs) {
      if (input !== "" && !defined.has(input)) throw new BonsaiError("internal", `${node.op} reads "${input}" before it is defined.`);
    }
    for (const output of node.outputs) if (output !== "") define(output, node.op);
  }
  for (const output of graph.outputs) {
    if (!defined.has(output.name)) throw new BonsaiError("internal", `The output "${output.name}" is never made.`);
  }
}

function byteLength(type: ElementType, shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, elementBytes[type]);
}
