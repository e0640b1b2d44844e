/**
 * @file What makes answers independent of load: a row's result is the same bits alone and in every batch, at every
 * place in it, and however far its caches are padded. Each operator of the decode step is tested by itself, at one and
 * two threads.
 */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { InferenceSession, Tensor } from "../../src/runtime/onnx-runtime.ts";
import { uniform } from "../../src/random/philox.ts";
import { emitBlockProduct } from "../../src/architectures/quantization/block-products.ts";
import { probeKernels } from "../../src/runtime/cpu/integer-products.ts";
import { Graph, type Value } from "../../src/onnx/graph.ts";
import { writeModel } from "../../src/onnx/write.ts";

const { fourBitRowsAgree } = await probeKernels();

const hidden = 192;
const outputs = 256;
const vocabulary = 4099;
const blockSize = 32;

function randoms(length: number, seed: number, spread = 1): Float32Array<ArrayBuffer> {
  return Float32Array.from({ length }, (_, i) => (uniform(seed, i) + uniform(seed + 1, i) - 1) * spread);
}

function blocksOf(graph: Graph, x: Value, bits: 4 | 8): Value {
  const bytes = Uint8Array.from({ length: (outputs * hidden * bits) / 8 }, (_, i) => Math.floor(uniform(bits, i) * 256));
  const scales = randoms((outputs * hidden) / blockSize, 60, 0.02);
  const data = graph.constant("uint8", [outputs, hidden / blockSize, (blockSize * bits) / 8], bytes);
  const weights = { data, scales: graph.constant("float32", [scales.length], scales), inputs: hidden, outputs, bits, blockSize };
  return emitBlockProduct(graph, x, weights, bits === 4 && !fourBitRowsAgree);
}

const lastAxis = { axis: { int: -1 } };
const keepDims = { keepdims: { int: 1 } };

/** exp(logit - largest) of logits [B, 1, size], as [B, size]. */
function tokenWeights(graph: Graph, x: Value, size: number): Value {
  const logits = graph.op("Reshape", [x, graph.int64s(-1, size)]);
  return graph.op("Exp", [graph.op("Sub", [logits, graph.op("ReduceMax", [logits, graph.int64s(-1)], keepDims)])]);
}

/** x is [B, 1, width]. */
const operators: Record<string, { width: number; build: (graph: Graph, x: Value) => Value }> = {
  "8-bit blocks": { width: hidden, build: (graph, x) => blocksOf(graph, x, 8) },
  "4-bit blocks": { width: hidden, build: (graph, x) => blocksOf(graph, x, 4) },
  "fp32 MatMul": {
    width: hidden,
    build: (graph, x) => graph.op("MatMul", [x, graph.constant("float32", [hidden, outputs], randoms(hidden * outputs, 61))]),
  },
  "the norm": {
    width: hidden,
    build: (graph, x) =>
      graph.op("SimplifiedLayerNormalization", [x, graph.constant("float32", [hidden], randoms(hidden, 62))], {
        ...lastAxis,
        epsilon: { float: 1e-5 },
      }),
  },
  "layer norm": {
    width: hidden,
    build: (graph, x) =>
      graph.op(
        "LayerNormalization",
        [x, graph.constant("float32", [hidden], randoms(hidden, 63)), graph.constant("float32", [hidden], randoms(hidden, 64))],
        lastAxis,
      ),
  },
  SiLU: { width: 251, build: (graph, x) => graph.op("Mul", [x, graph.op("Sigmoid", [x])]) },
  GELU: { width: 251, build: (graph, x) => graph.op("Gelu", [x], { approximate: { string: "tanh" } }) },
  softmax: { width: 301, build: (graph, x) => graph.op("Softmax", [x], lastAxis) },
  // ReduceSum's order of additions follows the alignment of a row in memory, so it takes rows of whole cache lines.
  "the sum of token weights of a vocabulary that is a multiple of 16": {
    width: 4096,
    build: (graph, x) => graph.op("ReduceSum", [tokenWeights(graph, x, 4096), graph.int64s(-1)], keepDims),
  },
  "the sum of token weights of any vocabulary, as a product with ones": {
    width: vocabulary,
    build: (graph, x) => {
      const weights = graph.op("Reshape", [tokenWeights(graph, x, vocabulary), graph.int64s(-1, 1, vocabulary)]);
      return graph.op("MatMul", [weights, graph.constant("float32", [vocabulary, 1], new Float32Array(vocabulary).fill(1))]);
    },
  },
  "the largest logits": {
    width: vocabulary,
    build: (graph, x) => graph.ops("TopK", [graph.op("Reshape", [x, graph.int64s(-1, vocabulary)]), graph.int64s(64)], 2, lastAxis)[0]!,
  },
};

async function open(graph: Graph, threads: number): Promise<InferenceSession> {
  return InferenceSession.create(writeModel(graph), { logSeverityLevel: 4, intraOpNumThreads: threads });
}

for (const threads of [1, 2]) {
  describe(`with ${threads} threads, a row's result does not depend on the rest of its batch`, () => {
    for (const [name, { width, build }] of Object.entries(operators)) {
      test(`in ${name}`, async () => {
        const graph = new Graph();
        graph.output("y", build(graph, graph.input("x", "float32", ["B", 1, width])), "float32", ["B", "N"]);
        const session = await open(graph, threads);
        const results = async (rows: readonly Float32Array[]): Promise<Float32Array[]> => {
          const x = new Float32Array(rows.length * width);
          rows.forEach((row, i) => x.set(row, i * width));
          const y = (await session.run({ x: new Tensor("float32", x, [rows.length, 1, width]) }))["y"]!.data as Float32Array;
          return rows.map((_, i) => y.slice((i * y.length) / rows.length, ((i + 1) * y.length) / rows.length));
        };
        const rows = Array.from({ length: 34 }, (_, i) => randoms(width, 100 + 2 * i, 8));
        const alone: Float32Array[] = [];
        for (const row of rows) alone.push((await results([row]))[0]!);
        for (const size of [2, 3, 4, 5, 7, 8, 16, 17, 32]) {
          for (const start of [0, 2]) {
            const together = await results(rows.slice(start, start + size));
            together.forEach((result, i) => assert.deepEqual(result, alone[start + i], `row ${i} of ${size}`));
          }
        }
        await session.release();
      });
    }

    test("in attention over a cache that is padded for longer rows", async () => {
      const [kvHeads, group, headDim] = [3, 3, 64] as const;
      const graph = new Graph();
      const query = graph.input("query", "float32", ["B", kvHeads, group, headDim]);
      const key = graph.input("key", "float32", ["B", kvHeads, "T", headDim]);
      const value = graph.input("value", "float32", ["B", kvHeads, "T", headDim]);
      const mask = graph.input("mask", "float32", ["B", 1, 1, "T"]);
      const scores = graph.microsoft("FusedMatMul", [query, key], { transB: { int: 1 }, alpha: { float: 0.125 } });
      const weights = graph.op("Softmax", [graph.op("Add", [scores, mask])], lastAxis);
      graph.output("y", graph.op("MatMul", [weights, value]), "float32", ["B", kvHeads, group, headDim]);
      const session = await open(graph, threads);

      /** Row `row` knows `length` places; all rows are padded to `padded` with zeros, and the mask hides them. */
      const attend = async (rows: readonly number[], length: number, padded: number): Promise<Float32Array[]> => {
        const size = kvHeads * headDim;
        const cache = (seed: number): Tensor => {
          const data = new Float32Array(rows.length * padded * size);
          rows.forEach((row, b) => {
            const known = randoms(length * size, seed + 10 * row);
            for (let head = 0; head < kvHeads; head++) {
              const from = known.subarray(head * length * headDim, (head + 1) * length * headDim);
              data.set(from, (b * kvHeads + head) * padded * headDim);
            }
          });
          return new Tensor("float32", data, [rows.length, kvHeads, padded, headDim]);
        };
        const queries = new Float32Array(rows.length * group * size);
        rows.forEach((row, b) => queries.set(randoms(group * size, 900 + 10 * row), b * group * size));
        const masks = Float32Array.from({ length: rows.length * padded }, (_, i) => (i % padded < length ? 0 : -3.4e38));
        const feeds = {
          query: new Tensor("float32", queries, [rows.length, kvHeads, group, headDim]),
          key: cache(300),
          value: cache(304),
          mask: new Tensor("float32", masks, [rows.length, 1, 1, padded]),
        };
        const y = (await session.run(feeds))["y"]!.data as Float32Array;
        return rows.map((_, b) => y.slice(b * group * size, (b + 1) * group * size));
      };

      for (const length of [1, 37, 130]) {
        const [alone] = await attend([5], length, length);
        for (const padded of [length + 1, 160, 333, 700]) {
          const [only] = await attend([5], length, padded);
          assert.deepEqual(only, alone, `${length} places padded to ${padded}`);
          const [, , among] = await attend([1, 2, 5, 7], length, padded);
          assert.deepEqual(among, alone, `${length} places padded to ${padded}, among other rows`);
        }
      }
      await session.release();
    });
  });
}
