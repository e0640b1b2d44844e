/**
 * @file Which of ONNX Runtime's 8-bit products are exact on this processor. Where x86 has no VNNI instructions, sums of two products of an
 * unsigned and a signed byte are cut at 16 bits (ONNX Runtime, "Quantize ONNX models", section on U8S8 and saturation); those of two unsigned
 * bytes are not.
 */

import { byteTypes, emitByteProduct, storedBytes, type ByteType } from "../architectures/byte-products.ts";
import { Graph } from "../onnx/graph.ts";
import { writeModel } from "../onnx/write.ts";
import { loadSession, tensor } from "./session.ts";

/** The first type whose products are exact, in the order of their speed; undefined for none. */
export async function exactByteType(): Promise<ByteType | undefined> {
  for (const type of byteTypes) if (await byteProductsAreExact(type)) return type;
  return undefined;
}

/** Multiplies the largest bytes that there are, whose sums of two pass 16 bits, in a product of the kind that models are served with. */
export async function byteProductsAreExact(type: ByteType): Promise<boolean> {
  const [rows, inner, columns] = [4, 64, 32];
  const graph = new Graph();
  const left = graph.input("left", "uint8", [rows, inner]);
  const right = graph.input("right", type, [inner, columns]);
  graph.output("product", emitByteProduct(graph, left, right, type, graph.float(1)), "float32", [rows, columns]);
  const session = await loadSession(writeModel(graph), { threads: 1, spinning: false });
  try {
    const feeds = {
      left: tensor("uint8", new Uint8Array(rows * inner).fill(255), [rows, inner]),
      right: tensor(type, storedBytes(new Int8Array(inner * columns).fill(127), type), [inner, columns]),
    };
    const outputs = await session.run(feeds, { product: null });
    const sums = outputs["product"]?.data as Float32Array;
    return sums.every((sum) => sum === inner * (255 - 128) * 127);
  } finally {
    await session.dispose();
  }
}
