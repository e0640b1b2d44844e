/**
 * @file What ONNX Runtime's integer products are on this processor. Where x86 has no VNNI instructions, sums of two
 * products of an unsigned and a signed byte are cut at 16 bits (ONNX Runtime, "Quantize ONNX models", section on U8S8
 * and saturation); those of two unsigned bytes are not, and take a tenth longer. Weights are made so that nothing is
 * cut (tensor/quantize.ts); caches hold what comes. And without AVX-512 a row alone is multiplied by 4-bit blocks in
 * another order than several are (seen with 1.30).
 */

import { emitBlockProduct } from "../../architectures/quantization/block-products.ts";
import { byteTypes, emitByteProduct, storedBytes, type ByteType } from "../../architectures/quantization/byte-products.ts";
import { Graph } from "../../onnx/graph.ts";
import { writeModel } from "../../onnx/write.ts";
import { largestPair } from "../../tensor/quantize.ts";
import { loadSession, tensor } from "../session.ts";

export interface ProcessorKernels {
  /** The type of bytes of any size whose products are exact; undefined for none. */
  exactCaches: ByteType | undefined;
  /** Whether products with weights as `quantizeChannels8` makes them are exact. */
  exactWeights: boolean;
  /** Whether a row times 4-bit blocks has the same bits alone and among others. */
  fourBitRowsAgree: boolean;
}

let probed: Promise<ProcessorKernels> | undefined;

/** The processor stays the same: it is probed once, however many models are opened. */
export function probeKernels(): Promise<ProcessorKernels> {
  return (probed ??= probe());
}

async function probe(): Promise<ProcessorKernels> {
  return {
    exactCaches: await exactByteType(),
    exactWeights: await byteProductsAreExact("int8", largestPair / 2),
    fourBitRowsAgree: await fourBitRowsAgree(),
  };
}

/** Multiplies one row alone and beside itself. */
async function fourBitRowsAgree(): Promise<boolean> {
  const [inputs, outputs, blockSize] = [96, 64, 32];
  const blocks = (outputs * inputs) / blockSize;
  const graph = new Graph();
  const bytes = Uint8Array.from({ length: (outputs * inputs) / 2 }, (_, at) => (at * 197) % 256);
  const data = graph.constant("uint8", [outputs, inputs / blockSize, blockSize / 2], bytes);
  const scales = graph.constant(
    "float32",
    [blocks],
    Float32Array.from({ length: blocks }, (_, at) => Math.sin(at + 1)),
  );
  const x = graph.input("x", "float32", ["M", inputs]);
  graph.output("y", emitBlockProduct(graph, x, { data, scales, inputs, outputs, bits: 4, blockSize }, false), "float32", ["M", outputs]);
  const session = await loadSession(writeModel(graph), { threads: 1, spinning: false });
  const row = Float32Array.from({ length: inputs }, (_, at) => Math.sin(7 * at));
  const product = async (count: number): Promise<Float32Array> => {
    const rows = new Float32Array(count * inputs);
    for (let at = 0; at < count; at++) rows.set(row, at * inputs);
    return (await session.run({ x: tensor("float32", rows, [count, inputs]) }, { y: null }))["y"]?.data as Float32Array;
  };
  try {
    const [alone, among] = [await product(1), await product(5)];
    return among.every((value, at) => value === alone[at % outputs]);
  } finally {
    await session.dispose();
  }
}

/** The first type whose products are exact, in the order of their speed; undefined for none. */
export async function exactByteType(): Promise<ByteType | undefined> {
  for (const type of byteTypes) if (await byteProductsAreExact(type, 127)) return type;
  return undefined;
}

/**
 * Multiplies the largest rows that there are by the largest and smallest columns, in a product of the kind that models
 * are served with.
 * @param largest magnitude on the right side; sums of two of 127 pass 16 bits
 */
export async function byteProductsAreExact(type: ByteType, largest: number): Promise<boolean> {
  const [rows, inner, columns] = [4, 64, 32];
  const graph = new Graph();
  const left = graph.input("left", "uint8", [rows, inner]);
  const right = graph.input("right", type, [inner, columns]);
  graph.output("product", emitByteProduct(graph, left, right, type, graph.float(1)), "float32", [rows, columns]);
  const integers = Int8Array.from({ length: inner * columns }, (_, at) => (at % columns < columns / 2 ? largest : -largest));
  const session = await loadSession(writeModel(graph), { threads: 1, spinning: false });
  try {
    const feeds = {
      left: tensor("uint8", new Uint8Array(rows * inner).fill(255), [rows, inner]),
      right: tensor(type, storedBytes(integers, type), [inner, columns]),
    };
    const outputs = await session.run(feeds, { product: null });
    const sums = outputs["product"]?.data as Float32Array;
    return sums.every((sum, at) => sum === inner * (255 - 128) * (integers[at % columns] as number));
  } finally {
    await session.dispose();
  }
}
