/**
 * @file The primitives as functions of nodes, and small compositions of them, so that derivatives read as they are
 * written on paper.
 */

import type { Primitive, PrimitiveParams, Shape } from "./primitive.ts";
import { isPrimitive, type Node } from "./program.ts";
import { sameShape } from "./shape-rules.ts";

type Unary = Extract<
  Primitive,
  "neg" | "exp" | "log" | "sqrt" | "reciprocal" | "sigmoid" | "tanh" | "erf" | "silu" | "softmax" | "logSumExp" | "stopGradient"
>;

function unary(primitive: Unary): (x: Node) => Node {
  return (x) => x.program.apply(primitive, [x], {});
}

export const neg = unary("neg");
export const exp = unary("exp");
export const log = unary("log");
export const sqrt = unary("sqrt");
export const reciprocal = unary("reciprocal");
export const sigmoid = unary("sigmoid");
export const tanh = unary("tanh");
export const erf = unary("erf");
export const silu = unary("silu");
export const softmax = unary("softmax");
export const logSumExp = unary("logSumExp");
export const stopGradient = unary("stopGradient");

/** @param approximate default the approximation, which GPT-2 has */
export function gelu(x: Node, approximate: PrimitiveParams["gelu"]["approximate"] = "tanh"): Node {
  return x.program.apply("gelu", [x], { approximate });
}

/** A number stands for a scalar of that value. */
export type Operand = Node | number;

function binary(primitive: "add" | "sub" | "mul" | "div"): (a: Operand, b: Operand) => Node {
  return (a, b) => {
    const { program } = (typeof a === "number" ? b : a) as Node;
    const node = (x: Operand): Node => (typeof x === "number" ? program.full(x) : x);
    return program.apply(primitive, [node(a), node(b)], {});
  };
}

export const add = binary("add");
export const sub = binary("sub");
export const div = binary("div");
const product = binary("mul");

/** a b; a factor of one that stretches nothing is left out. */
export function mul(a: Operand, b: Operand): Node {
  if (isOne(a) && typeof b !== "number") return b;
  if (isOne(b) && typeof a !== "number") return a;
  return product(a, b);
}

function isOne(x: Operand): boolean {
  return typeof x === "number" ? x === 1 : isPrimitive(x, "full") && x.params.value === 1 && x.shape.length === 0;
}

export function equal(a: Node, b: Node): Node {
  return a.program.apply("equal", [a, b], {});
}

export function where(condition: Node, a: Node, b: Node): Node {
  return condition.program.apply("where", [condition, a, b], {});
}

export function cast(x: Node, to: PrimitiveParams["cast"]["to"]): Node {
  return x.type === to ? x : x.program.apply("cast", [x], { to });
}

export function matmul(
  a: Node,
  b: Node,
  { transposeA = false, transposeB = false, alpha = 1 }: Partial<PrimitiveParams["matmul"]> = {},
): Node {
  return a.program.apply("matmul", [a, b], { transposeA, transposeB, alpha });
}

export function transpose(x: Node, permutation: readonly number[]): Node {
  return x.program.apply("transpose", [x], { permutation });
}

export function reshape(x: Node, shape: Shape): Node {
  return sameShape(x.shape, shape) ? x : x.program.apply("reshape", [x], { shape });
}

export function broadcast(x: Node, shape: Shape): Node {
  return sameShape(x.shape, shape) ? x : x.program.apply("broadcast", [x], { shape });
}

export function sum(x: Node, axes: readonly number[]): Node {
  return axes.length === 0 ? x : x.program.apply("sum", [x], { axes });
}

export function max(x: Node, axes: readonly number[]): Node {
  return x.program.apply("max", [x], { axes });
}

/** The sum over the last axis, which stays with size 1. */
export function sumLast(x: Node): Node {
  return sum(x, [x.shape.length - 1]);
}

export function meanLast(x: Node): Node {
  return mul(sumLast(x), 1 / (x.shape.at(-1) as number));
}

/** Every element, as a scalar. */
export function sumAll(x: Node): Node {
  return reshape(sum(x, [...x.shape.keys()]), []);
}

/** Undoes a broadcast: sums what was stretched from `shape`. */
export function sumTo(x: Node, shape: Shape): Node {
  if (sameShape(x.shape, shape)) return x;
  const leading = x.shape.length - shape.length;
  const stretched = [...x.shape.keys()].filter((axis) => axis < leading || (shape[axis - leading] === 1 && x.shape[axis] !== 1));
  return reshape(sum(x, stretched), shape);
}

export function slice(x: Node, axis: number, start: number, end: number): Node {
  return start === 0 && end === x.shape[axis] ? x : x.program.apply("slice", [x], { axis, start, end });
}

export function pad(x: Node, axis: number, before: number, after: number): Node {
  return before === 0 && after === 0 ? x : x.program.apply("pad", [x], { axis, before, after });
}

export function concat(parts: readonly [Node, ...Node[]], axis: number): Node {
  return parts.length === 1 ? parts[0] : parts[0].program.apply("concat", parts, { axis });
}

export function gatherRows(table: Node, indices: Node): Node {
  return table.program.apply("gatherRows", [table, indices], {});
}

export function scatterAddRows(base: Node, indices: Node, updates: Node): Node {
  return base.program.apply("scatterAddRows", [base, indices, updates], {});
}

export function takeAlongLast(x: Node, indices: Node): Node {
  return x.program.apply("takeAlongLast", [x, indices], {});
}

export function scatterAddAlongLast(base: Node, indices: Node, updates: Node): Node {
  return base.program.apply("scatterAddAlongLast", [base, indices, updates], {});
}

export function rmsNorm(x: Node, weight: Node, epsilon: number): Node {
  return x.program.apply("rmsNorm", [x, weight], { epsilon });
}

export function inverseRms(x: Node, epsilon: number): Node {
  return x.program.apply("inverseRms", [x], { epsilon });
}

export function standardize(x: Node, epsilon: number): Node {
  return x.program.apply("standardize", [x], { epsilon });
}

export function inverseDeviation(x: Node, epsilon: number): Node {
  return x.program.apply("inverseDeviation", [x], { epsilon });
}

/** Ba et al. 2016, equation 4. */
export function layerNorm(x: Node, weight: Node, bias: Node, epsilon: number): Node {
  return add(mul(standardize(x, epsilon), weight), bias);
}

/** Positions, cosines and sines as `rotary` of the primitives says. */
export interface Rotation {
  positions: Node;
  cosines: Node;
  sines: Node;
}

export function rotary(x: Node, { positions, cosines, sines }: Rotation, inverse = false): Node {
  return x.program.apply("rotary", [x, positions, cosines, sines], { inverse });
}

export function attentionMask(segments: Node): Node {
  return segments.program.apply("attentionMask", [segments], {});
}

export function attentionWeights(query: Node, key: Node, mask: Node, scale: number): Node {
  return query.program.apply("attentionWeights", [query, key, mask], { scale });
}

/** softmax(scale query keyᵀ + mask) value; shapes as the primitive says. */
export function attention(query: Node, key: Node, value: Node, mask: Node, scale: number): Node {
  const weights = attentionWeights(query, key, mask, scale);
  return query.program.apply("attention", [query, key, value, mask, weights], { scale });
}

export function dequantize(blocks: Node, scales: Node, blockSize: number): Node {
  return blocks.program.apply("dequantize", [blocks, scales], { blockSize });
}

export function quantizedLinear(x: Node, blocks: Node, scales: Node, blockSize: number): Node {
  return x.program.apply("quantizedLinear", [x, blocks, scales], { blockSize });
}

export function dropoutMask(seed: Node, rate: number, stream: number, shape: Shape): Node {
  return seed.program.apply("dropoutMask", [seed], { rate, stream, shape });
}

/** `x`, but not before the others are computed. */
export function afterAll(x: Node, others: readonly Node[]): Node {
  return others.length === 0 ? x : x.program.apply("after", [x, ...others], {});
}

/** `value`, whose derivative by each tensor was computed along with it. */
export function withGradients(value: Node, gradients: readonly { of: Node; gradient: Node }[]): Node {
  return value.program.apply("withGradients", [value, ...gradients.map(({ of }) => of), ...gradients.map(({ gradient }) => gradient)], {});
}
