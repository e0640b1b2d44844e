/**
 * @file Measures the largest activations and cached values of a model over the calibration texts, from which its
 * integer scales follow.
 */

import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { DecoderConfig } from "../../architectures/decoder/decoder-config.ts";
import { buildDecoderGraph } from "../../architectures/decoder/decoder-graph.ts";
import { loadLinear, type DecoderWeights, type LinearWeight } from "../../architectures/decoder/decoder-weights.ts";
import { smoothingFactors, type Smoothing } from "../../architectures/quantization/smoothing.ts";
import type { WeightSource } from "../../formats/model-file.ts";
import type { LoraAdapter } from "../../formats/peft-adapter.ts";
import type { ExternalDataWriter } from "../../onnx/external-data.ts";
import { writeModel } from "../../onnx/write.ts";
import type { AttentionPeaks } from "./measured-kv-scales.ts";
import { adapterFeed } from "../adapter-feed.ts";
import { causalMask } from "../attention-mask.ts";
import { int64Tensor, loadSession, tensor, type Session, type SessionOptions, type Tensor } from "../session.ts";

export interface Calibration {
  /** The base's largest magnitude of each input channel of each linear layer, by the layer's name: [inputs]. */
  activations: ReadonlyMap<string, Float32Array>;
  /** One entry for the base, then one for each adapter. */
  attention: AttentionPeaks[];
}

interface CalibrationModel {
  config: DecoderConfig;
  weights: DecoderWeights;
  source: WeightSource;
  /** Where weights are written, in `folder`. */
  data: ExternalDataWriter;
  adapters: readonly LoraAdapter[];
}

/** Tokens of each text that are run. */
const calibrationTokens = 192;

/**
 * Runs the texts. The model runs in 8-bit blocks, whose activations are those of fp32 for this purpose.
 * @param texts token ids
 * @param folder where the graph is written for the time of the measurement
 */
export async function calibrate(
  model: CalibrationModel,
  texts: readonly (readonly number[])[],
  folder: string,
  options: SessionOptions,
): Promise<Calibration> {
  const graph = buildDecoderGraph(
    { ...model, scheme: "blocks8", smoothing: undefined },
    { cacheType: "float32", observed: true, adapters: model.adapters },
  );
  const path = join(folder, "calibrate.onnx");
  try {
    writeFileSync(path, writeModel(graph, model.data.fileName));
    const session = await loadSession(path, options);
    try {
      return await measure(session, model, texts);
    } finally {
      await session.dispose();
    }
  } finally {
    rmSync(path, { force: true });
  }
}

/** SmoothQuant factors for linear layers. */
export function smoothingFrom({ activations }: Calibration, layers: readonly LinearWeight[], source: WeightSource): Smoothing {
  const factors = new Map<string, Float32Array>();
  for (const linear of layers) {
    const largest = activations.get(linear.name);
    if (largest !== undefined) factors.set(linear.name, smoothingFactors(largest, loadLinear(source, linear), linear.outputs));
  }
  return factors;
}

async function measure(
  session: Session,
  { config, adapters }: CalibrationModel,
  texts: readonly (readonly number[])[],
): Promise<Calibration> {
  const { layers, kvHeads, headDim, contextLength } = config;
  const activations = new Map<string, Float32Array>();
  const size = kvHeads * headDim;
  const zeros = (): Float32Array<ArrayBuffer> => new Float32Array(layers * size);
  const attention = Array.from({ length: 1 + adapters.length }, (): AttentionPeaks => ({
    keys: zeros(),
    values: zeros(),
  }));
  const wanted = Object.fromEntries(session.outputNames.map((name) => [name, null]));
  for (const [index, text] of texts.entries()) {
    const ids = text.slice(0, Math.min(calibrationTokens, contextLength));
    if (ids.length === 0) continue;
    const start = firstPosition(config, ids.length, index / Math.max(1, texts.length - 1));
    for (let adapter = -1; adapter < adapters.length; adapter++) {
      const chosen = adapterFeed([adapter], ids.length, adapters.length, false);
      const outputs = await session.run({ ...feeds(config, ids, start), ...chosen }, wanted);
      const peaks = attention[adapter + 1] as AttentionPeaks;
      for (const [output, value] of Object.entries(outputs)) {
        const seen = value.data as Float32Array;
        if (output === "key_rows") raiseChannels(peaks.keys, seen, { tokens: ids.length, channels: 1 });
        else if (output === "value_rows") raiseChannels(peaks.values, seen, { tokens: ids.length, channels: headDim });
        // Weights are smoothed for the base alone: they are the same whatever is served beside it.
        else if (adapter < 0) raise(activations, output.slice("max:".length), seen);
      }
    }
  }
  return { activations, attention };
}

/** @param rows [outer, tokens, channels]; `largest` is [outer, channels] */
function raiseChannels(largest: Float32Array, rows: Float32Array, { tokens, channels }: { tokens: number; channels: number }): void {
  for (let at = 0; at < rows.length; at++) {
    const channel = Math.floor(at / (channels * tokens)) * channels + (at % channels);
    const magnitude = Math.abs(rows[at] as number);
    if (magnitude > (largest[channel] as number)) largest[channel] = magnitude;
  }
}

function raise(largest: Map<string, Float32Array>, name: string, seen: Float32Array): void {
  const before = largest.get(name);
  largest.set(name, before === undefined ? Float32Array.from(seen) : before.map((old, channel) => Math.max(old, seen[channel] as number)));
}

/**
 * Rotation turns a key's channels into one another the further on it stands: texts are spread over all positions, so
 * that keys are seen as they are anywhere. What a rotated model computes of a text is the same wherever it stands;
 * learned positions have to be those of a text's beginning.
 *
 * @param share of the way, from 0 to 1
 */
function firstPosition({ position, contextLength }: DecoderConfig, count: number, share: number): number {
  return position.kind === "rotary" ? Math.floor((contextLength - count) * share) : 0;
}

/** One text as one row, with empty caches. @param start position of its first token */
function feeds(config: DecoderConfig, ids: readonly number[], start: number): Record<string, Tensor> {
  const count = ids.length;
  const group = config.heads / config.kvHeads;
  const inputs: Record<string, Tensor> = {
    ids: int64Tensor(ids, [1, count]),
    positions: int64Tensor(
      ids.map((_, index) => start + index),
      [1, count],
    ),
    mask: tensor("float32", causalMask(count, group, 0, 0), [1, 1, count * group, count]),
    lengths: int64Tensor([0, 0, count], [3]),
  };
  const emptyKeys = tensor("float32", new Float32Array(0), [1, config.kvHeads, config.headDim, 0]);
  const emptyValues = tensor("float32", new Float32Array(0), [1, config.kvHeads, 0, config.headDim]);
  for (let layer = 0; layer < config.layers; layer++) {
    for (const cache of ["prompt", "answer"]) {
      inputs[`${cache}_key_${layer}`] = emptyKeys;
      inputs[`${cache}_value_${layer}`] = emptyValues;
    }
  }
  return inputs;
}
