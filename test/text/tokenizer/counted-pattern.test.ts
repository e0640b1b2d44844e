/**
 * @file Patterns of model files match what JavaScript's own engine matches, in a number of steps that grows with the
 * text.
 */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { BonsaiError } from "../../../src/errors/bonsai-error.ts";
import { CountedPattern } from "../../../src/text/tokenizer/counted-pattern.ts";
import { knownPatterns } from "../../../src/text/tokenizer/known-patterns.ts";
import { compilePattern, loadPart } from "../../../src/text/tokenizer/hugging-face.ts";
import { Tokenizer } from "../../../src/text/tokenizer/tokenizer.ts";
import { filesOf, smallTokenizers } from "../goldens.ts";

/** As JavaScript would compile it. */
function native(regex: string): RegExp {
  const split = { type: "Split", pattern: { Regex: regex }, behavior: "Isolated", invert: false };
  return loadPart("pre_tokenizer", split, "pattern").pre_tokenizer!.pattern as RegExp;
}

const matchesOf = (found: Iterable<{ 0: string; index?: number }>): [string, number][] =>
  Array.from(found, ({ 0: match, index }): [string, number] => [match, index!]).filter(([match]) => match !== "");

const others = [
  "(?>\\p{L}+)|\\p{N}{1,3}|\\s+(?!\\S)|\\s+|.",
  "[[:alpha:]]+|[[:digit:]]+|[[:space:]]+|[[:punct:]]+|.",
  "\\h+|\\H+",
  "(?<=\\s)\\w+|\\w+|[^\\w]+",
  "\\p{N}{1,3}(?=(\\p{N}{3})*(?!\\p{N}))|[^\\p{N}]+",
  "\\d{1,3}(?=(?:\\d{3})*\\b)|\\D+",
  "\\s?[A-Za-z\u00b5\u0370-\u03ff]+|\\s+$",
  " ?[^(\\s|[.,!?…。，、।۔،])]+",
  "(?:[A-Z][a-z]*)+?|(?:ab?|b)*c{2,3}|(a|b|)*|x*?y",
  "(?<!a|bc)\\w(?<=\\d|[a-f])",
  "[\\p{Han}]+|(?:\\p{Lu}{0,2}\\p{Ll})+",
];
const alphabet = fc.constantFrom(
  ..."aAbBcxyzstmldvr'eEſK019½²Ⅷ٣ \t\r\n\u0085\u00a0\u2028\u3000.,!?…。(|[]-_/é\u0301ßΩ你好한글😀𠀀ǅ".match(/./gsu)!,
  "'ll",
  "   ",
  "12345",
  "abc",
);
const text = fc.array(alphabet, { maxLength: 30 }).map((parts) => parts.join(""));

describe("a counted pattern", () => {
  for (const regex of [...knownPatterns, ...others]) {
    test(`matches as JavaScript does: ${JSON.stringify(regex).slice(0, 60)}`, () => {
      const pattern = native(regex);
      const counted = new CountedPattern(pattern, "pattern");
      fc.assert(
        fc.property(text, (sample) => {
          assert.deepEqual(matchesOf(counted.matchAll(sample)), matchesOf(sample.matchAll(pattern)));
        }),
        { numRuns: 300 },
      );
    });
  }

  test("has steps to spare for the patterns of models in use, on runs of any one kind of character", () => {
    for (const regex of [...knownPatterns, ...others.slice(0, 5)])
      for (const run of ["a", "A", "1", " ", "\n", " \n", "!", "'", "你", "ǅ", "é\u0301", "a1 !"])
        matchesOf(new CountedPattern(native(regex), "pattern").matchAll(run.repeat(3000)));
  });

  test("that backtracks without end is refused, and so is a file that has it", () => {
    const gpt2 = smallTokenizers().kinds.find(({ name }) => name === "gpt2")!.tokenizerJson;
    const isRefused = (error: unknown): boolean =>
      error instanceof BonsaiError && error.code === "invalid_tokenizer" && /pattern` takes more than \d+ steps/.test(error.message);
    for (const regex of ["(a+)+$", "(a|aa)*b", "(?:a?){50}a{50}c|b", "(?=(a*)*b)a", "a*a*a*a*a*b", "(.*)\\1\\1b"]) {
      const pattern = { Regex: regex };
      const steps = [
        { pre_tokenizer: { type: "Split", pattern, behavior: "Isolated", invert: false } },
        { normalizer: { type: "Replace", pattern, content: "x" } },
      ];
      for (const step of steps)
        assert.throws(() => new Tokenizer(filesOf({ ...gpt2, ...step })).encode(`${"a".repeat(20_000)}!`), isRefused, regex);
    }
  });

  test("of a million parts is refused when it is compiled", () => {
    const isRefused = (error: unknown): boolean => error instanceof BonsaiError && error.code === "invalid_tokenizer";
    for (const regex of ["(?:(?:a{100}){100}){100}", "a{1000000}", "\\b{3}("])
      assert.throws(() => compilePattern({ Regex: regex }, "pattern"), isRefused);
  });
});
