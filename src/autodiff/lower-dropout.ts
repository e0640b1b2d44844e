/**
 * @file A dropout mask in integer arithmetic of the graph: a hash of seed, stream and place, so that it is the same
 * wherever and whenever it is made.
 */

import type { Graph, Value } from "../onnx/graph.ts";
import type { PrimitiveParams } from "./primitive.ts";

/**
 * Odd, with bits that look random: Weyl steps of rows and columns (Steele et al. 2014 and Knuth), and what tells
 * streams apart.
 */
const rowStep = 0x9e3779b1 | 0;
const columnStep = 0x85ebca6b | 0;
const streamStep = 0xc2b2ae35 | 0;

/**
 * Each place starts as a point of a Weyl sequence and goes through x (2 x + 1) mod 2^32 three times: the permutation
 * that mixes RC6 (Rivest et al. 1998), whose upper bits depend on all lower ones. The seed's second word enters
 * between. A comparison looks at the upper bits first.
 */
export function lowerDropoutMask(graph: Graph, seed: Value, { rate, stream, shape }: PrimitiveParams["dropoutMask"]): Value {
  const [rows, columns] = shape as [number, number];
  const integer = (value: number): Value => graph.once(`int32 ${value}`, () => graph.constant("int32", [], Int32Array.of(value)));
  const word = (at: number): Value =>
    graph.once(`seed ${at}`, () =>
      graph.op("Reshape", [graph.op("Slice", [seed, graph.int64s(at), graph.int64s(at + 1)]), graph.int64s()]),
    );
  const weyl = (length: number, step: number, dimensions: number[]): Value =>
    graph.once(`weyl ${length} ${step}`, () =>
      graph.constant(
        "int32",
        dimensions,
        Int32Array.from({ length }, (_, at) => Math.imul(at + 1, step)),
      ),
    );
  const mixed = (x: Value): Value => graph.op("Mul", [x, graph.op("Add", [graph.op("Add", [x, x]), integer(1)])]);
  const start = graph.op("Add", [word(0), integer(Math.imul(stream + 1, streamStep))]);
  const row = mixed(graph.op("Add", [weyl(rows, rowStep, [rows, 1]), start]));
  const place = graph.op("Add", [row, weyl(columns, columnStep, [1, columns])]);
  const hash = mixed(graph.op("Add", [mixed(place), word(1)]));
  const threshold = Math.round((rate - 0.5) * 2 ** 32);
  const isKept = graph.op("GreaterOrEqual", [hash, integer(Math.min(threshold, 2 ** 31 - 1))]);
  return graph.op("Where", [isKept, graph.float(1 / (1 - rate)), graph.float(0)]);
}
