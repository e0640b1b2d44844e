/**
 * @file The regular expressions by which well-known models cut text into words. Over any text their time is linear,
 * but for `\s*[\r\n]+`, whose search of a run of white space is repeated by no other position of the run.
 */

import { namedSplits } from "../../formats/gguf/gguf-pre-tokenizers.ts";

const contractions = "(?i:'s|'t|'re|'ve|'m|'ll|'d)";
const upper = "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]";
const lower = "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]";
const mark = "[^\\r\\n\\p{L}\\p{N}]?";
const spaces = "\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

/** In the spelling of tokenizer.json. */
export const knownPatterns: ReadonlySet<string> = new Set([
  ...namedSplits,
  // GPT-2, written out
  "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+",
  // GPT-4
  "'(?i:[sdmt]|ll|ve|re)|[^\\r\\n\\p{L}\\p{N}]?+\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]++[\\r\\n]*|\\s*[\\r\\n]|\\s+(?!\\S)|\\s+",
  // GPT-4o
  `${mark}${upper}*${lower}+${contractions}?|${mark}${upper}+${lower}*${contractions}?|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|${spaces}`,
  // Qwen3.5
  `${contractions}|${mark}[\\p{L}\\p{M}]+|\\p{N}| ?[^\\s\\p{L}\\p{M}\\p{N}]+[\\r\\n]*|${spaces}`,
  // EXAONE 4
  `(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])|${mark}\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|${spaces}`,
  // DeepSeek-V3
  "\\p{N}{1,3}",
  "[一-龥\u3040-ゟ゠-ヿ]+",
  `[!"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_\`{|}~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\\r\\n]*|${spaces}`,
]);
