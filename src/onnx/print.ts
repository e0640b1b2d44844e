/** @file Prints a graph as one line a node, for tests that pin graphs and for people. */

import type { Attribute, Graph, ValueInfo } from "./graph.ts";

export function print(graph: Graph): string {
  const lines = [
    ...graph.inputs.map((input) => `input ${info(input)}`),
    ...graph.initializers.map((initializer) => `weight ${info(initializer)}`),
    ...graph.nodes.map((node) => {
      const attributes = Object.entries(node.attributes).map(([name, value]) => ` ${name}=${attribute(value)}`);
      const outputs = node.outputs.map((name) => (name === "" ? "_" : name)).join(", ");
      const inputs = node.inputs.map((name) => (name === "" ? "_" : name)).join(", ");
      return `${outputs} = ${node.op}(${inputs})${attributes.join("")}`;
    }),
    ...graph.outputs.map((output) => `output ${info(output)}`),
  ];
  return `${lines.join("\n")}\n`;
}

function info(value: ValueInfo): string {
  return `${value.name}: ${value.type}[${value.shape.join(", ")}]`;
}

function attribute(value: Attribute): string {
  if ("float" in value) return String(value.float);
  if ("int" in value) return String(value.int);
  if ("ints" in value) return `[${value.ints.join(", ")}]`;
  return JSON.stringify(value.string);
}
