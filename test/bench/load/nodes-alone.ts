/**
 * @file The time of a graph's nodes when they have next to nothing to do: what ONNX Runtime takes to go from one to the
 * next.
 */

import { readFileSync } from "node:fs";
import { fromBinary } from "@bufbuild/protobuf";
import { ModelProtoSchema } from "onnx-buf";
import { Graph } from "../../../src/onnx/graph.ts";
import { writeModel } from "../../../src/onnx/write.ts";
import { loadSession, tensor } from "../../../src/runtime/session.ts";
import { medianRunMs } from "./run-time.ts";

/** Nodes of a graph's file. */
export function nodeCount(graphPath: string): number {
  return fromBinary(ModelProtoSchema, readFileSync(graphPath)).graph?.node.length ?? 0;
}

/**
 * Milliseconds of the median of `runs` runs of `count` products of one row [1, width] with a number, one after the
 * other.
 */
export async function nodesAloneMs(count: number, width: number, threads: number, runs: number): Promise<number> {
  const graph = new Graph();
  let value = graph.input("x", "float32", [1, width]);
  for (let node = 0; node < count; node++) value = graph.op("Mul", [value, graph.float(1)]);
  graph.output("y", value, "float32", [1, width]);
  // As written: a product with one would be optimised away.
  const session = await loadSession(writeModel(graph), { threads, spinning: true, asWritten: true });
  const ms = await medianRunMs(session, { x: tensor("float32", new Float32Array(width).fill(0.5), [1, width]) }, "y", runs);
  await session.dispose();
  return ms;
}
