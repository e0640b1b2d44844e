/**
 * @file The time of a model's matrix products for one token and nothing else: what no decoder that reads its weights so
 * can go below.
 */

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readDecoderConfig } from "../../../src/architectures/decoder/decoder-config.ts";
import { linearsOf, loadLinear, locateDecoderWeights } from "../../../src/architectures/decoder/decoder-weights.ts";
import { openModel } from "../../../src/formats/open-model.ts";
import { emitByteProduct } from "../../../src/architectures/quantization/byte-products.ts";
import { ExternalDataWriter } from "../../../src/onnx/external-data.ts";
import { Graph } from "../../../src/onnx/graph.ts";
import { writeModel } from "../../../src/onnx/write.ts";
import { loadSession, tensor } from "../../../src/runtime/session.ts";
import { quantizeChannels8 } from "../../../src/tensor/quantize.ts";
import { medianRunMs } from "./run-time.ts";

/** Milliseconds of the median of `runs` runs, in the arithmetic of w8a8: 8-bit rows times 8-bit columns. */
export async function productsAloneMs(modelPath: string, threads: number, runs: number): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), "bonsai-products-"));
  const file = openModel(modelPath);
  const data = new ExternalDataWriter(join(folder, "weights.bin"));
  try {
    const config = readDecoderConfig(file.config, modelPath);
    const weights = locateDecoderWeights(config, file.weights, modelPath);
    const graph = new Graph();
    const linears = [...weights.layers.flatMap(linearsOf), weights.head];
    const widths = new Set(linears.map(({ inputs }) => inputs));
    const rows = new Map([...widths].map((width) => [width, graph.input(`rows_${width}`, "uint8", [1, width])]));
    const weight = (
      name: string,
      type: "int8" | "float32",
      shape: number[],
      make: () => Int8Array<ArrayBuffer> | Float32Array<ArrayBuffer>,
    ) => graph.initializer(name, type, shape, data.add(name, make));
    for (const linear of linears) {
      const { name, inputs, outputs } = linear;
      const { data: bytes, scales } = quantizeChannels8(loadLinear(file.weights, linear), outputs, inputs);
      const right = weight(`${name}.w8`, "int8", [inputs, outputs], () => bytes);
      const channelScales = weight(`${name}.scales`, "float32", [outputs], () => scales);
      const product = emitByteProduct(graph, rows.get(inputs)!, right, "int8", channelScales);
      graph.output(`y:${name}`, product, "float32", [1, outputs]);
    }
    writeFileSync(join(folder, "products.onnx"), writeModel(graph, data.fileName));
    const session = await loadSession(join(folder, "products.onnx"), { threads, spinning: true });
    const feeds = Object.fromEntries(
      [...widths].map((width) => [`rows_${width}`, tensor("uint8", new Uint8Array(width).fill(130), [1, width])]),
    );
    // All products are computed; only the smallest is copied out.
    const ms = await medianRunMs(session, feeds, `y:${weights.layers[0]?.output.name ?? ""}`, runs);
    await session.dispose();
    return ms;
  } finally {
    data.close();
    file.weights.close();
    rmSync(folder, { recursive: true, force: true });
  }
}
