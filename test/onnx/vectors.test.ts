/**
 * @file ONNX's own operator vectors against ONNX Runtime: each at its own operator set, and those of the operators that
 * our graphs use once more through our graph builder and writer, in the form in which our graphs use them.
 */

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { describe, test } from "node:test";
import { InferenceSession } from "../../src/runtime/onnx-runtime.ts";
import { elementTypes, type ElementType } from "../../src/onnx/data-type.ts";
import { type Attribute, Graph, type Value } from "../../src/onnx/graph.ts";
import { writeModel } from "../../src/onnx/write.ts";
import { assertTensor, isFloatAttribute, type OperatorVector, readVectors, toTensor, vectorModel } from "./vector-model.ts";

const folder = new URL("../../../shared/data/vectors/onnx/", import.meta.url);
const present = existsSync(folder);
const options = present ? {} : { skip: "the ONNX vectors are not at ../shared/data/vectors/onnx" };
const vectors = present ? readVectors(folder) : new Map<string, Map<string, OperatorVector>>();

/** Vectors that this version of ONNX Runtime cannot run on a CPU, and what it says. */
const unsupported: [operator: string, vector: RegExp, message: RegExp][] = [
  // The runtime keeps its training operators out of the inference package.
  ["Adagrad", /./, /not a registered function\/op/],
  ["Adam", /./, /not a registered function\/op/],
  ["Momentum", /./, /not a registered function\/op/],
  // A mask narrower than the keys, padded by nonpad_kv_seqlen.
  ["Attention", /^attention_4d_diff_heads_mask4d_padded_kv$/, /attention_helper/],
];

/**
 * Operators of our graphs that the data set has, and how many of their vectors our writer's operator set and types can
 * state.
 */
const usedOperators: Record<string, number> = {
  DequantizeLinear: 1,
  Erf: 1,
  Exp: 1,
  Gather: 4,
  Gelu: 4,
  LayerNormalization: 19,
  MatMul: 7,
  QuantizeLinear: 1,
  ReduceMean: 8,
  Sigmoid: 2,
  Softmax: 7,
  Tanh: 2,
  TopK: 6,
  Where: 2,
};

const sessionOptions = { logSeverityLevel: 4, intraOpNumThreads: 1 } as const;

async function check(model: Uint8Array, vector: OperatorVector): Promise<void> {
  const session = await InferenceSession.create(model, sessionOptions);
  try {
    const feeds = Object.fromEntries(Object.entries(vector.inputs).map(([name, tensor]) => [name, toTensor(tensor)]));
    const results = await session.run(feeds);
    for (const [name, expected] of Object.entries(vector.outputs)) assertTensor(results[name]!, expected, name);
  } finally {
    await session.release();
  }
}

function attributesOf(vector: OperatorVector): Record<string, Attribute> {
  return Object.fromEntries(
    Object.entries(vector.attrs).map(([name, value]): [string, Attribute] => {
      if (typeof value === "string") return [name, { string: value }];
      return [name, isFloatAttribute(name) ? { float: value } : { int: value }];
    }),
  );
}

/** The bytes of a graph with the vector's inputs and outputs, whose node `add` makes. */
function builtModel(vector: OperatorVector, add: (graph: Graph, inputs: Map<string, Value>) => Value[]): Uint8Array {
  const graph = new Graph();
  const inputs = new Map(
    Object.entries(vector.inputs).map(([name, tensor]) => [name, graph.input(name, tensor.dtype as ElementType, tensor.shape)]),
  );
  const outputs = add(graph, inputs);
  vector.node_outputs.forEach((name, i) => {
    const tensor = vector.outputs[name];
    if (tensor !== undefined) graph.output(name, outputs[i]!, tensor.dtype as ElementType, tensor.shape);
  });
  return writeModel(graph);
}

function hasOurTypes(vector: OperatorVector): boolean {
  return [...Object.values(vector.inputs), ...Object.values(vector.outputs)].every(({ dtype }) => dtype in elementTypes);
}

describe("ONNX Runtime", () => {
  for (const [operator, named] of vectors) {
    test(`agrees with ONNX's vectors of ${operator}`, async () => {
      for (const [name, vector] of named) {
        const known = unsupported.find(([op, pattern]) => op === operator && pattern.test(name));
        if (known === undefined)
          await check(vectorModel(vector), vector).catch((cause: unknown) => assert.fail(`${name}: ${String(cause)}`));
        else await assert.rejects(check(vectorModel(vector), vector), known[2], `${name} runs now: take it off the list`);
      }
    });
  }

  test("agrees with all but the 8 vectors that are listed as unsupported", options, () => {
    const all = [...vectors].flatMap(([operator, named]) => [...named.keys()].map((name) => ({ operator, name })));
    const skipped = all.filter(({ operator, name }) => unsupported.some(([op, pattern]) => op === operator && pattern.test(name)));
    assert.equal(all.length, 309);
    assert.equal(skipped.length, 8);
  });
});

describe("a graph of our builder", () => {
  for (const [operator, floor] of Object.entries(usedOperators)) {
    test(`computes ${operator} as ONNX's vectors say`, options, async () => {
      let passed = 0;
      for (const [name, vector] of vectors.get(operator) ?? []) {
        if (!hasOurTypes(vector)) continue;
        const model = builtModel(vector, (graph, inputs) =>
          graph.ops(
            operator,
            vector.node_inputs.map((input) => inputs.get(input)),
            vector.node_outputs.length,
            attributesOf(vector),
          ),
        );
        await check(model, vector).catch((cause: unknown) => assert.fail(`${name}: ${String(cause)}`));
        passed += 1;
      }
      assert.ok(passed >= floor, `${passed} vectors ran, fewer than ${floor}`);
    });
  }

  test("computes SimplifiedLayerNormalization over the last axis as RMSNormalization's vectors say", options, async () => {
    let passed = 0;
    for (const [name, vector] of vectors.get("RMSNormalization") ?? []) {
      const rank = vector.inputs["X"]!.shape.length;
      const axis = Number(vector.attrs["axis"] ?? -1);
      if (axis !== -1 && axis !== rank - 1) continue;
      const attributes = { ...attributesOf(vector), axis: { int: -1 }, epsilon: { float: Number(vector.attrs["epsilon"] ?? 1e-5) } };
      const model = builtModel(vector, (graph, inputs) => [
        graph.op("SimplifiedLayerNormalization", [inputs.get("X"), inputs.get("W")], attributes),
      ]);
      await check(model, vector).catch((cause: unknown) => assert.fail(`${name}: ${String(cause)}`));
      passed += 1;
    }
    assert.ok(passed >= 7, `${passed} vectors ran`);
  });

  test("computes the contributed RotaryEmbedding as ONNX's vectors with positions say", options, async () => {
    let passed = 0;
    for (const [name, vector] of vectors.get("RotaryEmbedding") ?? []) {
      const [x, cos, sin, positions] = vector.node_inputs as [string, string, string, string | undefined];
      if (positions === undefined) continue;
      const shape = vector.inputs[x]!.shape;
      const heads = Number(vector.attrs["num_heads"] ?? shape[1]);
      const attributes = { ...attributesOf(vector), num_heads: { int: heads } };
      const model = builtModel(vector, (graph, inputs) => [
        graph.microsoft(
          "RotaryEmbedding",
          [x, positions, cos, sin].map((input) => inputs.get(input)),
          attributes,
        ),
      ]);
      await check(model, vector).catch((cause: unknown) => assert.fail(`${name}: ${String(cause)}`));
      passed += 1;
    }
    assert.ok(passed >= 5, `${passed} vectors ran`);
  });

  test("computes the contributed FusedMatMul as MatMul's vectors say, transposed or scaled too", options, async () => {
    let passed = 0;
    for (const [name, vector] of vectors.get("MatMul") ?? []) {
      const b = vector.inputs[vector.node_inputs[1]!]!;
      if (b.shape.length < 2 || vector.inputs[vector.node_inputs[0]!]!.shape.length < 2) continue;
      const order = b.shape.map((_, axis) => axis);
      order.push(...order.splice(-2).toReversed());
      const model = builtModel(vector, (graph, inputs) => {
        const [left, right] = vector.node_inputs.map((input) => inputs.get(input)!) as [Value, Value];
        const transposed = graph.op("Transpose", [right], { perm: { ints: order } });
        const half = graph.microsoft("FusedMatMul", [left, transposed], { transB: { int: 1 }, alpha: { float: 0.5 } });
        return [graph.op("Add", [half, half])];
      });
      await check(model, vector).catch((cause: unknown) => assert.fail(`${name}: ${String(cause)}`));
      passed += 1;
    }
    assert.ok(passed >= 4, `${passed} vectors ran`);
  });
});
