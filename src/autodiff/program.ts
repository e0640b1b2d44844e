/**
 * @file A program under differentiation: a tape of nodes in the order of their making, each with its shape and type.
 */

import { BonsaiError } from "../errors/bonsai-error.ts";
import type { ElementType, Primitive, PrimitiveParams, Shape } from "./primitive.ts";
import { shapeRules, type Typed } from "./shape-rules.ts";

/** One value and how it is made. */
export interface Node<P extends Primitive = Primitive> extends Typed {
  readonly program: Program;
  /** Place on the tape: inputs have lower ones. */
  readonly index: number;
  readonly primitive: P;
  readonly inputs: readonly Node[];
  readonly params: PrimitiveParams[P];
  /** Whether a trained weight has a part in it. */
  readonly active: boolean;
  /** The part of the program whose values the backward pass may compute anew, if any. */
  readonly segment: number | undefined;
}

export interface ProgramOutput {
  name: string;
  node: Node;
}

export class Program {
  readonly nodes: Node[] = [];
  readonly outputs: ProgramOutput[] = [];
  #segments = 0;
  #segment: number | undefined;

  input(name: string, type: ElementType, shape: Shape): Node {
    return this.#push("input", [], { name }, { type, shape }, false);
  }

  /** A weight that is trained. */
  parameter(name: string, shape: Shape): Node {
    return this.#push("parameter", [], { name }, { type: "float32", shape }, true);
  }

  /** A weight that never changes. */
  weight(name: string, type: ElementType, shape: Shape): Node {
    return this.#push("weight", [], { name }, { type, shape }, false);
  }

  full(value: number, shape: Shape = []): Node {
    return this.#push("full", [], { value }, { type: "float32", shape }, false);
  }

  /** Adds a node. Throws `internal` naming the primitive when shapes or types do not fit. */
  apply<P extends Primitive>(primitive: P, inputs: readonly Node[], params: PrimitiveParams[P]): Node<P> {
    if (inputs.some((input) => input.program !== this)) throw new BonsaiError("internal", `${primitive} mixes values of two programs.`);
    const typed = shapeRules[primitive](inputs, params);
    const differentiable = typed.type === "float32" && primitive !== "stopGradient";
    return this.#push(primitive, inputs, params, typed, differentiable && inputs.some((input) => input.active));
  }

  output(name: string, node: Node): void {
    if (this.outputs.some((output) => output.name === name))
      throw new BonsaiError("internal", `The program has an output "${name}" already.`);
    this.outputs.push({ name, node });
  }

  /**
   * Marks what `build` adds as one part, whose inner values the backward pass may compute anew instead of keeping them.
   */
  segment<T>(build: () => T): T {
    this.#segment = this.#segments++;
    try {
      return build();
    } finally {
      this.#segment = undefined;
    }
  }

  #push<P extends Primitive>(
    primitive: P,
    inputs: readonly Node[],
    params: PrimitiveParams[P],
    { type, shape }: Typed,
    active: boolean,
  ): Node<P> {
    const index = this.nodes.length;
    const node: Node<P> = { program: this, index, primitive, inputs, params, type, shape, active, segment: this.#segment };
    this.nodes.push(node);
    return node;
  }
}

/** Whether the node is of this primitive, which tells its parameters. */
export function isPrimitive<P extends Primitive>(node: Node, primitive: P): node is Node<P> {
  return node.primitive === primitive;
}
