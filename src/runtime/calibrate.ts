/** @file Measures the largest activations that enter each linear layer, and turns them into smoothing factors. */

import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { DecoderConfig } from "../architectures/decoder-config.ts";
import { loadLinear, type DecoderWeights, type LinearWeight } from "../architectures/decoder-weights.ts";
import { buildPrefillGraph } from "../architectures/prefill-graph.ts";
import { smoothingFactors, type Smoothing } from "../architectures/smoothing.ts";
import type { WeightSource } from "../formats/model-file.ts";
import type { ExternalDataWriter } from "../onnx/external-data.ts";
import { writeModel } from "../onnx/write.ts";
import { int64Tensor, loadSession, tensor, type SessionOptions } from "./session.ts";

/** Tokens of each text that are run; more changed the maxima little. */
const calibrationTokens = 128;

/**
 * SmoothQuant factors for every linear layer but the head. The model runs in 8-bit blocks, whose activations are those of fp32 for this
 * purpose and whose weights answers are decoded with anyway.
 * @param texts token ids of the calibration texts
 * @param folder where the graph is written for the time of the measurement, beside the file of `base.data`
 */
export async function calibrateSmoothing(
  base: { config: DecoderConfig; weights: DecoderWeights; source: WeightSource; data: ExternalDataWriter },
  texts: readonly (readonly number[])[],
  folder: string,
  options: SessionOptions,
): Promise<Smoothing> {
  const graph = buildPrefillGraph({ ...base, scheme: "blocks8", smoothing: undefined }, "float32", true);
  const path = join(folder, "calibrate.onnx");
  try {
    writeFileSync(path, writeModel(graph, base.data.fileName));
    const largest = await measure(path, base.config, texts, options);
    const factors = new Map<string, Float32Array>();
    for (const linear of linearLayers(base.weights)) {
      const activations = largest.get(linear.name);
      if (activations !== undefined) factors.set(linear.name, smoothingFactors(activations, loadLinear(base.source, linear), linear.outputs));
    }
    return factors;
  } finally {
    rmSync(path, { force: true });
  }
}

function linearLayers(weights: DecoderWeights): LinearWeight[] {
  return weights.layers.flatMap((layer) => [layer.queryKeyValue, layer.output, layer.up, layer.down]);
}

/** Largest magnitude of each input channel of each linear layer, by the layer's name. */
async function measure(
  path: string,
  config: DecoderConfig,
  texts: readonly (readonly number[])[],
  options: SessionOptions,
): Promise<Map<string, Float32Array>> {
  const session = await loadSession(path, options);
  const largest = new Map<string, Float32Array>();
  try {
    for (const text of texts) {
      const ids = text.slice(0, Math.min(calibrationTokens, config.contextLength));
      if (ids.length === 0) continue;
      const outputs = await session.run(feeds(config, ids), session.outputNames.filter((name) => name.startsWith("max:")));
      for (const [output, value] of Object.entries(outputs)) {
        const name = output.slice("max:".length);
        const seen = value.data as Float32Array;
        const before = largest.get(name);
        largest.set(name, before === undefined ? Float32Array.from(seen) : before.map((old, channel) => Math.max(old, seen[channel] as number)));
      }
    }
  } finally {
    await session.dispose();
  }
  return largest;
}

function feeds(config: DecoderConfig, ids: readonly number[]): Parameters<Awaited<ReturnType<typeof loadSession>>["run"]>[0] {
  const count = ids.length;
  const causal = Float32Array.from({ length: count * count }, (_, at) => (at % count > Math.floor(at / count) ? -3.4028234663852886e38 : 0));
  const empty = (): ReturnType<typeof tensor> => tensor("float32", new Float32Array(0), [config.kvHeads, 1, 0, config.headDim]);
  return {
    ids: int64Tensor(ids, [1, count]),
    positions: int64Tensor([...ids.keys()], [1, count]),
    past_mask: tensor("float32", new Float32Array(0), [1, 1, 1, 0]),
    causal_mask: tensor("float32", causal, [1, 1, count, count]),
    lengths: int64Tensor([0, count], [2]),
    ...Object.fromEntries(
      Array.from({ length: config.layers }, (_, layer) => [
        [`past_key_${layer}`, empty()],
        [`past_value_${layer}`, empty()],
      ]).flat(),
    ),
  };
}
