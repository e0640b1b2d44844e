/** @file Opens a model by its path, whatever its format: what is there decides, not what it is called. */

import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";

import { BonsaiError } from "../errors/bonsai-error.ts";
import { openGgufModel } from "./gguf/gguf-model.ts";
import { openHuggingFaceFolder } from "./hugging-face-folder.ts";
import type { ModelFile } from "./model-file.ts";

/**
 * Opens a GGUF file, a Hugging Face folder (it holds config.json), or a folder that holds exactly one .gguf file.
 * Only headers and tokenizer are read; weights are read when asked for, until `weights.close()`.
 * @throws BonsaiError `file_not_found` when nothing of the kind is at the path; `invalid_model_file`,
 * `unsupported_model` or `invalid_tokenizer`, naming file and offset, tensor or key, when it cannot be used.
 */
export function openModel(path: string): ModelFile {
  let isFolder: boolean;
  try {
    isFolder = statSync(path).isDirectory();
  } catch (cause) {
    throw new BonsaiError("file_not_found", `There is no model at ${path}: give a .gguf file or a Hugging Face folder.`, { cause });
  }
  if (!isFolder) return openGgufModel(path);
  if (existsSync(join(path, "config.json"))) return openHuggingFaceFolder(path);
  const candidates = readdirSync(path).filter((name) => name.toLowerCase().endsWith(".gguf"));
  const [only] = candidates;
  if (candidates.length === 1 && only !== undefined) return openGgufModel(join(path, only));
  if (candidates.length === 0) throw new BonsaiError("file_not_found", `The folder ${path} holds neither config.json nor a .gguf file.`);
  throw new BonsaiError("file_not_found", `The folder ${path} holds ${candidates.length} .gguf files: give the path of one of them.`);
}
