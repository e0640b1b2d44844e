/** @file Written models run in ONNX Runtime: weights inline and in an external file give the same results. */

import assert from "node:assert/strict";
import { statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { fromBinary } from "@bufbuild/protobuf";
import { ModelProtoSchema } from "onnx-buf";
import { InferenceSession, Tensor } from "../../src/runtime/onnx-runtime.ts";
import { ExternalDataWriter } from "../../src/onnx/external-data.ts";
import { Graph, type InitializerData } from "../../src/onnx/graph.ts";
import { writeModel } from "../../src/onnx/write.ts";
import { temporaryFolder } from "../fixtures/temporary-folder.ts";

const weights = Float32Array.of(1, 2, 3, 4, 5, 6);

/** y = x W, x [B, 3], W [3, 2]. */
function product(data: InitializerData): Graph {
  const graph = new Graph();
  const x = graph.input("x", "float32", ["B", 3]);
  graph.output("y", graph.op("MatMul", [x, graph.initializer("w", "float32", [3, 2], data)]), "float32", ["B", 2]);
  return graph;
}

async function runProduct(model: string | Uint8Array): Promise<number[]> {
  const session = await InferenceSession.create(model as string);
  const feeds = { x: new Tensor("float32", Float32Array.of(1, 0, 0, 0, 1, 1), [2, 3]) };
  const y = (await session.run(feeds))["y"]!.data as Float32Array;
  await session.release();
  return Array.from(y);
}

describe("a written model", () => {
  const folder = temporaryFolder();

  test("multiplies by the weights that it carries", async () => {
    assert.deepEqual(await runProduct(writeModel(product({ kind: "inline", data: weights }))), [1, 2, 8, 10]);
  });

  test("multiplies by the weights of its external file, wherever they lie in it", async () => {
    const writer = new ExternalDataWriter(join(folder, "weights.bin"));
    writer.add("first", () => Uint8Array.of(7));
    const data = writer.add("w", () => weights);
    writer.close();
    const path = join(folder, "model.onnx");
    writeFileSync(path, writeModel(product(data), "weights.bin"));
    assert.deepEqual(await runProduct(path), [1, 2, 8, 10]);
  });

  test("reads inline weights that are a part of a larger array", async () => {
    const larger = Float32Array.of(9, 9, ...weights, 9);
    assert.deepEqual(await runProduct(writeModel(product({ kind: "inline", data: larger.subarray(2, 8) }))), [1, 2, 8, 10]);
  });

  test("keeps each kind of attribute, and dimensions by number and by name", () => {
    const graph = new Graph();
    const x = graph.input("x", "float32", ["B", 3]);
    const attributes = { alpha: { float: 0.5 }, axis: { int: -1 }, perm: { ints: [1, 0] }, mode: { string: "tanh" } };
    graph.output("y", graph.microsoft("Anything", [x, undefined], attributes), "float32", ["B", 3]);
    const model = fromBinary(ModelProtoSchema, writeModel(graph));
    const node = model.graph!.node[0]!;
    assert.equal(node.domain, "com.microsoft");
    assert.deepEqual(node.input, ["x", ""]);
    const [alpha, axis, perm, mode] = node.attribute;
    assert.equal(alpha!.f, 0.5);
    assert.equal(axis!.i, -1n);
    assert.deepEqual(perm!.ints, [1n, 0n]);
    assert.equal(Buffer.from(mode!.s).toString(), "tanh");
    const type = model.graph!.input[0]!.type!.value;
    assert.ok(type.case === "tensorType");
    assert.deepEqual(
      type.value.shape!.dim.map(({ value }) => value.value),
      ["B", 3n],
    );
  });
});

describe("external data", () => {
  const folder = temporaryFolder();

  test("holds each tensor once, aligned to 64 bytes", () => {
    const path = join(folder, "data.bin");
    const writer = new ExternalDataWriter(path);
    let made = 0;
    const make = (): Uint8Array<ArrayBuffer> => {
      made++;
      return new Uint8Array(10);
    };
    const first = writer.add("a", make);
    const again = writer.add("a", make);
    const second = writer.add("b", make);
    writer.close();
    assert.equal(made, 2);
    assert.deepEqual(first, { kind: "external", offset: 0, length: 10 });
    assert.deepEqual(again, first);
    assert.deepEqual(second, { kind: "external", offset: 64, length: 10 });
    assert.equal(statSync(path).size, 74);
  });
});
