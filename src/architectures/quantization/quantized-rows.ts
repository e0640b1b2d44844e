/**
 * @file Activations as 8-bit integers: one scale a row, so that a row's numbers do not depend on the rows beside it.
 */

import type { Graph, Value } from "../../onnx/graph.ts";

/**
 * Rows along the last axis: x ≈ scales * (rows - 128), |rows - 128| <= 127.
 * @param shape of x; only its rank and its last dimension are read
 * @param group calls of one rank and one group in a graph have the same number of rows, since they share their zero
 * points
 * @returns rows uint8 of x's shape; scales float32, of that shape with a last dimension of 1
 */
export function emitQuantizedRows(graph: Graph, x: Value, shape: readonly number[], group = "all"): { rows: Value; scales: Value } {
  const rank = shape.length;
  const largest = graph.op("ReduceMax", [graph.op("Abs", [x]), graph.int64s(-1)], { keepdims: { int: 1 } });
  // A row of zeros has a scale of zero: whatever integers 0 / 0 becomes, they are zero again once multiplied by it.
  const scales = graph.op("Mul", [largest, graph.float(1 / 127)]);
  const zeroPoints = graph.once(`zero_points_${rank}_${group}`, () => {
    const one = graph.constant(
      "uint8",
      shape.map(() => 1),
      Uint8Array.of(128),
    );
    return graph.op("Expand", [one, graph.op("Shape", [scales])]);
  });
  // A block as long as the row takes scales of the row's rank, which multiply the product as they are.
  const blocks = { axis: { int: rank - 1 }, block_size: { int: shape[rank - 1] as number } };
  return { rows: graph.op("QuantizeLinear", [x, scales, zeroPoints], blocks), scales };
}
