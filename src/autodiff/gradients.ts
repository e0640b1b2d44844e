/**
 * @file Reverse mode: adds to a program the derivative of a scalar by chosen nodes, along the paths that lead there and
 * no others.
 */

import { BonsaiError } from "../errors/bonsai-error.ts";
import { derivativeRules } from "./derivative-rules.ts";
import { add, scatterAddRows } from "./operations.ts";
import type { Primitive } from "./primitive.ts";
import { isPrimitive, type Node, type Program } from "./program.ts";
import { Recomputation, type RecomputationKind } from "./recomputation.ts";
import { sameShape } from "./shape-rules.ts";

export interface GradientOptions {
  /** Which inner values of segments are computed anew instead of being kept from the forward pass; by default none. */
  recompute?: RecomputationKind | undefined;
}

/**
 * The derivative of `loss` by each of `wrt`, in their order; zeros where the loss does not depend on one.
 * Throws `internal` when the loss is no scalar.
 */
export function gradients(program: Program, loss: Node, wrt: readonly Node[], options: GradientOptions = {}): Node[] {
  if (loss.shape.length > 0) throw new BonsaiError("internal", `Only a scalar has a gradient, not [${loss.shape.join(", ")}].`);
  const wanted = new Set(wrt);
  const reaching = dependents(program, wrt);
  const recomputation = options.recompute && new Recomputation(program, options.recompute);
  const cotangents = new Map<Node, Node>();
  cotangents.set(loss, program.full(1));
  // The tape grows while it is walked back: only nodes up to the loss are visited.
  for (let index = loss.index; index >= 0; index--) {
    const node = program.nodes[index] as Node;
    const cotangent = cotangents.get(node);
    if (cotangent === undefined || !reaching.has(node)) continue;
    for (const [at, product] of productsOf(node, cotangent, recomputation).entries()) {
      const input = node.inputs[at];
      if (product === undefined || input === undefined || !reaching.has(input)) continue;
      const made = product();
      if (!sameShape(made.shape, input.shape)) {
        throw new BonsaiError(
          "internal",
          `The derivative of ${node.primitive} by input ${at} is [${made.shape.join(", ")}], not [${input.shape.join(", ")}].`,
        );
      }
      const before = cotangents.get(input);
      cotangents.set(input, before === undefined ? made : accumulated(before, made));
    }
    if (!wanted.has(node)) cotangents.delete(node);
  }
  return wrt.map((node) => cotangents.get(node) ?? program.full(0, node.shape));
}

/** The sum; rows that are scattered into zeros are scattered into what is there already. */
function accumulated(before: Node, made: Node): Node {
  const [base, indices, updates] = made.inputs;
  const isScattered = isPrimitive(made, "scatterAddRows") && isPrimitive(base!, "full") && base.params.value === 0;
  return isScattered ? scatterAddRows(before, indices!, updates!) : add(before, made);
}

/** The nodes that a derivative flows through on its way to one of `wrt`. */
function dependents(program: Program, wrt: readonly Node[]): Set<Node> {
  const found = new Set<Node>(wrt);
  for (const node of program.nodes) {
    if (node.type === "float32" && node.primitive !== "stopGradient" && node.inputs.some((input) => found.has(input))) found.add(node);
  }
  return found;
}

function productsOf<P extends Primitive>(
  node: Node<P>,
  cotangent: Node,
  recomputation: Recomputation | undefined,
): readonly ((() => Node) | undefined)[] {
  const again = (value: Node): Node => recomputation?.again(value) ?? value;
  // Values that are recomputed and that no product reads are dropped when the program is lowered.
  return derivativeRules[node.primitive](cotangent, again(node), node.inputs.map(again), node.params);
}
