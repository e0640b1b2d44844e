/**
 * @file Which values of a written graph have shapes that ONNX Runtime knows before a run: rules of shape inference for
 * the operators of decoders (ONNX operators, version 21, and com.microsoft's), which give up where those do.
 */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { fromBinary } from "@bufbuild/protobuf";
import { ModelProtoSchema, type NodeProto, type ValueInfoProto } from "onnx-buf";

/** A size, the name of one, or undefined where nothing is known. */
type Size = number | string | undefined;
type Shape = readonly Size[];
type Rule = (
  inputs: readonly (Shape | undefined)[],
  node: NodeProto,
  values: readonly (readonly number[] | undefined)[],
) => (Shape | undefined)[];

const attribute = (node: NodeProto, name: string): number => Number(node.attribute.find((one) => one.name === name)?.i ?? 0);
const place = (axis: number, rank: number): number => (axis < 0 ? axis + rank : axis);

function broadcast(a: Shape | undefined, b: Shape | undefined): Shape | undefined {
  if (a === undefined || b === undefined) return undefined;
  const rank = Math.max(a.length, b.length);
  const at = (shape: Shape, index: number): Size => (index < rank - shape.length ? 1 : shape[index - rank + shape.length]);
  return Array.from({ length: rank }, (_, index) => {
    const [one, other] = [at(a, index), at(b, index)];
    if (one === 1) return other;
    return other === 1 || one === other ? one : undefined;
  });
}

const elementwise: Rule = (inputs) => [inputs.reduce(broadcast)];
const alike: Rule = ([x], node) => node.output.map(() => x);
const product: Rule = ([a, b], node) => {
  if (a === undefined || b === undefined) return [undefined];
  const columns = attribute(node, "transB") === 1 ? b.at(-2) : b.at(-1);
  return [[...(broadcast(a.slice(0, -2), b.slice(0, -2)) ?? []), a.at(-2), columns]];
};

const rules: Record<string, Rule> = {
  ...Object.fromEntries(["Add", "Sub", "Mul", "Sum", "LessOrEqual", "Less", "Or"].map((name) => [name, elementwise])),
  ...Object.fromEntries(
    ["Abs", "Sigmoid", "Softmax", "Exp", "Not", "Cast", "Identity", "Gelu", "QuantizeLinear", "DequantizeLinear", "RotaryEmbedding"]
      .concat(["SimplifiedLayerNormalization", "SkipSimplifiedLayerNormalization", "LayerNormalization"])
      .map((name) => [name, alike]),
  ),
  MatMul: product,
  FusedMatMul: product,
  MatMulIntegerToFloat: product,
  MatMulNBits: ([x], node) => [x && [...x.slice(0, -1), attribute(node, "N")]],
  Gather: ([data, indexes], node) => [
    data && indexes && [...data.slice(0, attribute(node, "axis")), ...indexes, ...data.slice(attribute(node, "axis") + 1)],
  ],
  GatherBlockQuantized: ([data, indexes]) => [data && indexes && [...indexes, data[1]]],
  ReduceMax: ([x]) => [x && [...x.slice(0, -1), 1]],
  Transpose: ([x], node) => [x && node.attribute.find(({ name }) => name === "perm")!.ints.map((axis) => x[Number(axis)])],
  Concat: (inputs, node) => {
    if (inputs.includes(undefined)) return [undefined];
    const shapes = inputs as Shape[];
    const axis = place(attribute(node, "axis"), shapes[0]!.length);
    const total = shapes.reduce<Size>(
      (sum, shape) => (typeof sum === "number" && typeof shape[axis] === "number" ? sum + shape[axis] : undefined),
      0,
    );
    return [shapes[0]!.with(axis, total)];
  },
  Split: ([x], node, [, sizes]) => {
    const axis = x && place(attribute(node, "axis"), x.length);
    return node.output.map((_, part) => x && x.with(axis!, sizes?.[part]));
  },
};

/** The values that nodes make and whose shapes are not wholly known, as "operator: shape". */
export function unknownShapes(path: string): string[] {
  const { graph } = fromBinary(ModelProtoSchema, readFileSync(path));
  assert.ok(graph);
  const shapes = new Map<string, Shape | undefined>();
  const values = new Map<string, number[]>();
  for (const { name, dims, dataType, rawData } of graph.initializer) {
    shapes.set(name, dims.map(Number));
    if (dataType === 7) values.set(name, Array.from(new BigInt64Array(new Uint8Array(rawData).buffer), Number));
  }
  for (const input of graph.input) shapes.set(input.name, shapeOf(input));
  const declared = new Map([...graph.valueInfo, ...graph.output].map((info) => [info.name, shapeOf(info)]));
  const unknown: string[] = [];
  for (const node of graph.node) {
    const inputs = node.input.map((name) => shapes.get(name));
    const outputs = rules[node.opType]?.(
      inputs,
      node,
      node.input.map((name) => values.get(name)),
    );
    for (const [index, name] of node.output.entries()) {
      if (name === "") continue;
      const stated = declared.get(name);
      const inferred = outputs?.[index];
      const shape = stated === undefined ? inferred : stated.map((size, axis) => size ?? inferred?.[axis]);
      shapes.set(name, shape);
      if (shape === undefined || shape.includes(undefined))
        unknown.push(`${node.opType}: ${shape?.map((size) => size ?? "?").join() ?? "?"}`);
    }
  }
  return unknown;
}

function shapeOf({ type }: ValueInfoProto): Shape {
  assert.ok(type?.value.case === "tensorType");
  return (type.value.value.shape?.dim ?? []).map(({ value }) => (value.case === "dimValue" ? Number(value.value) : value.value));
}
