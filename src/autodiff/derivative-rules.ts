/**
 * @file The derivative of each primitive, as vector-Jacobian products: from g, the derivative of the loss by the
 * output, to that by each input. The table is exhaustive, so a primitive without its derivative does not compile. A
 * product is a function, called only where it is wanted.
 */

import * as o from "./operations.ts";
import type { Primitive, PrimitiveParams } from "./primitive.ts";
import type { Node } from "./program.ts";

/** The derivative by each input, by the place of the input; undefined where there is none. */
type Products = readonly ((() => Node) | undefined)[];

/** `y` is the node's own output, `x` its inputs. */
type DerivativeRule<P extends Primitive> = (g: Node, y: Node, x: readonly Node[], params: PrimitiveParams[P]) => Products;

const none = (): Products => [];

export const derivativeRules: { [P in Primitive]: DerivativeRule<P> } = {
  input: none,
  parameter: none,
  weight: none,
  full: none,

  neg: (g) => [() => o.neg(g)],
  exp: (g, y) => [() => o.mul(g, y)],
  log: (g, _, [x]) => [() => o.div(g, x!)],
  sqrt: (g, y) => [() => o.div(o.mul(g, 0.5), y)],
  reciprocal: (g, y) => [() => o.neg(o.mul(g, o.mul(y, y)))],
  sigmoid: (g, y) => [() => o.mul(g, o.mul(y, o.sub(1, y)))],
  tanh: (g, y) => [() => o.mul(g, o.sub(1, o.mul(y, y)))],
  erf: (g, _, [x]) => [() => o.mul(g, o.mul(o.exp(o.neg(o.mul(x!, x!))), 2 / Math.sqrt(Math.PI)))],
  silu: (g, y, [x]) => [() => o.mul(g, siluSlope(x!, y))],
  gelu: (g, _, [x], { approximate }) => [() => o.mul(g, approximate === "none" ? geluSlope(x!) : geluTanhSlope(x!))],
  cast: (g, _, [x]) => [() => o.cast(g, x!.type)],
  stopGradient: none,

  add: (g, _, [a, b]) => [() => o.sumTo(g, a!.shape), () => o.sumTo(g, b!.shape)],
  sub: (g, _, [a, b]) => [() => o.sumTo(g, a!.shape), () => o.neg(o.sumTo(g, b!.shape))],
  mul: (g, _, [a, b]) => [() => o.sumTo(o.mul(g, b!), a!.shape), () => o.sumTo(o.mul(g, a!), b!.shape)],
  div: (g, y, [a, b]) => [() => o.sumTo(o.div(g, b!), a!.shape), () => o.neg(o.sumTo(o.div(o.mul(g, y), b!), b!.shape))],
  equal: none,
  where: (g, _, [c, a, b]) => [
    undefined,
    () => o.sumTo(o.where(c!, g, zero(g)), a!.shape),
    () => o.sumTo(o.where(c!, zero(g), g), b!.shape),
  ],

  matmul: (g, _, [a, b], params) => [() => leftFactor(g, b!, params), () => o.sumTo(rightFactor(g, a!, b!, params), b!.shape)],
  transpose: (g, _, __, { permutation }) => [() => o.transpose(g, inverse(permutation))],
  reshape: (g, _, [x]) => [() => o.reshape(g, x!.shape)],
  broadcast: (g, _, [x]) => [() => o.sumTo(g, x!.shape)],
  sum: (g, _, [x]) => [() => o.broadcast(g, x!.shape)],
  max: (g, y, [x], { axes }) => [() => shareOfMaxima(g, y, x!, axes)],
  slice: (g, _, [x], { axis, start, end }) => [() => o.pad(g, axis, start, (x!.shape[axis] as number) - end)],
  pad: (g, _, [x], { axis, before }) => [() => o.slice(g, axis, before, before + (x!.shape[axis] as number))],
  concat: (g, _, parts, { axis }) => parts.map((part, at) => () => partOf(g, parts, at, part, axis)),

  gatherRows: (g, _, [table, indices]) => [() => o.scatterAddRows(zeros(table!), indices!, g)],
  scatterAddRows: (g, _, [, indices]) => [() => g, undefined, () => o.gatherRows(g, indices!)],
  takeAlongLast: (g, _, [x, indices]) => [() => o.scatterAddAlongLast(zeros(x!), indices!, g)],
  scatterAddAlongLast: (g, _, [, indices]) => [() => g, undefined, () => o.takeAlongLast(g, indices!)],

  softmax: (g, y) => [() => softmaxProduct(g, y)],
  logSumExp: (g, _, [x]) => [() => o.mul(g, o.softmax(x!))],

  rmsNorm: (g, _, [x, w], { epsilon }) => {
    const weighed = once(() => o.mul(asMatrix(g), asMatrix(x!)));
    return [() => rmsProduct(g, weighed(), x!, w!, epsilon), () => rmsWeightProduct(weighed(), x!, w!, epsilon)];
  },
  // d/dx (m + e)^(-1/2) = -y^3 x / H, m the mean of squares.
  inverseRms: (g, y, [x]) => [() => o.mul(x!, o.mul(o.mul(g, o.mul(y, o.mul(y, y))), -1 / lastSize(x!)))],
  standardize: (g, y, [x], { epsilon }) => [() => standardizeProduct(g, y, o.inverseDeviation(x!, epsilon))],
  // The same with x - mean, which is the standardised x over y.
  inverseDeviation: (g, y, [x], { epsilon }) => [() => o.mul(o.standardize(x!, epsilon), o.mul(o.mul(g, o.mul(y, y)), -1 / lastSize(x!)))],

  // A rotation's transpose is its inverse.
  rotary: (g, _, [, positions, cosines, sines], { inverse: turned }) => [
    () => o.rotary(g, { positions: positions!, cosines: cosines!, sines: sines! }, !turned),
  ],
  attentionMask: none,
  attentionWeights: (g, y, [q, k], { scale }) => scoreProducts(() => softmaxProduct(g, y), q!, k!, scale),
  attention: (g, y, [q, k, v, , p], { scale }) => {
    const scores = once(() => attentionScores(g, y, v!, p!));
    return [...scoreProducts(scores, q!, k!, scale), () => o.matmul(p!, g, { transposeA: true })];
  },

  dequantize: none,
  quantizedLinear: (g, _, [, blocks, scales], { blockSize }) => [() => o.matmul(g, o.dequantize(blocks!, scales!, blockSize))],
  dropoutMask: none,
  after: (g) => [() => g],
  withGradients: (g, _, [, ...rest]) => [undefined, ...rest.slice(rest.length / 2).map((gradient) => () => o.mul(gradient, g))],
};

/** d silu / dx = s + y (1 - s) with s = sigmoid(x). */
function siluSlope(x: Node, y: Node): Node {
  const s = o.sigmoid(x);
  return o.add(s, o.mul(y, o.sub(1, s)));
}

/** (1 + erf(x / sqrt(2))) / 2 + x exp(-x^2 / 2) / sqrt(2 pi). */
function geluSlope(x: Node): Node {
  const share = o.mul(o.add(o.erf(o.mul(x, Math.SQRT1_2)), 1), 0.5);
  const density = o.mul(o.exp(o.mul(o.mul(x, x), -0.5)), 1 / Math.sqrt(2 * Math.PI));
  return o.add(share, o.mul(x, density));
}

/** With t = tanh(c (x + a x^3)): (1 + t) / 2 + x (1 - t^2) c (1 + 3 a x^2) / 2. */
function geluTanhSlope(x: Node): Node {
  const c = Math.sqrt(2 / Math.PI);
  const a = 0.044715;
  const squared = o.mul(x, x);
  const t = o.tanh(o.mul(x, o.add(o.mul(squared, a * c), c)));
  const inner = o.mul(x, o.add(o.mul(squared, (3 * a * c) / 2), c / 2));
  return o.add(o.mul(o.add(t, 1), 0.5), o.mul(inner, o.sub(1, o.mul(t, t))));
}

/** y = alpha A' B' with A' = A or Aᵀ: dA' = alpha g B'ᵀ. */
function leftFactor(g: Node, b: Node, { transposeA, transposeB, alpha }: PrimitiveParams["matmul"]): Node {
  return transposeA
    ? o.matmul(b, g, { transposeA: transposeB, transposeB: true, alpha })
    : o.matmul(g, b, { transposeB: !transposeB, alpha });
}

/** dB' = alpha A'ᵀ g. A right factor without the left one's batch axes met all of them: they become rows. */
function rightFactor(g: Node, a: Node, b: Node, { transposeA, transposeB, alpha }: PrimitiveParams["matmul"]): Node {
  if (b.shape.length === 2 && a.shape.length > 2 && !transposeA) {
    return rightFactor(asMatrix(g), asMatrix(a), b, { transposeA, transposeB, alpha });
  }
  return transposeB
    ? o.matmul(g, a, { transposeA: true, transposeB: transposeA, alpha })
    : o.matmul(a, g, { transposeA: !transposeA, alpha });
}

function asMatrix(x: Node): Node {
  return o.reshape(x, [x.shape.slice(0, -1).reduce((product, size) => product * size, 1), lastSize(x)]);
}

function shareOfMaxima(g: Node, y: Node, x: Node, axes: readonly number[]): Node {
  const one = x.program.full(1);
  const isLargest = o.where(o.equal(x, y), one, x.program.full(0));
  return o.mul(isLargest, o.div(g, o.sum(isLargest, axes)));
}

function partOf(g: Node, parts: readonly Node[], at: number, part: Node, axis: number): Node {
  const start = parts.slice(0, at).reduce((sum, { shape }) => sum + (shape[axis] as number), 0);
  return o.slice(g, axis, start, start + (part.shape[axis] as number));
}

/** y (g - sum(g y)). */
function softmaxProduct(g: Node, y: Node): Node {
  return o.mul(y, o.sub(g, o.sumLast(o.mul(g, y))));
}

/**
 * r g w - x r^3 mean(g w x) with r = 1 / rms(x). The mean is a product of g x, which the derivative by w needs too, and
 * w.
 */
function rmsProduct(g: Node, weighed: Node, x: Node, w: Node, epsilon: number): Node {
  const r = o.inverseRms(x, epsilon);
  const size = lastSize(x);
  const mean = o.reshape(o.matmul(weighed, o.reshape(w, [size, 1]), { alpha: 1 / size }), r.shape);
  const share = o.mul(mean, o.mul(r, o.mul(r, r)));
  return o.sub(o.mul(o.mul(g, w), r), o.mul(x, share));
}

/** Sum over the rows of g x r: a product with r. */
function rmsWeightProduct(weighed: Node, x: Node, w: Node, epsilon: number): Node {
  const rows = weighed.shape[0] as number;
  const r = o.reshape(o.inverseRms(x, epsilon), [rows, 1]);
  return o.reshape(o.matmul(r, weighed, { transposeA: true }), w.shape);
}

/** r (g - mean(g) - y mean(g y)) with r = 1 / deviation(x). */
function standardizeProduct(g: Node, y: Node, r: Node): Node {
  return o.mul(r, o.sub(o.sub(g, o.meanLast(g)), o.mul(y, o.meanLast(o.mul(g, y)))));
}

/** The derivatives by q and by k, from that by scale q kᵀ + mask, which both need. */
function scoreProducts(scores: () => Node, q: Node, k: Node, scale: number): (() => Node)[] {
  const shared = once(scores);
  return [() => o.matmul(shared(), k, { alpha: scale }), () => o.matmul(shared(), q, { transposeA: true, alpha: scale })];
}

/**
 * p (g vᵀ - sum(g y)): the row sums of g vᵀ p are those of g y, which is smaller (Dao et al. 2022, FlashAttention,
 * appendix B.2). The product subtracts them itself, as one more column of g beside a column of ones: a pass less over
 * [T, T].
 */
function attentionScores(g: Node, y: Node, v: Node, p: Node): Node {
  const last = g.shape.length - 1;
  const ones = g.program.full(1, v.shape.with(last, 1));
  const extended = o.concat([g, o.neg(o.sumLast(o.mul(g, y)))], last);
  return o.mul(p, o.matmul(extended, o.concat([v, ones], last), { transposeB: true }));
}

function inverse(permutation: readonly number[]): number[] {
  return permutation.map((_, axis) => permutation.indexOf(axis));
}

function lastSize(x: Node): number {
  return x.shape.at(-1) as number;
}

function zero(x: Node): Node {
  return x.program.full(0);
}

function zeros(x: Node): Node {
  return x.program.full(0, x.shape);
}

function once<T>(make: () => T): () => T {
  let made: { value: T } | undefined;
  return () => (made ??= { value: make() }).value;
}
