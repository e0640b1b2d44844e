/**
 * @file Writes a model as a Hugging Face folder that transformers loads: config, weights, tokenizer and generation
 * settings.
 */

import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";

import { dtypes } from "../tensor/dtype.ts";
import { float32ArrayToBfloat16, float32ArrayToFloat16 } from "../tensor/half.ts";
import { transposeBytes } from "../tensor/transpose.ts";
import { readJsonObject, type JsonObject } from "./json-file.ts";
import type { ModelFile } from "./model-file.ts";
import { writeSafetensors, type TensorToWrite } from "./safetensors/safetensors-writer.ts";
import { pathInFolder } from "./safetensors/safetensors-weights.ts";
import { isStoredTransposed } from "./weight-names.ts";
import { onDisk, writeJsonFile, writeWholeFile } from "./written-file.ts";

/** Types that trained weights are written in; the names are PyTorch's, as config.json has them. */
export const savedTypes = { float32: "F32", bfloat16: "BF16", float16: "F16" } as const;
export type SavedType = keyof typeof savedTypes;

/** A weight under its full name, linear layers as [out, in]. */
export interface WeightToWrite {
  name: string;
  shape: readonly number[];
  /** The values, asked for when it is their turn to be written. */
  read: () => Float32Array<ArrayBuffer>;
}

/** Files of a tokenizer that transformers reads, whatever its class. Copied as they are. */
const tokenizerFiles = [
  "tokenizer.json",
  "tokenizer_config.json",
  "special_tokens_map.json",
  "added_tokens.json",
  "vocab.json",
  "merges.txt",
  "tokenizer.model",
  "chat_template.jinja",
];

const LARGEST_CONFIG_BYTES = 16 * 2 ** 20;

/**
 * Writes `weights` with the config and tokenizer of `base` to `folder`, which is made if absent. The tokenizer's files
 * are copied byte for byte where the base is a folder, and written from the metadata where it is a GGUF file. Each file
 * is written whole or not at all, weights first and config.json last: without it the folder is no model. One that is
 * there is removed first.
 * @param changes keys of config.json that are not the base's: of a model with another head.
 * @throws BonsaiError `write_failed`, naming the file.
 */
export function writeHuggingFaceFolder(
  folder: string,
  base: ModelFile,
  weights: readonly WeightToWrite[],
  type: SavedType,
  changes: JsonObject = {},
): void {
  const config = base.format === "huggingface" ? readJsonObject(pathInFolder(base.path, "config.json"), LARGEST_CONFIG_BYTES) : base.config;
  onDisk(folder, () => {
    mkdirSync(folder, { recursive: true });
    // An old config beside new weights would be a model that nobody made.
    rmSync(join(folder, "config.json"), { force: true });
  });
  const modelType = String(base.config["model_type"]);
  writeSafetensors(
    join(folder, "model.safetensors"),
    weights.map((weight) => tensorOf(weight, modelType, type)),
  );
  writeTokenizer(folder, base);
  writeJsonFile(join(folder, "generation_config.json"), generationConfig(base));
  writeJsonFile(join(folder, "config.json"), {
    ...config,
    ...changes,
    dtype: type,
    // What transformers before 4.56 calls it.
    torch_dtype: type,
  });
}

function tensorOf(weight: WeightToWrite, modelType: string, type: SavedType): TensorToWrite {
  const dtype = savedTypes[type];
  const isTransposed = isStoredTransposed(modelType, weight.name);
  return {
    name: weight.name,
    dtype,
    shape: isTransposed ? weight.shape.toReversed() : weight.shape,
    bytes: () => {
      const bytes = bytesAs(weight.read(), type);
      return isTransposed ? transposeBytes(bytes, weight.shape[0]!, weight.shape[1]!, dtypes[dtype].blockBytes) : bytes;
    },
  };
}

/** fp32 values as the bytes of a type, rounded to nearest. */
export function bytesAs(values: Float32Array<ArrayBuffer>, type: SavedType): Uint8Array<ArrayBuffer> {
  const stored = type === "float32" ? values : type === "float16" ? float32ArrayToFloat16(values) : float32ArrayToBfloat16(values);
  return new Uint8Array(stored.buffer, stored.byteOffset, stored.byteLength);
}

/** Writes the tokenizer of `base` to a folder that exists. Errors as `writeHuggingFaceFolder`. */
export function writeTokenizer(folder: string, base: ModelFile): void {
  if (base.format === "huggingface") {
    for (const name of tokenizerFiles) {
      const source = pathInFolder(base.path, name);
      if (existsSync(source)) writeWholeFile(join(folder, name), [readFileSync(source)]);
    }
    return;
  }
  const { tokenizerJson, tokenizerConfig, chatTemplate } = base.tokenizer;
  writeJsonFile(join(folder, "tokenizer.json"), tokenizerJson);
  writeJsonFile(join(folder, "tokenizer_config.json"), { tokenizer_class: "PreTrainedTokenizerFast", ...tokenizerConfig });
  if (chatTemplate !== undefined) writeWholeFile(join(folder, "chat_template.jinja"), [chatTemplate]);
}

function generationConfig(base: ModelFile): JsonObject {
  if (base.format === "huggingface") {
    const path = pathInFolder(base.path, "generation_config.json");
    if (existsSync(path)) return readJsonObject(path, LARGEST_CONFIG_BYTES);
  }
  const { eosTokenIds, config } = base;
  return {
    ...("bos_token_id" in config ? { bos_token_id: config["bos_token_id"] } : {}),
    ...(eosTokenIds.length === 0 ? {} : { eos_token_id: eosTokenIds.length === 1 ? eosTokenIds[0] : eosTokenIds }),
    ...("pad_token_id" in config ? { pad_token_id: config["pad_token_id"] } : {}),
  };
}
