/** @file The graph builder: names, shared constants, outputs under public names, and how a graph prints. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { BonsaiError } from "../../src/errors/bonsai-error.ts";
import { Graph } from "../../src/onnx/graph.ts";
import { print } from "../../src/onnx/print.ts";

describe("a graph", () => {
  test("prints one line for each input, weight, node and output", () => {
    const graph = new Graph();
    const x = graph.input("x", "float32", ["B", 4]);
    const weight = graph.initializer("weight", "float32", [4, 2], { kind: "external", offset: 0, length: 32 });
    const product = graph.op("MatMul", [x, weight]);
    const [first, second] = graph.ops("Split", [product, graph.int64s(1, 1)], 2, { axis: { int: -1 } });
    const clipped = graph.op("Clip", [first, undefined, graph.float(0.5)]);
    const [, deviation] = graph.ops("Norm", [second], [false, true], {
      epsilon: { float: 1e-5 },
      kind: { string: "rms" },
      axes: { ints: [0, 1] },
    });
    graph.output("y", clipped, "float32", ["B", 1]);
    graph.output("deviation", deviation!, "float32", ["B", 1]);
    assert.equal(
      print(graph),
      `input x: float32[B, 4]
weight weight: float32[4, 2]
weight const_1: int64[2]
weight const_4: float32[]
MatMul_0 = MatMul(x, weight)
Split_2, Split_3 = Split(MatMul_0, const_1) axis=-1
y = Clip(Split_2, _, const_4)
_, deviation = Norm(Split_3) epsilon=0.00001 kind="rms" axes=[0, 1]
output y: float32[B, 1]
output deviation: float32[B, 1]
`,
    );
  });

  test("has each scalar and each vector of integers once", () => {
    const graph = new Graph();
    assert.equal(graph.float(2), graph.float(2));
    assert.notEqual(graph.float(2), graph.float(3));
    assert.equal(graph.int64s(1, 2), graph.int64s(1, 2));
    assert.notEqual(graph.int64s(1, 2), graph.int64s(12));
    assert.notEqual(graph.float(7), graph.int64s(7));
    assert.equal(graph.initializers.length, 6);
  });

  test("gives an input, or a value that is an output already, a second name by Identity", () => {
    const graph = new Graph();
    const x = graph.input("x", "float32", [1]);
    const y = graph.op("Neg", [x]);
    graph.output("first", x, "float32", [1]);
    graph.output("second", y, "float32", [1]);
    graph.output("third", graph.outputs[1]!.name, "float32", [1]);
    assert.deepEqual(
      graph.nodes.map(({ op, inputs, outputs }) => [op, ...inputs, ...outputs]),
      [
        ["Neg", "x", "second"],
        ["Identity", "x", "first"],
        ["Identity", "second", "third"],
      ],
    );
  });

  test("renames a value also where other nodes read it", () => {
    const graph = new Graph();
    const y = graph.op("Neg", [graph.input("x", "float32", [1])]);
    graph.op("Add", [y, y]);
    graph.output("y", y, "float32", [1]);
    assert.deepEqual(graph.nodes[1]?.inputs, ["y", "y"]);
  });

  test("refuses a name that is taken or empty", () => {
    const graph = new Graph();
    graph.input("x", "float32", [1]);
    const isInternal = (error: unknown): boolean => error instanceof BonsaiError && error.code === "internal";
    assert.throws(() => graph.input("x", "float32", [1]), isInternal);
    assert.throws(() => graph.initializer("x", "float32", [1], { kind: "external", offset: 0, length: 4 }), isInternal);
    assert.throws(() => graph.input("", "float32", [1]), isInternal);
  });
});
