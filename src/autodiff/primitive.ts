/**
 * @file The primitives of programs under differentiation and the typed parameters of each; rule tables over them are
 * exhaustive.
 */

/** Sizes of all dimensions: a program is written for one shape of everything. */
export type Shape = readonly number[];

/** Derivatives exist for float32 alone; the others are indices, masks and quantised weights. */
export type ElementType = "float32" | "int32" | "int64" | "bool" | "uint8";

type None = Readonly<Record<string, never>>;

/**
 * Parameters by primitive. Binary primitives broadcast as ONNX and NumPy do: shapes are aligned at their ends, and a
 * size of 1 stretches. "Rows" are the first axis of a matrix; "last" is the last axis.
 */
export interface PrimitiveParams {
  /** What each run is fed with. */
  input: { name: string };
  /** A weight that is trained: fed at each run, since it changes. */
  parameter: { name: string };
  /** A weight that never changes: it lies in a file that the graph points to. */
  weight: { name: string };
  /** Every element is `value`. */
  full: { value: number };

  neg: None;
  exp: None;
  log: None;
  sqrt: None;
  reciprocal: None;
  sigmoid: None;
  tanh: None;
  /** 2 / sqrt(pi) times the integral of exp(-t^2) from 0 to x. */
  erf: None;
  /** x sigmoid(x), Elfwing et al. 2018. */
  silu: None;
  /**
   * x P(X <= x) of a normal X, Hendrycks and Gimpel 2016: none is 0.5 x (1 + erf(x / sqrt(2))), tanh their
   * approximation 0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))).
   */
  gelu: { approximate: "none" | "tanh" };
  cast: { to: ElementType };
  /** The value, through which no derivative flows. */
  stopGradient: None;

  add: None;
  sub: None;
  mul: None;
  div: None;
  /** bool. */
  equal: None;
  /** condition, where true, where false. */
  where: None;

  /** alpha times the product of the last two axes; axes before them are equal, or absent on the right. */
  matmul: { transposeA: boolean; transposeB: boolean; alpha: number };
  transpose: { permutation: readonly number[] };
  reshape: { shape: Shape };
  broadcast: { shape: Shape };
  /** The sum over axes, which stay with size 1. */
  sum: { axes: readonly number[] };
  /** The maximum over axes, which stay with size 1; equal maxima share the derivative. */
  max: { axes: readonly number[] };
  slice: { axis: number; start: number; end: number };
  /** Zeros before and after. */
  pad: { axis: number; before: number; after: number };
  concat: { axis: number };

  /** table [V, H], indices [N] -> [N, H]. */
  gatherRows: None;
  /** base [V, H], indices [N], updates [N, H] -> base plus the updates, rows of one index added in their order. */
  scatterAddRows: None;
  /** x [..., V], indices [..., K] -> [..., K]. */
  takeAlongLast: None;
  /** base [..., V], indices [..., K], updates [..., K] -> base plus the updates. */
  scatterAddAlongLast: None;

  softmax: None;
  /** log of the sum of exponentials over the last axis, which stays with size 1. */
  logSumExp: None;

  /** x [..., H], weight [H] (Zhang and Sennrich 2019, equation 4). */
  rmsNorm: { epsilon: number };
  /** x [..., H] -> 1 / sqrt(mean(x^2) + epsilon), [..., 1]. */
  inverseRms: { epsilon: number };
  /** x [..., H] -> (x - mean) / sqrt(variance + epsilon) (Ba et al. 2016, equation 3, before gain and bias). */
  standardize: { epsilon: number };
  /** x [..., H] -> 1 / sqrt(variance + epsilon), [..., 1]. */
  inverseDeviation: { epsilon: number };

  /**
   * x [B, T, heads * D], positions [B, T] int64, cosines and sines [P, D / 2]: pairs (i, i + D / 2) of each head turned
   * by their position.
   */
  rotary: { inverse: boolean };
  /**
   * segments [B, T] int32 -> [B, 1, T, T]: 0 where a place may look (itself and earlier places of its segment), hugely
   * negative elsewhere.
   */
  attentionMask: None;
  /**
   * query [B, K, G * T, D] (the G query heads of each key head one after the other), key [B, K, T, D], mask
   * [B, 1, T, T] -> softmax(scale query keyᵀ + mask), [B, K, G * T, T].
   */
  attentionWeights: { scale: number };
  /**
   * query, key, value, mask, and weights = attentionWeights(query, key, mask) -> weights value, [B, K, G * T, D]. The
   * weights are given so that forward and backward share them; the derivative by query and key flows through this
   * primitive, none through them.
   */
  attention: { scale: number };

  /**
   * blocks [outputs, inputs] uint8, scales [outputs, inputs / blockSize] -> scale (block - 128), float32
   * [outputs, inputs].
   */
  dequantize: { blockSize: number };
  /**
   * x [N, inputs], blocks, scales -> x dequantize(blocks, scales)ᵀ: the weights are dequantised anew where they are
   * needed and never kept.
   */
  quantizedLinear: { blockSize: number };

  /**
   * seed [2] int32, a hash of which and of `stream` and place decides: 0 with probability `rate`, else 1 / (1 - rate).
   * [rows, columns].
   */
  dropoutMask: { rate: number; stream: number; shape: Shape };

  /**
   * The first input, but not before the others are computed: an order of execution for values that would otherwise wait
   * in memory.
   */
  after: None;
  /** value (a scalar), then n float32 tensors, then the derivative of value by each, computed with it: value. */
  withGradients: None;
}

export type Primitive = keyof PrimitiveParams;
