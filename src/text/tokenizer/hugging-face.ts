/**
 * @file The parts that come from Hugging Face's JavaScript tokenizers: normalizers, regular expressions, rarer
 * pre-tokenizers, and models other than BPE.
 */

import { Tokenizer } from "@huggingface/tokenizers";
import { CountedPattern, type Pattern } from "./counted-pattern.ts";
import { knownPatterns } from "./known-patterns.ts";
import { invalidTokenizer } from "./tokenizer-fields.ts";

/** The library's pipeline as it is used here. */
export interface Pipeline {
  normalizer: ((text: string) => string) | null;
  /** `section_index` is 0 for the beginning of the input. A Split carries its pattern. */
  pre_tokenizer: (((text: string, options: { section_index: number }) => string[]) & { pattern?: RegExp | null }) | null;
  model: ((words: string[]) => string[]) & { unk_token_id: number | undefined };
}

const emptyModel = { type: "BPE", vocab: {}, merges: [] };

/**
 * A pipeline with the one part given.
 *
 * @param field where the part stands in tokenizer.json, for the error.
 * @throws BonsaiError `invalid_tokenizer` where the library refuses the part.
 */
export function loadPart(part: keyof Pipeline, value: unknown, field: string, config: object = {}): Pipeline {
  try {
    const json = { normalizer: null, pre_tokenizer: null, model: emptyModel, post_processor: null, decoder: null, added_tokens: [] };
    return new Tokenizer({ ...json, [part]: value }, config);
  } catch (error) {
    throw invalidTokenizer(field, `cannot be used: ${error instanceof Error ? error.message : String(error)}`, error);
  }
}

/**
 * A tokenizer.json pattern, `{"Regex": …}` in Oniguruma's syntax or `{"String": …}`. JavaScript's own engine, which has
 * no limit, gets strings and the expressions of well-known models only.
 */
export function compilePattern(pattern: unknown, field: string): Pattern {
  const split = { type: "Split", pattern, behavior: "Isolated", invert: false };
  const compiled = loadPart("pre_tokenizer", split, field).pre_tokenizer?.pattern;
  if (!(compiled instanceof RegExp)) throw invalidTokenizer(field, "must have a string as its `Regex` or `String`");
  const { Regex: regex } = pattern as { Regex?: string };
  return regex === undefined || knownPatterns.has(regex) ? compiled : new CountedPattern(compiled, field);
}
