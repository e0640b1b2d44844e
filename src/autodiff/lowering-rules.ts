/** @file Each primitive as nodes of ONNX and of ONNX Runtime's contributed operators. The table is exhaustive. */

import { elementTypes } from "../onnx/data-type.ts";
import type { Graph, GraphNode, InitializerData, Value } from "../onnx/graph.ts";
import { lowerDropoutMask } from "./lower-dropout.ts";
import type { Primitive } from "./primitive.ts";
import type { Node } from "./program.ts";

export interface Lowering {
  graph: Graph;
  /** Where the bytes of a weight are. */
  weightData: (name: string) => InitializerData;
  /** What a norm has computed of its input beside its output, by the input and epsilon. */
  norms: Map<string, Value>;
}

type LoweringRule<P extends Primitive> = (lowering: Lowering, x: readonly Value[], node: Node<P>) => Value;

export const loweringRules: { [P in Primitive]: LoweringRule<P> } = {
  input: ({ graph }, _, { params, type, shape }) => graph.input(params.name, type, shape),
  parameter: ({ graph }, _, { params, type, shape }) => graph.input(params.name, type, shape),
  weight: ({ graph, weightData }, _, { params, type, shape }) => graph.initializer(params.name, type, shape, weightData(params.name)),
  full: ({ graph }, _, { params, shape }) => {
    if (shape.length === 0) return graph.float(params.value);
    if (params.value === 0) return graph.op("ConstantOfShape", [graph.int64s(...shape)]);
    return graph.op("Expand", [graph.float(params.value), graph.int64s(...shape)]);
  },

  neg: plain("Neg"),
  exp: plain("Exp"),
  log: plain("Log"),
  sqrt: plain("Sqrt"),
  reciprocal: plain("Reciprocal"),
  sigmoid: plain("Sigmoid"),
  tanh: plain("Tanh"),
  erf: plain("Erf"),
  silu: ({ graph }, x) => graph.microsoft("QuickGelu", x, { alpha: { float: 1 } }),
  gelu: ({ graph }, x, { params }) => graph.op("Gelu", x, { approximate: { string: params.approximate } }),
  cast: ({ graph }, x, { params }) => graph.op("Cast", x, { to: { int: elementTypes[params.to] } }),
  stopGradient: (_, [x]) => x!,

  add: plain("Add"),
  sub: plain("Sub"),
  mul: plain("Mul"),
  div: plain("Div"),
  equal: plain("Equal"),
  where: plain("Where"),

  matmul: ({ graph }, x, { params }) => emitProduct(graph, x, params),
  transpose: ({ graph }, x, { params }) => graph.op("Transpose", x, { perm: { ints: params.permutation } }),
  reshape: ({ graph }, [x], { params }) => emitReshape(graph, x!, params.shape),
  broadcast: ({ graph }, [x], { params }) => graph.op("Expand", [x, graph.int64s(...params.shape)]),
  sum: ({ graph }, [x], { params }) => emitSum(graph, x!, params.axes),
  max: ({ graph }, [x], { params }) => graph.op("ReduceMax", [x, graph.int64s(...params.axes)], keepDimensions),
  slice: ({ graph }, [x], { params }) =>
    graph.op("Slice", [x, graph.int64s(params.start), graph.int64s(params.end), graph.int64s(params.axis)]),
  pad: ({ graph }, [x], { params: { axis, before, after }, shape }) => {
    const pads = [...shape.map((_, at) => (at === axis ? before : 0)), ...shape.map((_, at) => (at === axis ? after : 0))];
    return graph.op("Pad", [x, graph.int64s(...pads)]);
  },
  concat: ({ graph }, x, { params }) => graph.op("Concat", x, { axis: { int: params.axis } }),

  gatherRows: ({ graph }, x) => graph.op("Gather", x, { axis: { int: 0 } }),
  // ScatterElements adds one update after the other; ScatterND shares them out to threads, which race for rows that
  // occur twice.
  scatterAddRows: ({ graph }, [base, indices, updates], { inputs }) => {
    const column = graph.op("Unsqueeze", [indices, graph.int64s(1)]);
    const everywhere = graph.op("Expand", [column, graph.int64s(...inputs[2]!.shape)]);
    return graph.op("ScatterElements", [base, everywhere, updates], { axis: { int: 0 }, reduction: { string: "add" } });
  },
  takeAlongLast: ({ graph }, x) => graph.op("GatherElements", x, { axis: { int: -1 } }),
  scatterAddAlongLast: ({ graph }, x) => graph.op("ScatterElements", x, { axis: { int: -1 }, reduction: { string: "add" } }),

  softmax: ({ graph }, x) => graph.op("Softmax", x, { axis: { int: -1 } }),
  // ReduceLogSumExp is many times slower.
  logSumExp: ({ graph }, [x], { shape }) => {
    const last = shape.length - 1;
    const largest = graph.op("ReduceMax", [x, graph.int64s(last)], keepDimensions);
    const mass = emitSum(graph, graph.op("Exp", [graph.op("Sub", [x, largest])]), [last]);
    return graph.op("Add", [largest, graph.op("Log", [mass])]);
  },

  rmsNorm: ({ graph, norms }, [x, weight], { params }) => {
    const [normed, inverse] = graph.ops("SimplifiedLayerNormalization", [x, weight], 2, normAttributes(params.epsilon)) as [Value, Value];
    norms.set(`rms ${x} ${params.epsilon}`, inverse);
    return normed;
  },
  inverseRms: ({ graph, norms }, [x], { params, inputs }) => {
    const known = norms.get(`rms ${x} ${params.epsilon}`);
    if (known !== undefined) return known;
    const { shape } = inputs[0]!;
    const squares = graph.op("ReduceSumSquare", [x, graph.int64s(shape.length - 1)], keepDimensions);
    return inverseRoot(graph, graph.op("Mul", [squares, graph.float(1 / (shape.at(-1) as number))]), params.epsilon);
  },
  standardize: ({ graph, norms }, [x], { params, shape }) => {
    const size = shape.at(-1) as number;
    const ones = graph.once(`ones ${size}`, () => graph.constant("float32", [size], new Float32Array(size).fill(1)));
    const outputs = graph.ops("LayerNormalization", [x, ones], [true, false, true], normAttributes(params.epsilon));
    norms.set(`deviation ${x} ${params.epsilon}`, outputs[2] as Value);
    return outputs[0] as Value;
  },
  inverseDeviation: ({ graph, norms }, [x], { params, inputs }) => {
    const known = norms.get(`deviation ${x} ${params.epsilon}`);
    if (known !== undefined) return known;
    const last = graph.int64s(inputs[0]!.shape.length - 1);
    const centred = graph.op("Sub", [x, graph.op("ReduceMean", [x, last], keepDimensions)]);
    return inverseRoot(graph, graph.op("ReduceMean", [graph.op("Mul", [centred, centred]), last], keepDimensions), params.epsilon);
  },

  rotary: ({ graph }, [x, positions, cosines, sines], { params }) => {
    const turned = params.inverse ? graph.once(`neg ${sines}`, () => graph.op("Neg", [sines])) : sines;
    return graph.microsoft("RotaryEmbedding", [x, positions, cosines, turned], { interleaved: { int: 0 } });
  },
  attentionMask: ({ graph }, [segments], { inputs }) => {
    const [, length] = inputs[0]!.shape as [number, number];
    const asQuery = graph.op("Unsqueeze", [segments, graph.int64s(1, 3)]);
    const asKey = graph.op("Unsqueeze", [segments, graph.int64s(1, 2)]);
    const causal = graph.once(`causal ${length}`, () =>
      graph.constant(
        "bool",
        [length, length],
        Uint8Array.from({ length: length ** 2 }, (_, at) => Number(at % length <= at / length)),
      ),
    );
    const isSeen = graph.op("And", [graph.op("Equal", [asQuery, asKey]), causal]);
    return graph.op("Where", [isSeen, graph.float(0), graph.float(unseen)]);
  },
  attentionWeights: ({ graph }, [query, key, mask], { params, shape }) => {
    const [rows, kvHeads, queries, length] = shape as [number, number, number, number];
    const scores = emitProduct(graph, [query!, key!], { transposeA: false, transposeB: true, alpha: params.scale });
    const byHead = emitReshape(graph, scores, [rows, kvHeads * (queries / length), length, length]);
    const weights = graph.op("Softmax", [graph.op("Add", [byHead, mask])], { axis: { int: -1 } });
    return emitReshape(graph, weights, shape);
  },
  attention: ({ graph }, [, , value, , weights]) => graph.op("MatMul", [weights, value]),

  dequantize: ({ graph }, [blocks, scales], { params }) => emitDequantized(graph, blocks!, scales!, params.blockSize),
  quantizedLinear: ({ graph }, [x, blocks, scales], { params }) => {
    const weight = emitDequantized(graph, blocks!, scales!, params.blockSize);
    return emitProduct(graph, [x!, weight], { transposeA: false, transposeB: true, alpha: 1 });
  },
  dropoutMask: ({ graph }, [seed], { params }) => lowerDropoutMask(graph, seed!, params),
  // A reshape moves nothing. Its shape is made of nothing of each of the others, which therefore come first.
  after: ({ graph }, [x, ...others], { shape }) => {
    const nothing = others.map((other) => graph.op("Slice", [graph.op("Shape", [other]), graph.int64s(0), graph.int64s(0)]));
    return graph.op("Reshape", [x, graph.op("Concat", [graph.int64s(...shape), ...nothing], { axis: { int: 0 } })]);
  },
  withGradients: (_, [value]) => value!,
};

/** Far below any score, and far from where sums with it would overflow. */
const unseen = -1e30;

const keepDimensions = { keepdims: { int: 1 } };

function plain(op: string): (lowering: Lowering, x: readonly Value[]) => Value {
  return ({ graph }, x) => graph.op(op, x);
}

function emitProduct(
  graph: Graph,
  x: readonly Value[],
  { transposeA, transposeB, alpha }: { transposeA: boolean; transposeB: boolean; alpha: number },
): Value {
  if (!transposeA && !transposeB && alpha === 1) return graph.op("MatMul", x);
  return graph.microsoft("FusedMatMul", x, {
    transA: { int: Number(transposeA) },
    transB: { int: Number(transposeB) },
    alpha: { float: alpha },
  });
}

function emitReshape(graph: Graph, x: Value, shape: readonly number[]): Value {
  return graph.op("Reshape", [x, graph.int64s(...shape)]);
}

function emitSum(graph: Graph, x: Value, axes: readonly number[]): Value {
  return graph.op("ReduceSum", [x, graph.int64s(...axes)], keepDimensions);
}

function normAttributes(epsilon: number): GraphNode["attributes"] {
  return { axis: { int: -1 }, epsilon: { float: epsilon } };
}

/** 1 / sqrt(x + epsilon). */
function inverseRoot(graph: Graph, x: Value, epsilon: number): Value {
  return graph.op("Reciprocal", [graph.op("Sqrt", [graph.op("Add", [x, graph.float(epsilon)])])]);
}

function emitDequantized(graph: Graph, blocks: Value, scales: Value, blockSize: number): Value {
  const zeroPoints = graph.once(`zero points ${scales}`, () => {
    const zero = graph.once("zero point", () => graph.constant("uint8", [], Uint8Array.of(128)));
    return graph.op("Expand", [zero, graph.op("Shape", [scales])]);
  });
  return graph.op("DequantizeLinear", [blocks, scales, zeroPoints], { axis: { int: 1 }, block_size: { int: blockSize } });
}
