/** @file Prints a program as one line a node, for tests that pin derivatives and for people. */

import { liveNodes } from "./live-nodes.ts";
import type { Node, Program } from "./program.ts";

/** What its outputs need, numbered anew. */
export function printProgram(program: Program): string {
  const numbers = new Map<Node, number>();
  const lines: string[] = [];
  const name = (node: Node): string => `%${numbers.get(node) ?? "?"}`;
  for (const node of liveNodes(program)) {
    numbers.set(node, numbers.size);
    const params = Object.entries(node.params).map(([key, value]) => ` ${key}=${shown(value)}`);
    const type = `${node.type}[${node.shape.join(", ")}]`;
    lines.push(`${name(node)} = ${node.primitive}(${node.inputs.map(name).join(", ")})${params.join("")}: ${type}`);
  }
  for (const output of program.outputs) lines.push(`${output.name} = ${name(output.node)}`);
  return `${lines.join("\n")}\n`;
}

function shown(value: unknown): string {
  return Array.isArray(value) ? `[${value.join(", ")}]` : String(value);
}
