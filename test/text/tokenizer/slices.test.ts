/** @file Tokenising in slices, and after the beginning of another text, gives the ids of tokenising at once. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { runSlices, sliceCharacters } from "../../../src/text/slices.ts";
import { splitByPattern, type SplitBehavior } from "../../../src/text/tokenizer/pre-tokenizer.ts";
import { Tokenizer } from "../../../src/text/tokenizer/tokenizer.ts";
import { filesOf, smallTokenizers } from "../goldens.ts";

const { texts, kinds } = smallTokenizers();
const gpt2 = kinds.find(({ name }) => name === "gpt2")!.tokenizerJson;

/** The words of a text, found one after the other in the plainest way. */
function naiveSplit(text: string, pattern: RegExp, behavior: SplitBehavior, invert: boolean): string[] {
  const parts: { part: string; isMatch: boolean }[] = [];
  let start = 0;
  for (const match of text.matchAll(pattern)) {
    if (match[0] === "") continue;
    if (match.index > start) parts.push({ part: text.slice(start, match.index), isMatch: invert });
    parts.push({ part: match[0], isMatch: !invert });
    start = match.index + match[0].length;
  }
  if (start < text.length) parts.push({ part: text.slice(start), isMatch: invert });
  const words: string[] = [];
  parts.forEach(({ part, isMatch }, index) => {
    const previous = parts[index - 1]?.isMatch;
    const isMerged =
      (behavior === "Contiguous" && previous === isMatch) ||
      (behavior === "MergedWithPrevious" && isMatch && previous === false) ||
      (behavior === "MergedWithNext" && !isMatch && previous === true);
    if (isMerged) words[words.length - 1] += part;
    else if (behavior !== "Removed" || !isMatch) words.push(part);
  });
  return words;
}

describe("a long text", () => {
  it("is split into the words of a short one", () => {
    const fragment = fc.constantFrom("a", "bc", " ", "  ", "\n", "é", "12", "3", "!?", "▁", "𝒳");
    fc.assert(
      fc.property(
        fc.array(fragment, { minLength: 1, maxLength: 60 }),
        fc.constantFrom(/ ?\p{L}+|\p{N}|\s+(?!\S)|\s+/gu, /\p{N}+/gu, / /gu, /x/gu),
        fc.constantFrom<SplitBehavior>("Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"),
        fc.boolean(),
        fc.constantFrom(1, 400),
        (fragments, pattern, behavior, invert, times) => {
          const text = fragments.join("").repeat(times);
          assert.deepEqual([...splitByPattern(text, pattern, behavior, invert)], naiveSplit(text, pattern, behavior, invert));
        },
      ),
    );
  });

  for (const { name, tokenizerJson } of kinds.filter(({ tokenizerJson: { model } }) => (model as { type: string }).type === "BPE")) {
    it(`is encoded in slices none of which is longer than a slice and a word: ${name}`, () => {
      const tokenizer = new Tokenizer(filesOf(tokenizerJson));
      const text = texts.join(" and so on ").repeat(10);
      const slices: number[] = [];
      const work = tokenizer.encodeInSlices(text);
      for (let step = work.next(); step.done !== true; step = work.next()) slices.push(step.value);
      // What a pre-tokenizer removes is not encoded.
      if (!name.includes("removed")) assert.ok(slices.length >= Math.floor(text.length / (2 * sliceCharacters)));
      const longestWord = Math.max(...text.split(/\s/).map((word) => word.length));
      // SentencePiece's kinds that merge across words take a text as one word.
      if (slices.length > 1) for (const slice of slices) assert.ok(slice <= 2 * sliceCharacters + longestWord, `${slice}`);
    });
  }
});

describe("a text that begins like another", () => {
  /** Added tokens of all sorts over a byte-level model; some begin alike, and some end where others begin. */
  const sorts: [content: string, flags: object][] = [
    ["<a>", {}],
    ["<a><b>", {}],
    ["<left>", { lstrip: true }],
    ["<right>", { rstrip: true }],
    ["word", { single_word: true, special: false }],
    ["<n>", { normalized: true, special: false }],
  ];
  const vocabulary = Object.keys((gpt2["model"] as { vocab: object }).vocab).length;
  const added = sorts.map(([content, flags], index) => ({
    id: vocabulary + 100 + index,
    content,
    single_word: false,
    lstrip: false,
    rstrip: false,
    normalized: false,
    special: true,
    ...flags,
  }));
  const tokenizers = [null, { type: "Lowercase" }].map(
    (normalizer) => new Tokenizer(filesOf({ ...gpt2, normalizer, added_tokens: [...(gpt2["added_tokens"] as object[]), ...added] })),
  );
  const fragment = fc.constantFrom(
    "<a>",
    "<b>",
    "<a",
    "><b>",
    "<left>",
    "<right>",
    "word",
    "<n>",
    "<N>",
    " ",
    "  ",
    "\n",
    "s",
    "It's",
    "é",
  );
  const text = fc.array(fragment, { maxLength: 14 }).map((fragments) => fragments.join(""));
  const offsets = fc.uniqueArray(fc.nat(40), { maxLength: 3 }).map((all) => all.toSorted((a, b) => a - b));

  it("is encoded after what they share as if it stood alone", () => {
    let sharing = 0;
    fc.assert(
      fc.property(
        fc.constantFrom(...tokenizers),
        fc.tuple(text, text, text),
        fc.tuple(offsets, offsets),
        fc.boolean(),
        fc.boolean(),
        (tokenizer, [start, end, otherEnd], [literalOffsets, otherOffsets], sameOffsets, addSpecialTokens) => {
          const options = { addSpecialTokens, literalOffsets };
          const before = runSlices(
            tokenizer.encodeInSlices(start + otherEnd, { addSpecialTokens, literalOffsets: sameOffsets ? literalOffsets : otherOffsets }),
          );
          const alone = runSlices(tokenizer.encodeInSlices(start + end, options));
          assert.deepEqual(runSlices(tokenizer.encodeInSlices(start + end, options, before)), alone);
          assert.deepEqual(alone.ids, tokenizer.encode(start + end, options));
          if (start !== "" && alone.addedTokens.length > 0) sharing++;
        },
      ),
      { numRuns: 3000 },
    );
    assert.ok(sharing > 500, `${sharing} texts had an added token`);
  });

  it("costs what follows the last added token that is surely shared", () => {
    const [tokenizer] = tokenizers as [Tokenizer];
    const prompt = `${"It's a long prompt. ".repeat(1000)}<a>What follows? `;
    const before = runSlices(tokenizer.encodeInSlices(prompt));
    let characters = 0;
    const work = tokenizer.encodeInSlices(`${prompt}An answer.`, {}, before);
    for (let step = work.next(); step.done !== true; step = work.next()) characters += step.value;
    assert.equal(characters, "What follows? An answer.".length);
  });
});
