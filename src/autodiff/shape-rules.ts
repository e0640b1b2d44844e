/** @file What each primitive makes of the shapes and types of its inputs; what does not fit is refused by name. */

import { BonsaiError } from "../errors/bonsai-error.ts";
import type { ElementType, Primitive, PrimitiveParams, Shape } from "./primitive.ts";

export interface Typed {
  readonly type: ElementType;
  readonly shape: Shape;
}

type ShapeRule<P extends Primitive> = (inputs: readonly Typed[], params: PrimitiveParams[P]) => Typed;

export function sizeOf(shape: Shape): number {
  return shape.reduce((product, size) => product * size, 1);
}

export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((size, axis) => size === b[axis]);
}

/** The shape that both stretch to. */
export function broadcastShapes(what: string, a: Shape, b: Shape): Shape {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, axis) => {
    const left = a[axis - rank + a.length] ?? 1;
    const right = b[axis - rank + b.length] ?? 1;
    require(left === right || left === 1 || right === 1, what, `shapes [${a.join(", ")}] and [${b.join(", ")}] do not broadcast`);
    return Math.max(left, right);
  });
}

export const shapeRules: { [P in Primitive]: ShapeRule<P> } = {
  input: leaf,
  parameter: leaf,
  weight: leaf,
  full: leaf,

  neg: elementwise("neg"),
  exp: elementwise("exp"),
  log: elementwise("log"),
  sqrt: elementwise("sqrt"),
  reciprocal: elementwise("reciprocal"),
  sigmoid: elementwise("sigmoid"),
  tanh: elementwise("tanh"),
  erf: elementwise("erf"),
  silu: elementwise("silu"),
  gelu: elementwise("gelu"),
  cast: ([x], { to }) => ({ type: to, shape: given("cast", x).shape }),
  stopGradient: ([x]) => given("stopGradient", x),

  add: binary("add"),
  sub: binary("sub"),
  mul: binary("mul"),
  div: binary("div"),
  equal: ([a, b]) => {
    const [left, right] = [given("equal", a), given("equal", b)];
    require(left.type === right.type, "equal", `types ${left.type} and ${right.type} differ`);
    return { type: "bool", shape: broadcastShapes("equal", left.shape, right.shape) };
  },
  where: ([condition, a, b]) => {
    const [left, right] = [given("where", a, "float32"), given("where", b, "float32")];
    const shape = broadcastShapes("where", left.shape, right.shape);
    return { type: "float32", shape: broadcastShapes("where", given("where", condition, "bool").shape, shape) };
  },

  matmul: ([a, b], { transposeA, transposeB }) => {
    const [left, right] = [given("matmul", a, "float32").shape, given("matmul", b, "float32").shape];
    const batch = left.slice(0, -2);
    const fits = left.length >= 2 && right.length >= 2 && (right.length === 2 || sameShape(right.slice(0, -2), batch));
    const [rows, inner] = transposeA ? [left.at(-1), left.at(-2)] : [left.at(-2), left.at(-1)];
    const [innerRight, columns] = transposeB ? [right.at(-1), right.at(-2)] : [right.at(-2), right.at(-1)];
    require(fits && inner === innerRight, "matmul", `[${left.join(", ")}] times [${right.join(", ")}] does not fit`);
    return float([...batch, rows as number, columns as number]);
  },
  transpose: ([x], { permutation }) => {
    const { type, shape } = given("transpose", x);
    const isPermutation = sameShape(
      permutation.toSorted((a, b) => a - b),
      [...shape.keys()],
    );
    require(isPermutation, "transpose", `[${permutation.join(", ")}] does not permute [${shape.join(", ")}]`);
    return { type, shape: permutation.map((axis) => shape[axis] as number) };
  },
  reshape: ([x], { shape }) => {
    const from = given("reshape", x);
    require(sizeOf(from.shape) === sizeOf(shape), "reshape", `[${from.shape.join(", ")}] has not the size of [${shape.join(", ")}]`);
    return { type: from.type, shape };
  },
  broadcast: ([x], { shape }) => {
    const from = given("broadcast", x);
    const stretched = broadcastShapes("broadcast", from.shape, shape);
    require(sameShape(stretched, shape), "broadcast", `[${from.shape.join(", ")}] does not stretch to [${shape.join(", ")}]`);
    return { type: from.type, shape };
  },
  sum: ([x], { axes }) => reduced("sum", x, axes),
  max: ([x], { axes }) => reduced("max", x, axes),
  slice: ([x], { axis, start, end }) => {
    const { type, shape } = given("slice", x);
    const fits = axis < shape.length && start >= 0 && start < end && end <= (shape[axis] as number);
    require(fits, "slice", `${start} to ${end} is not within axis ${axis} of [${shape.join(", ")}]`);
    return { type, shape: shape.with(axis, end - start) };
  },
  pad: ([x], { axis, before, after }) => {
    const { type, shape } = given("pad", x);
    require(axis < shape.length &&
      before >= 0 &&
      after >= 0, "pad", `axis ${axis} of [${shape.join(", ")}] takes no ${before} and ${after}`);
    return { type, shape: shape.with(axis, (shape[axis] as number) + before + after) };
  },
  concat: (inputs, { axis }) => {
    const first = given("concat", inputs[0]);
    const alike = inputs.every(({ type, shape }) => type === first.type && sameShape(shape.with(axis, 0), first.shape.with(axis, 0)));
    require(alike, "concat", `its inputs differ beyond axis ${axis}`);
    const size = inputs.reduce((sum, { shape }) => sum + (shape[axis] as number), 0);
    return { type: first.type, shape: first.shape.with(axis, size) };
  },

  gatherRows: ([table, indices]) => {
    const [rows, ids] = [given("gatherRows", table, "float32").shape, given("gatherRows", indices, "int32").shape];
    require(rows.length === 2 && ids.length === 1, "gatherRows", "it takes a matrix and a vector of indices");
    return float([ids[0] as number, rows[1] as number]);
  },
  scatterAddRows: ([base, indices, updates]) => {
    const [rows, ids] = [given("scatterAddRows", base, "float32").shape, given("scatterAddRows", indices, "int32").shape];
    const added = given("scatterAddRows", updates, "float32").shape;
    const fits = rows.length === 2 && ids.length === 1 && sameShape(added, [ids[0] as number, rows[1] as number]);
    require(fits, "scatterAddRows", `[${added.join(", ")}] does not fit [${rows.join(", ")}] at [${ids.join(", ")}]`);
    return float(rows);
  },
  takeAlongLast: ([x, indices]) => {
    const [from, ids] = [given("takeAlongLast", x, "float32").shape, given("takeAlongLast", indices).shape];
    require(sameShape(
      lastBecomes(from, 0),
      lastBecomes(ids, 0),
    ), "takeAlongLast", `[${ids.join(", ")}] does not index [${from.join(", ")}]`);
    return float(ids);
  },
  scatterAddAlongLast: ([base, indices, updates]) => {
    const into = given("scatterAddAlongLast", base, "float32").shape;
    const [ids, added] = [given("scatterAddAlongLast", indices).shape, given("scatterAddAlongLast", updates, "float32").shape];
    const fits = sameShape(lastBecomes(into, 0), lastBecomes(ids, 0)) && sameShape(ids, added);
    require(fits, "scatterAddAlongLast", `[${added.join(", ")}] does not fit [${into.join(", ")}] at [${ids.join(", ")}]`);
    return float(into);
  },

  softmax: elementwise("softmax"),
  logSumExp: ([x]) => float(lastBecomes(given("logSumExp", x, "float32").shape, 1)),

  rmsNorm: ([x, weight]) => {
    const { shape } = given("rmsNorm", x, "float32");
    require(sameShape(given("rmsNorm", weight, "float32").shape, shape.slice(-1)), "rmsNorm", "its weight is not of the last axis");
    return float(shape);
  },
  inverseRms: ([x]) => float(lastBecomes(given("inverseRms", x, "float32").shape, 1)),
  standardize: elementwise("standardize"),
  inverseDeviation: ([x]) => float(lastBecomes(given("inverseDeviation", x, "float32").shape, 1)),

  rotary: ([x, positions, cosines, sines]) => {
    const { shape } = given("rotary", x, "float32");
    const [places, table] = [given("rotary", positions, "int64").shape, given("rotary", cosines, "float32").shape];
    const fits =
      shape.length === 3 &&
      sameShape(places, shape.slice(0, 2)) &&
      sameShape(table, given("rotary", sines, "float32").shape) &&
      (shape[2] as number) % (2 * (table[1] as number)) === 0;
    require(fits, "rotary", `[${shape.join(", ")}] does not fit positions [${places.join(", ")}] and tables [${table.join(", ")}]`);
    return float(shape);
  },
  attentionMask: ([segments]) => {
    const { shape } = given("attentionMask", segments, "int32");
    const [rows, length] = shape as [number, number];
    require(shape.length === 2, "attentionMask", "it takes segments [B, T]");
    return float([rows, 1, length, length]);
  },
  attentionWeights: ([query, key, mask]) => attentionWeights(query, key, mask),
  attention: ([query, key, value, mask, weights]) => {
    const expected = attentionWeights(query, key, mask).shape;
    const [values, given5] = [given("attention", value, "float32").shape, given("attention", weights, "float32").shape];
    require(sameShape(values, given("attention", key).shape) && sameShape(given5, expected), "attention", "values or weights do not fit");
    return float(given("attention", query).shape);
  },

  dequantize: ([blocks, scales], { blockSize }) => float(quantized("dequantize", blocks, scales, blockSize)),
  quantizedLinear: ([x, blocks, scales], { blockSize }) => {
    const [outputs, inputs] = quantized("quantizedLinear", blocks, scales, blockSize) as [number, number];
    const { shape } = given("quantizedLinear", x, "float32");
    require(shape.length === 2 && shape[1] === inputs, "quantizedLinear", `[${shape.join(", ")}] has not ${inputs} inputs`);
    return float([shape[0] as number, outputs]);
  },

  dropoutMask: ([seed], { rate, shape }) => {
    const fits = sameShape(given("dropoutMask", seed, "int32").shape, [2]) && shape.length === 2 && rate >= 0 && rate < 1;
    require(fits, "dropoutMask", "it takes a seed [2], a rate from 0 to below 1 and the shape of a matrix");
    return float(shape);
  },

  after: ([x]) => given("after", x),
  withGradients: ([value, ...rest]) => {
    const { shape } = given("withGradients", value, "float32");
    const half = rest.length / 2;
    const alike = rest.slice(0, half).every((x, at) => sameShape(x.shape, (rest[half + at] as Typed).shape));
    require(shape.length === 0 && Number.isInteger(half) && alike, "withGradients", "each tensor needs its derivative");
    return float(shape);
  },
};

function float(shape: Shape): Typed {
  return { type: "float32", shape };
}

function require(condition: boolean, primitive: string, reason: string): asserts condition {
  if (!condition) throw new BonsaiError("internal", `${primitive}: ${reason}.`);
}

function given(primitive: string, input: Typed | undefined, type?: ElementType): Typed {
  require(input !== undefined, primitive, "an input is missing");
  require(type === undefined || input.type === type, primitive, `an input is ${input.type} and should be ${type}`);
  return input;
}

function leaf(): never {
  throw new BonsaiError("internal", "A leaf of a program is made by its own method, which says its shape.");
}

function elementwise(primitive: string): (inputs: readonly Typed[]) => Typed {
  return ([x]) => given(primitive, x, "float32");
}

function binary(primitive: string): (inputs: readonly Typed[]) => Typed {
  return ([a, b]) => float(broadcastShapes(primitive, given(primitive, a, "float32").shape, given(primitive, b, "float32").shape));
}

function reduced(primitive: string, x: Typed | undefined, axes: readonly number[]): Typed {
  const { shape } = given(primitive, x, "float32");
  require(axes.every((axis) => axis >= 0 && axis < shape.length), primitive, `[${shape.join(", ")}] has not the axes ${axes.join(", ")}`);
  return float(shape.map((size, axis) => (axes.includes(axis) ? 1 : size)));
}

function lastBecomes(shape: Shape, size: number): Shape {
  return shape.with(shape.length - 1, size);
}

function attentionWeights(query: Typed | undefined, key: Typed | undefined, mask: Typed | undefined): Typed {
  const primitive = "attentionWeights";
  const [queries, keys] = [given(primitive, query, "float32").shape, given(primitive, key, "float32").shape];
  const masked = given(primitive, mask, "float32").shape;
  const [rows, kvHeads, length, headDim] = keys as [number, number, number, number];
  const fits =
    queries.length === 4 &&
    keys.length === 4 &&
    sameShape(queries, [rows, kvHeads, queries[2] as number, headDim]) &&
    (queries[2] as number) % length === 0 &&
    sameShape(masked, [rows, 1, length, length]);
  require(fits, primitive, `queries [${queries.join(", ")}], keys [${keys.join(", ")}] and mask [${masked.join(", ")}] do not fit`);
  return float([rows, kvHeads, queries[2] as number, length]);
}

function quantized(primitive: string, blocks: Typed | undefined, scales: Typed | undefined, blockSize: number): Shape {
  const { shape } = given(primitive, blocks, "uint8");
  const [outputs, inputs] = shape as [number, number];
  const fits = shape.length === 2 && sameShape(given(primitive, scales, "float32").shape, [outputs, inputs / blockSize]);
  require(fits, primitive, `scales do not fit blocks of ${blockSize} of [${shape.join(", ")}]`);
  return shape;
}
