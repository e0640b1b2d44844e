/** @file Products with weights in blocks of 4 or 8 bits: `MatMulNBits` of ONNX Runtime's own operators. */

import type { Graph, Value } from "../../onnx/graph.ts";

export interface BlockWeights {
  /** Outputs, blocks and bytes of a block: uint8. */
  data: Value;
  /** float32, one a block. */
  scales: Value;
  inputs: number;
  outputs: number;
  bits: 4 | 8;
  blockSize: number;
}

/**
 * x [M, inputs] -> [M, outputs], with products in int8 (accuracy_level 4), whose rows do not depend on the batch
 * (docs/LOG.md).
 * @param neverAlone a row is added and left out again, for processors that multiply one row otherwise than several
 * (runtime/cpu/integer-products.ts)
 */
export function emitBlockProduct(graph: Graph, x: Value, weights: BlockWeights, neverAlone: boolean): Value {
  const { data, scales, inputs, outputs, bits, blockSize } = weights;
  const attributes = {
    K: { int: inputs },
    N: { int: outputs },
    bits: { int: bits },
    block_size: { int: blockSize },
    accuracy_level: { int: 4 },
  };
  const product = (rows: Value): Value => graph.microsoft("MatMulNBits", [rows, data, scales], attributes);
  if (!neverAlone) return product(x);
  const first = graph.int64s(0);
  const rows = graph.op("Concat", [x, graph.op("Slice", [x, first, graph.int64s(1), first])], { axis: { int: 0 } });
  return graph.op("Slice", [product(rows), first, graph.int64s(-1), first]);
}
