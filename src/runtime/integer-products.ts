/**
 * @file Whether ONNX Runtime's 8-bit products are exact on this processor. Where x86 has no VNNI instructions, sums of two products of an
 * unsigned and a signed byte are cut at 16 bits (ONNX Runtime, "Quantize ONNX models", section on U8S8 and saturation).
 */

import { Graph } from "../onnx/graph.ts";
import { writeModel } from "../onnx/write.ts";
import { loadSession, tensor } from "./session.ts";

/** Multiplies the largest bytes that there are, whose sums of two pass 16 bits, in a product of the kind that models are served with. */
export async function integerProductsAreExact(): Promise<boolean> {
  const [rows, inner, columns] = [4, 64, 32];
  const graph = new Graph();
  const left = graph.input("left", "uint8", [rows, inner]);
  const right = graph.input("right", "int8", [inner, columns]);
  graph.output("product", graph.microsoft("MatMulIntegerToFloat", [left, right, graph.float(1), graph.float(1)]), "float32", [
    rows,
    columns,
  ]);
  const session = await loadSession(writeModel(graph), { threads: 1, spinning: false });
  try {
    const feeds = {
      left: tensor("uint8", new Uint8Array(rows * inner).fill(255), [rows, inner]),
      right: tensor("int8", new Int8Array(inner * columns).fill(127), [inner, columns]),
    };
    const outputs = await session.run(feeds, { product: null });
    const sums = outputs["product"]?.data as Float32Array;
    return sums.every((sum) => sum === inner * 255 * 127);
  } finally {
    await session.dispose();
  }
}
