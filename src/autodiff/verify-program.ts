/**
 * @file Checks that a program is well formed before it is lowered: every value made before its use, every shape and
 * type what its rule says.
 */

import { BonsaiError } from "../errors/bonsai-error.ts";
import type { Primitive } from "./primitive.ts";
import type { Node, Program } from "./program.ts";
import { sameShape, shapeRules, sizeOf } from "./shape-rules.ts";

const leaves: ReadonlySet<Primitive> = new Set(["input", "parameter", "weight", "full"]);

/** Throws `internal` naming the first node that is wrong. */
export function verifyProgram(program: Program): void {
  const names = new Set<string>();
  program.nodes.forEach((node, index) => {
    const what = `%${index} = ${node.primitive}`;
    if (node.index !== index || node.program !== program) fail(what, "is out of place on its tape");
    if (node.inputs.some((input) => program.nodes[input.index] !== input)) fail(what, "reads a value of another program");
    if (node.inputs.some((input) => input.index >= index)) fail(what, "reads a value before it is made");
    if (node.shape.some((size) => !Number.isSafeInteger(size) || size < 1)) fail(what, `has the shape [${node.shape.join(", ")}]`);
    if (leaves.has(node.primitive)) {
      const { name } = node.params as { name?: string };
      if (name !== undefined && names.has(name)) fail(what, `has the name "${name}" of another`);
      if (name !== undefined) names.add(name);
    } else checkTyped(node, what);
  });
  for (const { name, node } of program.outputs) {
    if (program.nodes[node.index] !== node) fail(`The output "${name}"`, "is a value of another program");
  }
}

function checkTyped<P extends Primitive>(node: Node<P>, what: string): void {
  const { type, shape } = shapeRules[node.primitive](node.inputs, node.params);
  if (type !== node.type || !sameShape(shape, node.shape) || sizeOf(shape) < 1) {
    fail(what, `claims ${node.type}[${node.shape.join(", ")}] and is ${type}[${shape.join(", ")}]`);
  }
}

function fail(what: string, reason: string): never {
  throw new BonsaiError("internal", `${what} ${reason}.`);
}
