/** @file A model as a Hugging Face folder: config.json, safetensors, tokenizer.json and their companions. */

import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { join } from "node:path";

import { BonsaiError } from "../errors/bonsai-error.ts";
import { BoundedFile } from "./bounded-file.ts";
import { isJsonObject, readJsonObject, readTextFile, type JsonObject } from "./json-file.ts";
import type { ModelFile, TokenizerFiles } from "./model-file.ts";
import { openFolderWeights, pathInFolder, type FolderWeights } from "./safetensors/safetensors-weights.ts";

const LARGEST_CONFIG_BYTES = 16 * 2 ** 20;
/** The largest vocabularies today take some 35 MB. */
const LARGEST_TOKENIZER_BYTES = 256 * 2 ** 20;

const CONFIG = "config.json";
const GENERATION_CONFIG = "generation_config.json";
const TOKENIZER = "tokenizer.json";
const TOKENIZER_CONFIG = "tokenizer_config.json";
const CHAT_TEMPLATE = "chat_template.jinja";

/** Opens the weights that belong to a folder's config. */
export type OpenWeights = (folder: string, modelType: string, config: JsonObject) => FolderWeights;

/**
 * Opens a folder as transformers' `save_pretrained` writes it. Weights are read when asked for.
 * @param openWeights gives the weights; default those of the folder's safetensors. A model from nothing has none.
 * @throws BonsaiError `file_not_found`, `invalid_model_file`, `unsupported_model` or `invalid_tokenizer`, naming file
 * and part.
 */
export function openHuggingFaceFolder(folder: string, openWeights: OpenWeights = openFolderWeights): ModelFile {
  const config = withRopeKeys(readJsonObject(pathInFolder(folder, CONFIG), LARGEST_CONFIG_BYTES));
  const modelType = config["model_type"];
  if (typeof modelType !== "string") throw new BonsaiError("invalid_model_file", `${join(folder, CONFIG)} has no string "model_type".`);
  const generationConfig = optionalObject(folder, GENERATION_CONFIG, LARGEST_CONFIG_BYTES) ?? {};
  const tokenizer = readTokenizerFiles(folder);
  const endIds = eosTokenIds(folder, config, generationConfig, tokenizer);
  // Last, because it leaves files open.
  const { source, files } = openWeights(folder, modelType, config);
  let contentHash: string | undefined;
  return {
    path: folder,
    format: "huggingface",
    config,
    eosTokenIds: endIds,
    weights: source,
    tokenizer,
    get contentHash() {
      return (contentHash ??= hashOfFiles(folder, files));
    },
  };
}

function optionalObject(folder: string, name: string, largestBytes: number): JsonObject | undefined {
  const path = pathInFolder(folder, name);
  return existsSync(path) ? readJsonObject(path, largestBytes) : undefined;
}

/**
 * Since transformers 5 `rope_theta` and `rope_scaling` are written as one `rope_parameters`: the older keys are filled
 * from it.
 */
function withRopeKeys(config: JsonObject): JsonObject {
  const parameters = config["rope_parameters"];
  if (!isJsonObject(parameters)) return config;
  const { rope_theta: theta, ...scaling } = parameters;
  const isScaled = typeof scaling["rope_type"] === "string" && scaling["rope_type"] !== "default";
  return {
    ...(theta === undefined ? {} : { rope_theta: theta }),
    ...(isScaled ? { rope_scaling: scaling } : {}),
    ...config,
  };
}

/**
 * Reads tokenizer.json, tokenizer_config.json and the chat template of a folder. As in transformers,
 * chat_template.jinja counts before the one inside tokenizer_config.json, and among several named ones the one named
 * "default" is taken.
 * @throws BonsaiError `invalid_tokenizer` when tokenizer.json is absent; `invalid_model_file` when a file is not what
 * it should be.
 */
export function readTokenizerFiles(folder: string): TokenizerFiles {
  const tokenizerJson = optionalObject(folder, TOKENIZER, LARGEST_TOKENIZER_BYTES);
  if (tokenizerJson === undefined) {
    throw new BonsaiError(
      "invalid_tokenizer",
      `${folder} has no ${TOKENIZER}: save the tokenizer with transformers' AutoTokenizer, which writes it.`,
    );
  }
  const tokenizerConfig = optionalObject(folder, TOKENIZER_CONFIG, LARGEST_CONFIG_BYTES) ?? {};
  const templatePath = pathInFolder(folder, CHAT_TEMPLATE);
  const chatTemplate = existsSync(templatePath)
    ? readTextFile(templatePath, LARGEST_CONFIG_BYTES)
    : templateOf(tokenizerConfig["chat_template"]);
  return { tokenizerJson, tokenizerConfig, chatTemplate };
}

function templateOf(value: unknown): string | undefined {
  if (typeof value === "string") return value;
  if (!Array.isArray(value)) return undefined;
  const named = value.filter(isJsonObject).find((item) => item["name"] === "default");
  return typeof named?.["template"] === "string" ? named["template"] : undefined;
}

function eosTokenIds(folder: string, config: JsonObject, generationConfig: JsonObject, tokenizer: TokenizerFiles): number[] {
  const ids =
    tokenIds(generationConfig["eos_token_id"], join(folder, GENERATION_CONFIG)) ??
    tokenIds(config["eos_token_id"], join(folder, CONFIG)) ??
    idOfToken(tokenizer.tokenizerConfig["eos_token"], tokenizer.tokenizerJson);
  return ids ?? [];
}

function tokenIds(value: unknown, path: string): number[] | undefined {
  if (value === undefined || value === null) return undefined;
  const ids = Array.isArray(value) ? value : [value];
  if (!ids.every((id) => Number.isSafeInteger(id) && id >= 0))
    throw new BonsaiError("invalid_model_file", `${path}: eos_token_id must be a token id or a list of them.`);
  return [...new Set(ids as number[])];
}

/**
 * tokenizer_config.json gives a special token as text or as `{content}`; its id is among tokenizer.json's added tokens
 * or vocabulary.
 */
function idOfToken(token: unknown, tokenizerJson: JsonObject): number[] | undefined {
  const content = isJsonObject(token) ? token["content"] : token;
  if (typeof content !== "string") return undefined;
  const added = tokenizerJson["added_tokens"];
  const found = Array.isArray(added) ? added.filter(isJsonObject).find((item) => item["content"] === content)?.["id"] : undefined;
  if (Number.isSafeInteger(found)) return [found as number];
  const vocabulary = isJsonObject(tokenizerJson["model"]) ? tokenizerJson["model"]["vocab"] : undefined;
  const id = isJsonObject(vocabulary) && Object.hasOwn(vocabulary, content) ? vocabulary[content] : undefined;
  return Number.isSafeInteger(id) ? [id as number] : undefined;
}

/**
 * SHA-256 over the files that decide the answers; each is preceded by its name and size, so that no two folders can
 * read the same.
 */
function hashOfFiles(folder: string, weightFiles: readonly BoundedFile[]): string {
  const hash = createHash("sha256");
  const add = (name: string, file: BoundedFile): void => {
    hash.update(`${name}\0${file.size}\0`);
    file.hashInto(hash);
  };
  for (const name of [CONFIG, GENERATION_CONFIG, TOKENIZER, TOKENIZER_CONFIG, CHAT_TEMPLATE]) {
    const path = pathInFolder(folder, name);
    if (!existsSync(path)) continue;
    const file = new BoundedFile(path);
    try {
      add(name, file);
    } finally {
      file.close();
    }
  }
  for (const [index, file] of weightFiles.entries()) add(`weights ${index}`, file);
  return hash.digest("hex");
}
