/**
 * @file A builder of ONNX graphs: named values, nodes in topological order, initializers in memory or in an external
 * file.
 */

import { BonsaiError } from "../errors/bonsai-error.ts";
import type { Dimension, ElementArray, ElementType } from "./data-type.ts";

/** The name of a value: a graph input, an initializer or a node's output. */
export type Value = string & { readonly __brand: "onnx.Value" };

/** Attribute values by their ONNX kind: float and floats must be told apart from integers. */
export type Attribute = { float: number } | { int: number } | { ints: readonly number[] } | { string: string };

export interface GraphNode {
  op: string;
  /** "" is ONNX's own operator set, "com.microsoft" ONNX Runtime's contributed one. */
  domain: "" | "com.microsoft";
  inputs: Value[];
  /** An empty name is an optional output that is not wanted. */
  outputs: Value[];
  attributes: Record<string, Attribute>;
}

export interface ValueInfo {
  name: Value;
  type: ElementType;
  shape: readonly Dimension[];
}

/** Where an initializer's bytes are: here, or in the file that the model's folder holds. */
export type InitializerData = { kind: "inline"; data: ElementArray } | { kind: "external"; offset: number; length: number };

export interface Initializer extends ValueInfo {
  shape: readonly number[];
  data: InitializerData;
}

const none = "" as Value;

export class Graph {
  readonly nodes: GraphNode[] = [];
  readonly inputs: ValueInfo[] = [];
  readonly outputs: ValueInfo[] = [];
  readonly initializers: Initializer[] = [];
  /** Shapes of values that ONNX Runtime cannot infer. */
  readonly declared = new Map<Value, ValueInfo>();
  readonly #producers = new Map<Value, GraphNode>();
  readonly #readers = new Map<Value, GraphNode[]>();
  readonly #names = new Set<string>();
  readonly #scalars = new Map<string, Value>();
  #counter = 0;

  input(name: string, type: ElementType, shape: readonly Dimension[]): Value {
    const value = this.#claim(name);
    this.inputs.push({ name: value, type, shape });
    return value;
  }

  /** Gives `value` a second, public name. */
  output(name: string, value: Value, type: ElementType, shape: readonly Dimension[]): void {
    const alias = this.#claim(name);
    const producer = this.#producers.get(value);
    const taken = this.outputs.some((output) => output.name === value);
    if (producer === undefined || taken) {
      this.#add({ op: "Identity", domain: "", inputs: [value], outputs: [alias], attributes: {} });
    } else {
      const readers = this.#readers.get(value) ?? [];
      producer.outputs[producer.outputs.indexOf(value)] = alias;
      for (const node of readers) node.inputs = node.inputs.map((input) => (input === value ? alias : input));
      this.#producers.set(alias, producer);
      this.#readers.set(alias, readers);
      this.#producers.delete(value);
      this.declared.delete(value);
    }
    this.outputs.push({ name: alias, type, shape });
  }

  /**
   * States the type and shape of a node's output where ONNX Runtime cannot infer it. Equal names of dimensions must be
   * equal sizes in every run: buffers are reused by them.
   */
  declare(value: Value, type: ElementType, shape: readonly Dimension[]): Value {
    this.declared.set(value, { name: value, type, shape });
    return value;
  }

  initializer(name: string, type: ElementType, shape: readonly number[], data: InitializerData): Value {
    const value = this.#claim(name);
    this.initializers.push({ name: value, type, shape, data });
    return value;
  }

  /** A small constant that travels inside the model. */
  constant(type: ElementType, shape: readonly number[], data: ElementArray): Value {
    return this.initializer(this.#fresh("const"), type, shape, { kind: "inline", data });
  }

  /** A value that several parts of a graph use, made by the first of them. */
  once(key: string, make: () => Value): Value {
    return this.#shared(`once ${key}`, make);
  }

  /** A float32 scalar; equal ones are one. */
  float(value: number): Value {
    return this.#shared(`f${value}`, () => this.constant("float32", [], Float32Array.of(value)));
  }

  /** A vector of int64, as shapes, axes and split sizes are given; equal ones are one. */
  int64s(...values: readonly number[]): Value {
    return this.#shared(`i${values.join()}`, () => this.constant("int64", [values.length], BigInt64Array.from(values, BigInt)));
  }

  /** Adds a node with one output. */
  op(
    op: string,
    inputs: readonly (Value | undefined)[],
    attributes: Record<string, Attribute> = {},
    domain: GraphNode["domain"] = "",
  ): Value {
    const [output] = this.ops(op, inputs, 1, attributes, domain);
    return output as Value;
  }

  /** Adds a node; `outputs` counts its outputs or says, by false, which of them are not wanted. */
  ops(
    op: string,
    inputs: readonly (Value | undefined)[],
    outputs: number | readonly boolean[],
    attributes: Record<string, Attribute> = {},
    domain: GraphNode["domain"] = "",
  ): Value[] {
    const wanted = typeof outputs === "number" ? Array.from({ length: outputs }, () => true) : outputs;
    const names = wanted.map((want) => (want ? this.#claim(this.#fresh(op)) : none));
    this.#add({ op, domain, inputs: inputs.map((input) => input ?? none), outputs: names.slice(), attributes });
    return names;
  }

  #add(node: GraphNode): void {
    this.nodes.push(node);
    for (const output of node.outputs) this.#producers.set(output, node);
    for (const input of node.inputs) {
      const readers = this.#readers.get(input);
      if (readers === undefined) this.#readers.set(input, [node]);
      else readers.push(node);
    }
  }

  /** Adds a node of ONNX Runtime's contributed operators. */
  microsoft(op: string, inputs: readonly (Value | undefined)[], attributes: Record<string, Attribute> = {}): Value {
    return this.op(op, inputs, attributes, "com.microsoft");
  }

  #shared(key: string, make: () => Value): Value {
    const existing = this.#scalars.get(key);
    if (existing !== undefined) return existing;
    const value = make();
    this.#scalars.set(key, value);
    return value;
  }

  #fresh(stem: string): string {
    return `${stem}_${this.#counter++}`;
  }

  #claim(name: string): Value {
    if (name === "" || this.#names.has(name)) throw new BonsaiError("internal", `The graph already has a value named "${name}".`);
    this.#names.add(name);
    return name as Value;
  }
}
