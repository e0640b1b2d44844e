/** @file The verifier finds every kind of malformed graph before ONNX Runtime sees it. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { BonsaiError } from "../../src/errors/bonsai-error.ts";
import { Graph, type Value } from "../../src/onnx/graph.ts";
import { verify } from "../../src/onnx/verify.ts";

const value = (name: string): Value => name as Value;

function negation(): Graph {
  const graph = new Graph();
  graph.output("y", graph.op("Neg", [graph.input("x", "float32", [1])]), "float32", [1]);
  return graph;
}

describe("the verifier", () => {
  test("accepts a graph in order", () => {
    verify(negation());
  });

  const faults: Record<string, { spoil: (graph: Graph) => void; names: RegExp }> = {
    "a value that is read before it is made": {
      spoil: (graph) => graph.nodes.unshift({ op: "Abs", domain: "", inputs: [value("y")], outputs: [value("z")], attributes: {} }),
      names: /Abs reads "y"/,
    },
    "a value that nothing makes": {
      spoil: (graph) => graph.nodes.push({ op: "Abs", domain: "", inputs: [value("missing")], outputs: [value("z")], attributes: {} }),
      names: /"missing"/,
    },
    "a value that is made twice": {
      spoil: (graph) => graph.nodes.push({ op: "Abs", domain: "", inputs: [value("x")], outputs: [value("y")], attributes: {} }),
      names: /Abs defines "y"/,
    },
    "an output that is never made": {
      spoil: (graph) => graph.outputs.push({ name: value("absent"), type: "float32", shape: [1] }),
      names: /"absent"/,
    },
    "an inline weight of the wrong size": {
      spoil: (graph) => graph.constant("float32", [3], Float32Array.of(1, 2)),
      names: /\[3\] needs 12 bytes, not 8/,
    },
    "an external weight of the wrong size": {
      spoil: (graph) => graph.initializer("weight", "float16", [2, 3], { kind: "external", offset: 0, length: 24 }),
      names: /"weight" of shape \[2, 3\] needs 12 bytes, not 24/,
    },
  };
  for (const [fault, { spoil, names }] of Object.entries(faults)) {
    test(`refuses ${fault}, by name`, () => {
      const graph = negation();
      spoil(graph);
      assert.throws(
        () => verify(graph),
        (error) => error instanceof BonsaiError && error.code === "internal" && names.test(error.message),
      );
    });
  }
});
