/**
 * @file The text clean-up before everything else: the normalizer of tokenizer.json, step by step within a bound on the
 * text's growth.
 */

import { allMatches, type Pattern } from "./counted-pattern.ts";
import { compilePattern, loadPart } from "./hugging-face.ts";
import { checkGrowth, stepsOf } from "./tokenizer-limits.ts";
import { invalidTokenizer, optionalString, type JsonObject } from "./tokenizer-fields.ts";

export type Normalizer = (text: string) => string;

/**
 * Ideographs beyond 16 bits that BertNormalizer sets apart (tokenizers' is_chinese_char); the library sees only halves
 * of them.
 */
const longIdeographs = /[\u{20000}-\u{2a6df}\u{2a700}-\u{2b73f}\u{2b740}-\u{2b81f}\u{2b920}-\u{2ceaf}\u{2f800}-\u{2fa1f}]/gu;

/**
 * @returns null for none. @throws BonsaiError `invalid_tokenizer`, naming the field; the normalizer throws it too, for
 * a text that grows too much.
 */
export function compileNormalizer(json: JsonObject | null): Normalizer | null {
  if (json === null) return null;
  const steps = stepsOf(json, "normalizers", "normalizer").map(([step, field]) => compileStep(step, field));
  return (text) => steps.reduce((before, step) => checkGrowth(step(before), text, "normalizer"), text);
}

function compileStep(json: JsonObject, field: string): Normalizer {
  if (json["type"] === "Replace") {
    const pattern = compilePattern(json["pattern"], `${field}.pattern`);
    const content = optionalString(json["content"], `${field}.content`) ?? "";
    return (text) => replaceAll(text, pattern, content);
  }
  const { normalizer } = loadPart("normalizer", json, field);
  if (normalizer === null) throw invalidTokenizer(field, "is no normalizer");
  const setsApart = json["type"] === "BertNormalizer" && json["handle_chinese_chars"] !== false;
  return setsApart ? (text) => normalizer(text.replace(longIdeographs, " $& ")) : normalizer;
}

/** Empty matches, which would put the content between all characters, are none. */
function replaceAll(text: string, pattern: Pattern, content: string): string {
  let replaced = "";
  let done = 0;
  for (const { 0: match, index } of allMatches(text, pattern)) {
    if (match === "") continue;
    replaced += text.slice(done, index) + content;
    done = index + match.length;
  }
  return replaced + text.slice(done);
}
