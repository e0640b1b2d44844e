/**
 * @file A model as one GGUF file, seen as a Hugging Face folder would be: config, weights and tokenizer under the same
 * names.
 */

import { createHash } from "node:crypto";

import { BonsaiError } from "../../errors/bonsai-error.ts";
import { BoundedFile } from "../bounded-file.ts";
import { ggufArchitecture, ggufConfig } from "./gguf-config.ts";
import { ggufEosTokenIds, ggufTokenizer } from "./gguf-tokenizer.ts";
import { GgufWeights, readGgufTensor, ROPE_FACTORS_TENSOR } from "./gguf-weights.ts";
import { readGguf, type GgufFile } from "./gguf.ts";
import type { ModelFile } from "../model-file.ts";

/**
 * Opens a GGUF file of the architectures llama, qwen2, qwen3 or gpt2. Weights are read when asked for.
 * `contentHash` is the SHA-256 of the file itself.
 * @throws BonsaiError `file_not_found`, `invalid_model_file`, `unsupported_model` or `invalid_tokenizer`, naming
 * offset, tensor or key.
 */
export function openGgufModel(path: string): ModelFile {
  const file = new BoundedFile(path);
  try {
    return modelOfFile(path, file, readGguf(file));
  } catch (error) {
    file.close();
    throw error;
  }
}

function modelOfFile(path: string, file: BoundedFile, gguf: GgufFile): ModelFile {
  const { metadata, tensors } = gguf;
  const architecture = ggufArchitecture(path, metadata);
  const factors = tensors.get(ROPE_FACTORS_TENSOR);
  const config = ggufConfig(path, gguf, factors && readGgufTensor(file, factors));
  const vocabSize = config["vocab_size"] as number;
  const tokenCount = metadata.strings("tokenizer.ggml.tokens")?.length ?? 0;
  if (tokenCount > vocabSize) {
    throw new BonsaiError(
      "invalid_model_file",
      `${path}: the tokenizer has ${tokenCount} tokens, but tensor "token_embd.weight" only ${vocabSize} rows.`,
    );
  }
  const tokenizer = ggufTokenizer(path, architecture, metadata);
  const heads = Number(config["num_attention_heads"] ?? config["n_head"]);
  const weights = new GgufWeights(file, architecture, tensors.values(), heads, Number(config["num_key_value_heads"] ?? heads));
  let contentHash: string | undefined;
  return {
    path,
    format: "gguf",
    config,
    eosTokenIds: ggufEosTokenIds(metadata),
    weights,
    tokenizer,
    get contentHash() {
      if (contentHash === undefined) {
        const hash = createHash("sha256");
        file.hashInto(hash);
        contentHash = hash.digest("hex");
      }
      return contentHash;
    },
  };
}
