/**
 * @file The contributed quantised operators, which have no vectors of ONNX, against naive twins in float64 with bounds
 * that follow from their rounding.
 */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { InferenceSession, Tensor } from "../../src/runtime/onnx-runtime.ts";
import { uniform } from "../../src/random/philox.ts";
import { emitByteProduct, storedBytes } from "../../src/architectures/quantization/byte-products.ts";
import { exactByteType } from "../../src/runtime/cpu/integer-products.ts";
import { Graph, type Value } from "../../src/onnx/graph.ts";
import { writeModel } from "../../src/onnx/write.ts";

/** What models are served with on this processor. */
const byteType = (await exactByteType()) ?? "int8";

const outputs = 48;
const inputs = 96;
const blockSize = 32;
const blocks = inputs / blockSize;

/** Values in [-spread, spread), from a seed. */
function randoms(length: number, seed: number, spread = 1): Float32Array<ArrayBuffer> {
  return Float32Array.from({ length }, (_, i) => (2 * uniform(seed, i) - 1) * spread);
}

function randomBytes(length: number, seed: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length }, (_, i) => Math.floor(uniform(seed, i) * 256));
}

async function run(
  build: (graph: Graph) => Value,
  feeds: Record<string, Tensor>,
  shape: readonly (number | string)[],
): Promise<Float32Array> {
  const graph = new Graph();
  const output = build(graph);
  graph.output("y", output, "float32", shape);
  const session = await InferenceSession.create(writeModel(graph), { logSeverityLevel: 4, intraOpNumThreads: 1 });
  try {
    return (await session.run(feeds))["y"]!.data as Float32Array;
  } finally {
    await session.release();
  }
}

/** The weight at [output, input] of packed blocks: low half of a byte first. */
function unpack(data: Uint8Array, bits: 4 | 8, output: number, input: number): number {
  const index = output * inputs + input;
  if (bits === 8) return data[index]!;
  return index % 2 === 0 ? data[index >> 1]! & 15 : data[index >> 1]! >> 4;
}

describe("MatMulNBits with int8 arithmetic", () => {
  for (const bits of [4, 8] as const) {
    for (const rows of [1, 2, 7, 32]) {
      test(`multiplies ${rows} rows by ${bits}-bit blocks, within the rounding of a row's blocks to int8`, async () => {
        const data = randomBytes((outputs * inputs * bits) / 8, bits);
        const scales = randoms(outputs * blocks, 20 + bits, 0.02);
        const x = randoms(rows * inputs, 30 + rows, 3);
        const y = await run(
          (graph) =>
            graph.microsoft(
              "MatMulNBits",
              [
                graph.input("x", "float32", ["B", 1, inputs]),
                graph.constant("uint8", [outputs, blocks, (blockSize * bits) / 8], data),
                graph.constant("float32", [outputs * blocks], scales),
              ],
              { K: { int: inputs }, N: { int: outputs }, bits: { int: bits }, block_size: { int: blockSize }, accuracy_level: { int: 4 } },
            ),
          { x: new Tensor("float32", x, [rows, 1, inputs]) },
          ["B", 1, outputs],
        );
        for (let row = 0; row < rows; row++) {
          for (let output = 0; output < outputs; output++) {
            let exact = 0;
            let bound = 1e-5;
            for (let block = 0; block < blocks; block++) {
              let largest = 0;
              let weights = 0;
              for (let input = block * blockSize; input < (block + 1) * blockSize; input++) {
                const weight = (unpack(data, bits, output, input) - 2 ** (bits - 1)) * scales[output * blocks + block]!;
                exact += x[row * inputs + input]! * weight;
                largest = Math.max(largest, Math.abs(x[row * inputs + input]!));
                weights += Math.abs(weight);
              }
              // Half a step of the block's int8 grid, on every input.
              bound += ((largest / 127) * 0.5 + 1e-6) * weights;
            }
            const got = y[row * outputs + output]!;
            assert.ok(Math.abs(got - exact) <= bound, `[${row}, ${output}] is ${got}, not ${exact} within ${bound}`);
          }
        }
      });
    }
  }
});

describe("GatherBlockQuantized", () => {
  test("dequantises the rows of an 8-bit table", async () => {
    const data = randomBytes(outputs * inputs, 41);
    const scales = randoms(outputs * blocks, 42);
    const ids = [0, 47, 3, 3, 20];
    const y = await run(
      (graph) =>
        graph.microsoft(
          "GatherBlockQuantized",
          [
            graph.constant("uint8", [outputs, inputs], data),
            graph.input("ids", "int64", ["B", 1]),
            graph.constant("float32", [outputs, blocks], scales),
          ],
          { bits: { int: 8 }, block_size: { int: blockSize }, gather_axis: { int: 0 }, quantize_axis: { int: 1 } },
        ),
      { ids: new Tensor("int64", BigInt64Array.from(ids, BigInt), [ids.length, 1]) },
      ["B", 1, inputs],
    );
    const expected = ids.flatMap((id) =>
      Array.from({ length: inputs }, (_, input) =>
        Math.fround((data[id * inputs + input]! - 128) * scales[id * blocks + Math.floor(input / blockSize)]!),
      ),
    );
    assert.deepEqual([...y], expected);
  });
});

describe("a product of 8-bit rows and columns", () => {
  test("is QuantizeLinear by a scale a row, exact integer sums, and the scales of both", async () => {
    const rows = 5;
    const x = randoms(rows * inputs, 51, 4);
    const w = Int8Array.from({ length: inputs * outputs }, (_, i) => Math.floor(uniform(52, i) * 255) - 127);
    const scales = randoms(outputs, 53, 0.1);
    const rowScales = Float32Array.from(
      { length: rows },
      (_, row) => Math.max(...x.subarray(row * inputs, (row + 1) * inputs).map(Math.abs)) / 127,
    );
    const y = await run(
      (graph) => {
        const scale = graph.input("scale", "float32", ["B"]);
        const quantized = graph.op(
          "QuantizeLinear",
          [
            graph.input("x", "float32", ["B", inputs]),
            scale,
            graph.op("Expand", [graph.constant("uint8", [1], Uint8Array.of(128)), graph.op("Shape", [scale])]),
          ],
          { axis: { int: 0 } },
        );
        const right = graph.constant(byteType, [inputs, outputs], storedBytes(w, byteType));
        return emitByteProduct(graph, quantized, right, byteType, graph.constant("float32", [outputs], scales));
      },
      { x: new Tensor("float32", x, [rows, inputs]), scale: new Tensor("float32", rowScales, [rows]) },
      ["B", outputs],
    );
    for (let row = 0; row < rows; row++) {
      for (let output = 0; output < outputs; output++) {
        let sum = 0;
        let wobble = 0;
        for (let input = 0; input < inputs; input++) {
          const quotient = Math.fround(x[row * inputs + input]! / rowScales[row]!);
          const weight = w[input * outputs + output]!;
          sum += roundHalfToEven(quotient) * weight;
          // A quotient next to a half may be rounded either way.
          if (Math.abs(Math.abs(quotient % 1) - 0.5) < 1e-4) wobble += Math.abs(weight);
        }
        const tolerance = (wobble + 1e-4 * Math.abs(sum) + 1e-3) * Math.abs(scales[output]!);
        const got = y[row * outputs + output]!;
        assert.ok(Math.abs(got - sum * scales[output]!) <= tolerance, `[${row}, ${output}] is ${got}, not ${sum * scales[output]!}`);
      }
    }
  });
});

function roundHalfToEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  if (rest !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}
