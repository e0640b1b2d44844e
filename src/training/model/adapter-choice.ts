/** @file The adapter that a run trains: a new one by the options, or one on disk. */

import { createHash } from "node:crypto";

import type { DecoderConfig } from "../../architectures/decoder/decoder-config.ts";
import { locateDecoderWeights } from "../../architectures/decoder/decoder-weights.ts";
import { linearModules, type LoraOptions } from "../../architectures/training/trained-weights.ts";
import type { TrainingOptions } from "../../config/training-options.ts";
import { BonsaiError } from "../../errors/bonsai-error.ts";
import type { ModelFile } from "../../formats/model-file.ts";
import { loraScale, peftTensorName, readPeftAdapter, type LoraPair } from "../../formats/peft-adapter.ts";
import type { TrainableModel } from "../run/trainable-model.ts";
import type { AdapterSettings } from "./trained-output.ts";

/** An adapter on disk, whose factors training begins with. */
export interface InitialAdapter {
  pairs: ReadonlyMap<string, LoraPair>;
  /** Hash of all values, hex. */
  hash: string;
}

export interface ChosenAdapter {
  lora: LoraOptions;
  settings: AdapterSettings;
  /** Undefined for a new adapter. */
  initial: InitialAdapter | undefined;
}

type AdapterOptions = Pick<TrainingOptions, "model" | "adapter" | "loraR" | "loraAlpha" | "loraDropout" | "loraTargetModules">;

/**
 * The adapter of a decoder's run.
 * @throws BonsaiError as `chooseAdapterAmong`; `invalid_model_file` where a weight is missing.
 */
export function chooseAdapter(options: AdapterOptions, config: DecoderConfig, model: ModelFile): ChosenAdapter | undefined {
  return chooseAdapterAmong(options, model, linearModules(locateDecoderWeights(config, model.weights, model.path)));
}

/**
 * Undefined where all weights are trained.
 * @param linears full names of the model's linear layers but the head, which PEFT's "all-linear" leaves out too
 * @throws BonsaiError as `readPeftAdapter`; `invalid_model_file` where an adapter on disk does not fit the model.
 */
export function chooseAdapterAmong(options: AdapterOptions, model: ModelFile, linears: readonly string[]): ChosenAdapter | undefined {
  const dropout = options.loraDropout;
  if (options.adapter !== "") {
    const adapter = readPeftAdapter(options.adapter, String(model.config["model_type"]));
    const { pairs, ...settings } = adapter;
    requireFit(pairs, model, linears, options.adapter);
    return {
      // The graphs scale by alpha / rank.
      lora: { rank: adapter.rank, alpha: loraScale(adapter) * adapter.rank, dropout, targetModules: [...pairs.keys()] },
      settings: { ...settings, dropout, baseModel: options.model },
      initial: { pairs, hash: hashOf(pairs) },
    };
  }
  if (options.loraR === 0) return undefined;
  const targetModules = options.loraTargetModules.includes("all-linear") ? [...linears] : options.loraTargetModules;
  const { loraR: rank, loraAlpha: alpha } = options;
  return {
    lora: { rank, alpha, dropout, targetModules },
    settings: { rank, alpha, dropout, useRslora: false, baseModel: options.model },
    initial: undefined,
  };
}

function requireFit(pairs: ReadonlyMap<string, LoraPair>, model: ModelFile, linears: readonly string[], folder: string): void {
  const known = new Set(linears);
  for (const [layer, { outputs, inputs }] of pairs) {
    if (known.has(layer) && model.weights.infos.get(`${layer}.weight`)?.shape.join() === `${outputs},${inputs}`) continue;
    throw new BonsaiError(
      "invalid_model_file",
      `${folder} changes the layer ${layer} as [${outputs}, ${inputs}], which the model ${model.path} does not have: it is an adapter of another model.`,
    );
  }
}

function hashOf(pairs: ReadonlyMap<string, LoraPair>): string {
  const hash = createHash("sha256");
  for (const [layer, { a, b }] of pairs) {
    hash.update(`${layer}\0${a.length}\0`);
    for (const values of [a, b]) hash.update(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
  }
  return hash.digest("hex");
}

/** Replaces the factors of a model that trains an adapter. */
export function restoreAdapter(model: Pick<TrainableModel, "state" | "restore">, { pairs }: InitialAdapter): void {
  const state = new Map(model.state());
  for (const [layer, { a, b, inputs, outputs }] of pairs) {
    state.set(peftTensorName(layer, "A"), { shape: [a.length / inputs, inputs], data: a });
    state.set(peftTensorName(layer, "B"), { shape: [outputs, b.length / outputs], data: b });
  }
  model.restore(state);
}
