/**
 * @file The parts of tokenizer.json (the serialisation of Hugging Face's tokenizers) that are alike in every BPE that
 * is read or trained here.
 */

import type { JsonObject } from "./json-file.ts";

/** The `model` of tokenizer.json: `parts` and, for what they do not say, the library's own defaults. */
export function bpeModel(parts: JsonObject): JsonObject {
  return {
    type: "BPE",
    dropout: null,
    unk_token: null,
    continuing_subword_prefix: null,
    end_of_word_suffix: null,
    fuse_unk: false,
    byte_fallback: false,
    ignore_merges: false,
    ...parts,
  };
}

/**
 * One of tokenizer.json's `added_tokens`: found in a text before anything else, as it stands.
 * @param special whether decoded text leaves it out
 */
export function addedToken(id: number, content: string, special: boolean): JsonObject {
  return { id, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special };
}
