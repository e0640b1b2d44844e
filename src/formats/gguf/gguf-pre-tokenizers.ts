/**
 * @file How a byte-level BPE tokenizer cuts text into words before merging, by GGUF's `tokenizer.ggml.pre`.
 *
 * Sources: the tokenizer.json of the models (the expressions in their original spelling) and `llm_tokenizer_bpe` of
 * llama.cpp's llama-vocab.cpp, which says what names go together.
 */

import type { JsonObject } from "../json-file.ts";

interface PreTokenizer {
  /** Expressions whose matches become pieces, applied one after the other. */
  splits: readonly string[];
  /** Whether GPT-2's own expression, which is part of the ByteLevel step, cuts too. */
  hasGpt2Split: boolean;
  /** A piece that is a token itself is not put together from merges. */
  ignoreMerges?: boolean;
  /** Whether a prompt begins with the start token when the file does not say. */
  addBosToken?: boolean;
}

const contractions = "(?i:'s|'t|'re|'ve|'m|'ll|'d)";
const words = "[^\\r\\n\\p{L}\\p{N}]?\\p{L}+";
const symbolsAndSpaces = " ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
const upper = "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]";
const lower = "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]";
const mark = "[^\\r\\n\\p{L}\\p{N}]?";

const gpt2: PreTokenizer = { splits: [], hasGpt2Split: true };
const digits: PreTokenizer = { splits: ["\\p{N}"], hasGpt2Split: true };
const llama3: PreTokenizer = { splits: [`${contractions}|${words}|\\p{N}{1,3}|${symbolsAndSpaces}`], hasGpt2Split: false };
const qwen2: PreTokenizer = { splits: [`${contractions}|${words}|\\p{N}|${symbolsAndSpaces}`], hasGpt2Split: false };
const tekken: PreTokenizer = {
  splits: [`${mark}${upper}*${lower}+|${mark}${upper}+${lower}*|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+`],
  hasGpt2Split: false,
};
const deepseekCoder: PreTokenizer = {
  splits: ["[\\r\\n]", "\\s?\\p{L}+", "\\s?\\p{P}+", "[\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff]+", "\\p{N}"],
  hasGpt2Split: false,
};
/** What llama.cpp does for files from before the key existed. */
const unnamed: PreTokenizer = {
  splits: [
    "[\\p{P}\\$\\+<=>\\^~\\|]+",
    "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)",
    "\\p{N}+",
    "[0-9][0-9][0-9]",
  ],
  hasGpt2Split: false,
};

const preTokenizers: ReadonlyMap<string, PreTokenizer> = new Map([
  ["default", unnamed],
  ...["gpt-2", "phi-2", "mpt", "olmo", "jais", "trillion", "granite-docling"].map((name) => [name, gpt2] as const),
  ...["smollm", "starcoder", "refact", "command-r", "codeshell", "exaone", "minerva-7b"].map((name) => [name, digits] as const),
  ...["llama3", "llama-v3", "llama-bpe", "falcon3", "pixtral", "midm-2.0", "lfm2"].map(
    (name) => [name, { ...llama3, ignoreMerges: true, addBosToken: true }] as const,
  ),
  ...["smaug-bpe", "dbrx", "chatglm-bpe"].map((name) => [name, llama3] as const),
  ...["qwen2", "deepseek-r1-qwen", "stablelm2", "hunyuan", "megrez", "kormo"].map((name) => [name, qwen2] as const),
  ["tekken", { ...tekken, ignoreMerges: true, addBosToken: true }],
  ["deepseek-coder", deepseekCoder],
]);

/** The names that are known, for messages. */
export const preTokenizerNames: readonly string[] = [...preTokenizers.keys()];

/** The expressions of all of them. */
export const namedSplits: readonly string[] = [...preTokenizers.values()].flatMap(({ splits }) => splits);

export interface ByteLevelSteps {
  /** tokenizer.json's `pre_tokenizer`. */
  preTokenizer: JsonObject;
  ignoreMerges: boolean;
  addBosToken: boolean;
}

/** The steps of a named pre-tokenizer; undefined for an unknown name. */
export function byteLevelSteps(name: string): ByteLevelSteps | undefined {
  const found = preTokenizers.get(name);
  if (found === undefined) return undefined;
  const byteLevel = { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: found.hasGpt2Split };
  const splits = found.splits.map((Regex) => ({ type: "Split", pattern: { Regex }, behavior: "Isolated", invert: false }));
  return {
    preTokenizer: splits.length === 0 ? byteLevel : { type: "Sequence", pretokenizers: [...splits, byteLevel] },
    ignoreMerges: found.ignoreMerges ?? false,
    addBosToken: found.addBosToken ?? false,
  };
}
