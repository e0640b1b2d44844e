/**
 * @file Every primitive as a function of arguments, under the name that PyTorch's results have in
 * test/oracle/training/primitives.json.
 */

import * as o from "../../src/autodiff/operations.ts";
import type { ElementType, Primitive } from "../../src/autodiff/primitive.ts";
import type { Node, Program } from "../../src/autodiff/program.ts";
import type { ElementArray } from "../../src/onnx/data-type.ts";

/** Adds an input that is not differentiated. */
export type Fixed = (type: ElementType, shape: readonly number[], data: ElementArray) => Node;

type Case = (x: readonly Node[], fixed: Fixed, program: Program) => Node;

const ids = (fixed: Fixed): Node => fixed("int32", [4], Int32Array.of(2, 0, 2, 1));
const columns = (fixed: Fixed): Node => fixed("int32", [3, 2], Int32Array.of(1, 3, 0, 0, 2, 1));
const segments = (fixed: Fixed): Node => fixed("int32", [2, 3], Int32Array.of(0, 0, 1, 0, 0, 0));

/** Position p turns the pairs of a head by 1.4 p and 1.4 p + 0.7. */
function rotation(fixed: Fixed): o.Rotation {
  const angles = Array.from({ length: 6 }, (_, at) => at * 0.7);
  return {
    positions: fixed("int64", [2, 3], BigInt64Array.of(0n, 1n, 2n, 0n, 1n, 2n)),
    cosines: fixed("float32", [3, 2], Float32Array.from(angles, Math.cos)),
    sines: fixed("float32", [3, 2], Float32Array.from(angles, Math.sin)),
  };
}

export const primitiveCases: Record<string, Case> = {
  neg: ([x]) => o.neg(x!),
  exp: ([x]) => o.exp(x!),
  log: ([x]) => o.log(x!),
  sqrt: ([x]) => o.sqrt(x!),
  reciprocal: ([x]) => o.reciprocal(x!),
  sigmoid: ([x]) => o.sigmoid(x!),
  tanh: ([x]) => o.tanh(x!),
  silu: ([x]) => o.silu(x!),
  erf: ([x]) => o.erf(x!),
  gelu: ([x]) => o.gelu(x!),
  "gelu exact": ([x]) => o.gelu(x!, "none"),
  cast: ([x], _, program) => program.apply("cast", [x!], { to: "float32" }),
  stopGradient: ([x, y]) => o.mul(o.stopGradient(x!), y!),
  add: ([x, y]) => o.add(x!, y!),
  sub: ([x, y]) => o.sub(x!, y!),
  mul: ([x, y]) => o.mul(x!, y!),
  div: ([x, y]) => o.div(x!, y!),
  where: ([x, y], fixed) => o.where(o.equal(segments(fixed), fixed("int32", [1], Int32Array.of(0))), x!, y!),
  matmul: ([a, b]) => o.matmul(a!, b!),
  "matmul transposed": ([a, b]) => o.matmul(a!, b!, { transposeA: true, transposeB: true, alpha: 0.5 }),
  "matmul right transposed": ([a, b]) => o.matmul(a!, b!, { transposeB: true }),
  "matmul left transposed": ([a, b]) => o.matmul(a!, b!, { transposeA: true, alpha: 2 }),
  "matmul batched": ([a, b]) => o.matmul(a!, b!, { transposeB: true }),
  "matmul batched by one": ([a, b]) => o.matmul(a!, b!),
  transpose: ([x]) => o.transpose(x!, [2, 0, 1]),
  reshape: ([x]) => o.reshape(x!, [4, 6]),
  broadcast: ([x]) => o.broadcast(x!, [2, 3, 4]),
  sum: ([x]) => o.sum(x!, [0, 2]),
  mean: ([x]) => o.meanLast(x!),
  max: ([x]) => o.max(x!, [0, 2]),
  slice: ([x]) => o.slice(x!, 1, 1, 3),
  pad: ([x]) => o.pad(x!, 0, 1, 2),
  concat: ([x, y]) => o.concat([x!, y!], 1),
  split: ([x]) => o.mul(o.slice(x!, 1, 0, 2), o.slice(x!, 1, 2, 4)),
  gatherRows: ([x], fixed) => o.gatherRows(x!, ids(fixed)),
  scatterAddRows: ([x, y], fixed) => o.scatterAddRows(x!, ids(fixed), y!),
  takeAlongLast: ([x], fixed) => o.takeAlongLast(x!, columns(fixed)),
  scatterAddAlongLast: ([x, y], fixed) => o.scatterAddAlongLast(x!, columns(fixed), y!),
  softmax: ([x]) => o.softmax(x!),
  logSumExp: ([x]) => o.logSumExp(x!),
  rmsNorm: ([x, w]) => o.rmsNorm(x!, w!, 1e-3),
  inverseRms: ([x]) => o.inverseRms(x!, 1e-3),
  standardize: ([x]) => o.standardize(x!, 1e-3),
  inverseDeviation: ([x]) => o.inverseDeviation(x!, 1e-3),
  layerNorm: ([x, w, b]) => o.layerNorm(x!, w!, b!, 1e-3),
  rotary: ([x], fixed) => o.rotary(x!, rotation(fixed)),
  "rotary inverse": ([x], fixed) => o.rotary(x!, rotation(fixed), true),
  attentionWeights: ([q, k], fixed) => o.attentionWeights(q!, k!, o.attentionMask(segments(fixed)), 0.5),
  attention: ([q, k, v], fixed) => o.attention(q!, k!, v!, o.attentionMask(segments(fixed)), 0.5),
};

/** Leaves, and primitives that have no derivative; the rest must have a case above (test: "every primitive"). */
export const withoutDerivative: readonly Primitive[] = [
  "input",
  "parameter",
  "weight",
  "full",
  "equal",
  "attentionMask",
  "dequantize",
  "dropoutMask",
];
