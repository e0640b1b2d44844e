/** @file The part of a program that its outputs need. */

import type { Node, Program } from "./program.ts";

/** In the order of the tape. */
export function liveNodes(program: Program): Node[] {
  const live = new Set<Node>();
  const visit = program.outputs.map((output) => output.node);
  for (let node = visit.pop(); node !== undefined; node = visit.pop()) {
    if (live.has(node)) continue;
    live.add(node);
    for (const input of node.inputs) visit.push(input);
  }
  return program.nodes.filter((node) => live.has(node));
}
