/**
 * @file ONNX operator test vectors: their JSON, each as a model of one node written by onnx-buf alone, and the
 * comparison of results.
 */

import { readdirSync, readFileSync } from "node:fs";
import assert from "node:assert/strict";
import { create, toBinary } from "@bufbuild/protobuf";
import { AttributeProto_AttributeType, ModelProtoSchema } from "onnx-buf";
import { Tensor } from "../../src/runtime/onnx-runtime.ts";

type Data = (number | string | boolean)[];

export interface VectorTensor {
  dtype: keyof typeof elements;
  shape: number[];
  /** Row-major; numbers that JSON lacks are strings such as "-Infinity". */
  data: Data;
}

/** One vector as the data set stores it. */
export interface OperatorVector {
  op: string;
  domain: string;
  opset: Record<string, number>;
  attrs: Record<string, number | string>;
  /** An empty name is an optional input that is left out. */
  node_inputs: string[];
  node_outputs: string[];
  inputs: Record<string, VectorTensor>;
  outputs: Record<string, VectorTensor>;
}

/** Attributes that ONNX declares as floats: JSON does not tell 1.0 from 1. */
const floatAttributes = new Set([
  "alpha",
  "beta",
  "epsilon",
  "norm_coefficient",
  "norm_coefficient_post",
  "decay_factor",
  "scale",
  "softcap",
]);

/** Per dtype of the data set: TensorProto.DataType, the name in ONNX Runtime, and the array that it takes. */
const elements = {
  float32: { code: 1, runtime: "float32", array: (data: Data) => Float32Array.from(data, Number) },
  float64: { code: 11, runtime: "float64", array: (data: Data) => Float64Array.from(data, Number) },
  uint8: { code: 2, runtime: "uint8", array: (data: Data) => Uint8Array.from(data, Number) },
  int8: { code: 3, runtime: "int8", array: (data: Data) => Int8Array.from(data, Number) },
  int32: { code: 6, runtime: "int32", array: (data: Data) => Int32Array.from(data, Number) },
  int64: { code: 7, runtime: "int64", array: (data: Data) => BigInt64Array.from(data, BigInt) },
  bool: { code: 9, runtime: "bool", array: (data: Data) => Uint8Array.from(data, Number) },
} as const;

/** All vectors of a folder of `<operator>.json` files. */
export function readVectors(folder: URL): Map<string, Map<string, OperatorVector>> {
  const files = readdirSync(folder).filter((name) => name.endsWith(".json"));
  return new Map(
    files.map((file) => {
      const json = JSON.parse(readFileSync(new URL(file, folder), "utf8")) as Record<string, OperatorVector>;
      return [file.slice(0, -".json".length), new Map(Object.entries(json))];
    }),
  );
}

/** The vector's node alone, at the vector's own operator set; shapes of inputs are those of the data. */
export function vectorModel(vector: OperatorVector): Uint8Array {
  const model = create(ModelProtoSchema, {
    irVersion: 10n,
    opsetImport: Object.entries(vector.opset).map(([domain, version]) => ({ domain, version: BigInt(version) })),
    graph: {
      name: "vector",
      input: Object.entries(vector.inputs).map(([name, tensor]) => valueInfo(name, tensor)),
      // Shapes of outputs are left to inference.
      output: Object.entries(vector.outputs).map(([name, tensor]) => valueInfo(name, tensor, false)),
      node: [
        {
          opType: vector.op,
          domain: vector.domain,
          input: vector.node_inputs,
          output: vector.node_outputs,
          attribute: Object.entries(vector.attrs).map(([name, value]) => attribute(name, value)),
        },
      ],
    },
  });
  return toBinary(ModelProtoSchema, model);
}

export function isFloatAttribute(name: string): boolean {
  return floatAttributes.has(name);
}

/** A tensor of the data set as ONNX Runtime takes it. */
export function toTensor(tensor: VectorTensor): Tensor {
  const element = elements[tensor.dtype];
  return new Tensor(element.runtime, element.array(tensor.data), tensor.shape);
}

/**
 * Fails unless type, shape and every value agree: integers exactly, floats to 2e-5, relative where they are above 1.
 */
export function assertTensor(actual: Tensor, expected: VectorTensor, name: string): void {
  assert.equal(actual.type, elements[expected.dtype].runtime, `type of ${name}`);
  assert.deepEqual([...actual.dims], expected.shape, `shape of ${name}`);
  const values = Array.from(actual.data as ArrayLike<number | bigint>, Number);
  assert.equal(values.length, expected.data.length, `size of ${name}`);
  const tolerance = expected.dtype === "float32" || expected.dtype === "float64" ? 2e-5 : 0;
  expected.data.forEach((datum, i) => {
    const want = Number(datum);
    const got = values[i]!;
    const close = Object.is(got, want) || Math.abs(got - want) <= tolerance * Math.max(1, Math.abs(want));
    assert.ok(close, `${name}[${i}] is ${got}, the vector says ${want}`);
  });
}

function valueInfo(name: string, tensor: VectorTensor, withShape = true): object {
  const dim = tensor.shape.map((size) => ({ value: { case: "dimValue", value: BigInt(size) } }));
  const elemType = elements[tensor.dtype].code;
  return { name, type: { value: { case: "tensorType", value: withShape ? { elemType, shape: { dim } } : { elemType } } } };
}

function attribute(name: string, value: number | string): object {
  if (typeof value === "string") return { name, type: AttributeProto_AttributeType.STRING, s: new TextEncoder().encode(value) };
  if (isFloatAttribute(name)) return { name, type: AttributeProto_AttributeType.FLOAT, f: value };
  return { name, type: AttributeProto_AttributeType.INT, i: BigInt(value) };
}
