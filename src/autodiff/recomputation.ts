/**
 * @file Recomputation of activations (Chen et al. 2016, "Training deep nets with sublinear memory cost"): the backward
 * pass computes the inner values of a segment again instead of keeping them.
 */

import type { Primitive } from "./primitive.ts";
import type { Node, Program } from "./program.ts";

/**
 * cheap: values that one pass over kept inputs computes, and attention weights, which take much memory (queries times
 * keys) and a hundredth of a step's time; all: every value, which is the whole forward pass again.
 */
export type RecomputationKind = "cheap" | "all";

const cheap: ReadonlySet<Primitive> = new Set(["attentionWeights", "dropoutMask", "gelu", "mul", "rmsNorm", "silu", "standardize"]);

export class Recomputation {
  readonly #program: Program;
  /** Values of a segment that something outside of it reads: they are kept. */
  readonly #crossing = new Set<Node>();
  readonly #again = new Map<Node, Node>();
  readonly #kind: RecomputationKind;

  /** @param program with a complete forward pass */
  constructor(program: Program, kind: RecomputationKind) {
    this.#program = program;
    this.#kind = kind;
    for (const node of program.nodes) {
      for (const input of node.inputs) if (input.segment !== node.segment) this.#crossing.add(input);
    }
    for (const { node } of program.outputs) this.#crossing.add(node);
  }

  /** The node itself where its value is kept, else a node that computes the value again from kept ones. */
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
