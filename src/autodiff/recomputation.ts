/**
 * @file Recomputation of activations (Chen et al. 2016, "Training deep nets with sublinear memory cost"): a segment's
 * inner values, made anew.
 */

import type { Primitive } from "./primitive.ts";
import type { Node, Program } from "./program.ts";

/**
 * cheap: values that one pass over inputs that are kept anyway gives back, and attention's weights, which are as many
 * as queries times keys and a hundredth of a step to make; all: every value, which is the whole forward pass again.
 */
export type RecomputationKind = "cheap" | "all";

const cheap: ReadonlySet<Primitive> = new Set(["attentionWeights", "dropoutMask", "gelu", "mul", "rmsNorm", "silu", "standardize"]);

export class Recomputation {
  readonly #program: Program;
  /** What a segment made that something outside of it reads: it is kept anyway. */
  readonly #crossing = new Set<Node>();
  readonly #again = new Map<Node, Node>();

  readonly #kind: RecomputationKind;

  /** To be made when the forward pass is complete. */
  constructor(program: Program, kind: RecomputationKind) {
    this.#program = program;
    this.#kind = kind;
    for (const node of program.nodes) {
      for (const input of node.inputs) if (input.segment !== node.segment) this.#crossing.add(input);
    }
    for (const { node } of program.outputs) this.#crossing.add(node);
  }

  /** The value itself where it is kept, else the same computed anew from what is kept. */
  again(node: Node): Node {
    if (node.segment === undefined || node.inputs.length === 0 || this.#crossing.has(node)) return node;
    if (this.#kind === "cheap" && !cheap.has(node.primitive)) return node;
    const made = this.#again.get(node);
    if (made !== undefined) return made;
    const inputs = node.inputs.map((input) => this.again(input));
    const copy = this.#program.apply(node.primitive, inputs, node.params);
    this.#again.set(node, copy);
    return copy;
  }
}
