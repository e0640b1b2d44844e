/**
 * @file LoRA adapters in PEFT's layout (adapter_config.json, adapter_model.safetensors): a bounded reader, and a
 * writer.
 */

import { createHash } from "node:crypto";
import { mkdirSync } from "node:fs";
import { join } from "node:path";

import { BonsaiError } from "../errors/bonsai-error.ts";
import { BoundedFile } from "./bounded-file.ts";
import { bytesAs, type SavedType, savedTypes } from "./hugging-face-writer.ts";
import { isJsonObject, readJsonObject, type JsonObject } from "./json-file.ts";
import { readSafetensorsHeader, type SafetensorsEntry } from "./safetensors/safetensors.ts";
import { readFiniteFloats } from "./safetensors/safetensors-floats.ts";
import { writeSafetensors, type TensorToWrite } from "./safetensors/safetensors-writer.ts";
import { pathInFolder } from "./safetensors/safetensors-weights.ts";
import { readScoreWeight, type ScoreWeight } from "./safetensors/score-weight.ts";
import { fullWeightName } from "./weight-names.ts";
import { onDisk, writeJsonFile } from "./written-file.ts";

export const adapterConfigFile = "adapter_config.json";
export const adapterWeightsFile = "adapter_model.safetensors";
const LARGEST_CONFIG_BYTES = 2 ** 20;
/** Far above any adapter in use; it bounds a product of sizes. */
const LARGEST_RANK = 4096;
const LARGEST_ALPHA = 1e6;

/** The two factors of one linear layer's change: W + scale B A (LoRA, Hu et al. 2021, section 4.1). */
export interface LoraPair {
  /** [rank, inputs], row-major. */
  a: Float32Array<ArrayBuffer>;
  /** [outputs, rank], row-major. */
  b: Float32Array<ArrayBuffer>;
  inputs: number;
  outputs: number;
}

export interface LoraAdapter {
  rank: number;
  alpha: number;
  /** Rank-stabilised scale, alpha / sqrt(rank) (Kalajdzievski 2023), in place of alpha / rank. */
  useRslora: boolean;
  /** Dropout of the adapter's inputs in training; serving uses none. */
  dropout: number;
  /** Path or name of the model that it was trained on, as PEFT keeps it. */
  baseModel: string | undefined;
  /** By the full name of the linear layer without `.weight`, such as `model.layers.0.self_attn.q_proj`; sorted. */
  pairs: ReadonlyMap<string, LoraPair>;
  /**
   * The head of a reward model (task SEQ_CLS), which PEFT stores complete as one of `modules_to_save`. Absent
   * otherwise.
   */
  score?: ScoreWeight | undefined;
}

/** The factor before B A. */
export function loraScale({ alpha, rank, useRslora }: Pick<LoraAdapter, "alpha" | "rank" | "useRslora">): number {
  return alpha / (useRslora ? Math.sqrt(rank) : rank);
}

/** PEFT's name of a factor in adapter_model.safetensors. `layer` is the linear layer's full name without `.weight`. */
export function peftTensorName(layer: string, factor: "A" | "B"): string {
  return `base_model.model.${layer}.lora_${factor}.weight`;
}

/** What a config must say (or leave out) for its adapter to be W + scale B A and nothing else. */
const plainValues: Readonly<Record<string, readonly unknown[]>> = {
  bias: ["none"],
  lora_bias: [false],
  use_dora: [false],
  use_qalora: [false],
  use_bdlora: [null, false],
  layer_replication: [null],
  trainable_token_indices: [null],
  target_parameters: [null],
  alora_invocation_tokens: [null],
  arrow_config: [null],
};

/**
 * Ways of drawing the first factors that leave the base as it is. Others (PiSSA, OLoRA, LoftQ …) take part of the
 * base's weights away, which the factors alone do not tell.
 */
const plainInitializations: ReadonlySet<unknown> = new Set([true, false, null, "gaussian", "orthogonal", "eva"]);

/** PEFT's names of a reward model's own head: of a decoder, and of a BERT, whose classifier has a bias. */
export const scoreTensor = "base_model.model.score.weight";
export const classifierTensors = { weight: "base_model.model.classifier.weight", bias: "base_model.model.classifier.bias" } as const;
/** The names that PEFT gives such heads unasked (peft's `LoraModel` for SEQ_CLS). */
const savedHeads: ReadonlySet<unknown> = new Set(["score", "classifier"]);

/** Patterns that give some layers another rank or scale. */
const emptyPatterns = ["rank_pattern", "alpha_pattern"];

/**
 * Reads a folder that PEFT's `save_pretrained` wrote. Which layers it changes is taken from the tensors themselves,
 * which name each one; `target_modules` may be names, a pattern or "all-linear".
 * @param modelType config.json's `model_type` of the base, which decides the full names of layers.
 * @throws BonsaiError `file_not_found`; `unsupported_model` for an option that changes more than W + scale B A, such as
 * DoRA, naming it; `invalid_model_file`, naming tensor or key, when a file is damaged.
 */
export function readPeftAdapter(folder: string, modelType: string): LoraAdapter {
  const path = pathInFolder(folder, adapterConfigFile);
  const config = readJsonObject(path, LARGEST_CONFIG_BYTES);
  requirePlainLora(config, path);
  const rank = config["r"];
  const alpha = config["lora_alpha"] ?? 8;
  const dropout = config["lora_dropout"] ?? 0;
  if (!Number.isSafeInteger(rank) || (rank as number) < 1 || (rank as number) > LARGEST_RANK)
    throw new BonsaiError("invalid_model_file", `${path}: r must be a whole number from 1 to ${LARGEST_RANK}.`, { param: "r" });
  if (typeof alpha !== "number" || !(Math.abs(alpha) <= LARGEST_ALPHA))
    throw new BonsaiError("invalid_model_file", `${path}: lora_alpha must be a number of at most ${LARGEST_ALPHA}.`, {
      param: "lora_alpha",
    });
  const useRslora = config["use_rslora"] ?? false;
  if (typeof useRslora !== "boolean")
    throw new BonsaiError("invalid_model_file", `${path}: use_rslora must be true or false.`, { param: "use_rslora" });
  const baseModel = config["base_model_name_or_path"];
  return {
    rank: rank as number,
    alpha,
    useRslora,
    dropout: typeof dropout === "number" && dropout >= 0 && dropout < 1 ? dropout : 0,
    baseModel: typeof baseModel === "string" && baseModel !== "" ? baseModel : undefined,
    ...readTensors(pathInFolder(folder, adapterWeightsFile), modelType, rank as number),
  };
}

function requirePlainLora(config: JsonObject, path: string): void {
  const refuse = (key: string, supported: string): never => {
    throw new BonsaiError(
      "unsupported_model",
      `${path}: ${key} is ${JSON.stringify(config[key])?.slice(0, 80)}; supported is ${supported}.`,
      { param: key },
    );
  };
  if (config["peft_type"] !== "LORA") refuse("peft_type", '"LORA"');
  for (const [key, values] of Object.entries(plainValues)) {
    const value = config[key] ?? values[0];
    const isEmpty = values.includes(null) && Array.isArray(value) && value.length === 0;
    if (!values.includes(value) && !isEmpty) refuse(key, JSON.stringify(values[0]));
  }
  const saved = config["modules_to_save"] ?? [];
  if (!Array.isArray(saved) || !saved.every((name) => savedHeads.has(name)))
    refuse("modules_to_save", 'null, or ["score"] or ["classifier"] of a reward model');
  if (!plainInitializations.has(config["init_lora_weights"] ?? true))
    refuse("init_lora_weights", "one that leaves the base's weights as they are");
  for (const key of emptyPatterns) {
    const value = config[key] ?? {};
    if (!isJsonObject(value) || Object.keys(value).length > 0) refuse(key, "one rank and one scale for all layers: {}");
  }
}

/** SHA-256 over the config and the weights, hex. Errors as `readPeftAdapter`. */
export function adapterContentHash(folder: string): string {
  const hash = createHash("sha256");
  for (const name of [adapterConfigFile, adapterWeightsFile]) {
    const file = new BoundedFile(pathInFolder(folder, name));
    try {
      hash.update(`${name}\0${file.size}\0`);
      file.hashInto(hash);
    } finally {
      file.close();
    }
  }
  return hash.digest("hex");
}

const tensorName = /^base_model\.model\.(.+)\.lora_([AB])\.weight$/;

function readTensors(path: string, modelType: string, rank: number): Pick<LoraAdapter, "pairs" | "score"> {
  const file = new BoundedFile(path);
  try {
    const halves = new Map<string, { A?: SafetensorsEntry; B?: SafetensorsEntry }>();
    const { entries } = readSafetensorsHeader(file);
    const head: string[] = modelType === "bert" ? Object.values(classifierTensors) : [scoreTensor];
    for (const entry of entries.values()) {
      if (head.includes(entry.name)) continue;
      const [, stored, factor] = tensorName.exec(entry.name) ?? [];
      const weight = stored === undefined ? undefined : fullWeightName(modelType, `${stored}.weight`);
      if (weight === undefined)
        throw new BonsaiError(
          "unsupported_model",
          `${path}: tensor ${JSON.stringify(entry.name)} is not lora_A.weight or lora_B.weight of a linear layer.`,
        );
      const layer = weight.slice(0, -".weight".length);
      const pair = halves.get(layer) ?? {};
      const before = pair[factor as "A" | "B"];
      if (before !== undefined)
        throw new BonsaiError(
          "invalid_model_file",
          `${path}: tensors ${JSON.stringify(before.name)} and ${JSON.stringify(entry.name)} are both lora_${factor} of layer ${layer}.`,
        );
      pair[factor as "A" | "B"] = entry;
      halves.set(layer, pair);
    }
    const layers = [...halves.keys()].toSorted();
    if (layers.length === 0) throw new BonsaiError("invalid_model_file", `${path} holds no tensors.`);
    const pairs = new Map(layers.map((layer) => [layer, readPair(file, layer, rank, halves.get(layer)!)]));
    const [weight, bias] = head.map((name) => entries.get(name));
    if (weight === undefined) return { pairs };
    const score = readScoreWeight(file, weight);
    return { pairs, score: bias === undefined ? score : { ...score, bias: readFiniteFloats(file, bias) } };
  } finally {
    file.close();
  }
}

function readPair(file: BoundedFile, layer: string, rank: number, { A, B }: { A?: SafetensorsEntry; B?: SafetensorsEntry }): LoraPair {
  if (A === undefined || B === undefined)
    throw new BonsaiError("invalid_model_file", `${file.path}: layer ${layer} has no tensor lora_${A === undefined ? "A" : "B"}.`);
  const wrong = A.shape.length !== 2 || A.shape[0] !== rank ? A : B.shape.length !== 2 || B.shape[1] !== rank ? B : undefined;
  if (wrong !== undefined)
    throw new BonsaiError(
      "invalid_model_file",
      `${file.path}: tensor ${JSON.stringify(wrong.name)} has shape [${wrong.shape.join(", ")}], which is not of rank ${rank} as adapter_config.json says.`,
    );
  return { a: readFiniteFloats(file, A), b: readFiniteFloats(file, B), inputs: A.shape[1]!, outputs: B.shape[0]! };
}

/**
 * Writes an adapter to `folder` (made if absent) as PEFT does, weights first.
 * @param isConv1d Whether the base keeps its linear layers as [in, out] (GPT-2), which PEFT wants to know.
 * @throws BonsaiError `write_failed`, naming the file.
 */
export function writePeftAdapter(folder: string, adapter: LoraAdapter, type: SavedType, isConv1d: boolean): void {
  onDisk(folder, () => mkdirSync(folder, { recursive: true }));
  const { rank, score } = adapter;
  const dtype = savedTypes[type];
  const factors = [...adapter.pairs].flatMap(([layer, { a, b, inputs, outputs }]) => [
    { name: peftTensorName(layer, "A"), dtype, shape: [rank, inputs], bytes: () => bytesAs(a, type) },
    { name: peftTensorName(layer, "B"), dtype, shape: [outputs, rank], bytes: () => bytesAs(b, type) },
  ]);
  writeSafetensors(join(folder, adapterWeightsFile), [...factors, ...(score === undefined ? [] : headTensors(score, type))]);
  writeJsonFile(join(folder, adapterConfigFile), {
    base_model_name_or_path: adapter.baseModel ?? null,
    bias: "none",
    fan_in_fan_out: isConv1d,
    inference_mode: true,
    init_lora_weights: true,
    lora_alpha: adapter.alpha,
    lora_dropout: adapter.dropout,
    modules_to_save: score === undefined ? null : [score.bias === undefined ? "score" : "classifier"],
    peft_type: "LORA",
    r: rank,
    revision: null,
    // Full names: PEFT matches a short one (`c_proj`) with the end of every layer's path.
    target_modules: [...adapter.pairs.keys()],
    task_type: score === undefined ? "CAUSAL_LM" : "SEQ_CLS",
    use_dora: false,
    use_rslora: adapter.useRslora,
  });
}

/** A head with a bias is a BERT's classifier. */
function headTensors({ weight, outputs, inputs, bias }: ScoreWeight, type: SavedType): TensorToWrite[] {
  const dtype = savedTypes[type];
  const matrix = { name: bias === undefined ? scoreTensor : classifierTensors.weight, dtype, shape: [outputs, inputs] };
  const tensors: TensorToWrite[] = [{ ...matrix, bytes: () => bytesAs(weight, type) }];
  if (bias !== undefined) tensors.push({ name: classifierTensors.bias, dtype, shape: [outputs], bytes: () => bytesAs(bias, type) });
  return tensors;
}
