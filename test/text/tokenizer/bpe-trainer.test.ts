/**
 * @file The trainer finds the tokens that Hugging Face's Rust trainer finds, and what it writes is read alike by this
 * project and by the JavaScript library.
 */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { Tokenizer as Library } from "@huggingface/tokenizers";
import fc from "fast-check";
import { BpeTrainer, smallestVocabSize } from "../../../src/text/tokenizer/bpe-trainer.ts";
import { ChatTemplate, specialTokenTexts } from "../../../src/text/conversation/chat-template.ts";
import { Tokenizer } from "../../../src/text/tokenizer/tokenizer.ts";
import { assertRefused } from "../../formats/expect-error.ts";

interface Golden {
  texts: string[];
  tokens: string[];
  merges: [string, string][];
  ids: number[][];
}

const golden = JSON.parse(readFileSync(join(import.meta.dirname, "../../oracle/bpe-trainer.json"), "utf8")) as Golden;

function trainerOf(texts: readonly string[]): BpeTrainer {
  const trainer = new BpeTrainer();
  for (const text of texts) trainer.addText(text);
  return trainer;
}

interface Model {
  vocab: Record<string, number>;
  merges: [string, string][];
}

function modelOf(texts: readonly string[], vocabSize: number): Model {
  return trainerOf(texts).train(vocabSize).tokenizerJson["model"] as Model;
}

/** The plain algorithm: count all pairs of all words anew before each merge. */
function naiveMerges(texts: readonly string[], vocabSize: number): [string, string][] {
  const start = trainerOf([]).train(smallestVocabSize).tokenizerJson["model"] as Model;
  const ids = new Map(Object.entries(start.vocab));
  const words = trainerWords(texts).map((word) => [...word]);
  const merges: [string, string][] = [];
  while (ids.size < vocabSize) {
    const counts = new Map<string, number>();
    for (const word of words)
      for (let at = 1; at < word.length; at++)
        counts.set(`${word[at - 1]} ${word[at]}`, (counts.get(`${word[at - 1]} ${word[at]}`) ?? 0) + 1);
    const ranked = [...counts].map(([pair, count]) => {
      const [left, right] = pair.split(" ") as [string, string];
      return { left, right, count };
    });
    ranked.sort((a, b) => b.count - a.count || ids.get(a.left)! - ids.get(b.left)! || ids.get(a.right)! - ids.get(b.right)!);
    const best = ranked[0];
    if (best === undefined) break;
    merges.push([best.left, best.right]);
    if (!ids.has(best.left + best.right)) ids.set(best.left + best.right, ids.size);
    for (const word of words) {
      for (let at = 0; at + 1 < word.length; at++)
        if (word[at] === best.left && word[at + 1] === best.right) word.splice(at, 2, best.left + best.right);
    }
  }
  return merges;
}

/** Words of ASCII texts without digits and apostrophes, in the byte alphabet. */
function trainerWords(texts: readonly string[]): string[] {
  return texts.flatMap((text) => text.match(/ ?[a-z]+| ?[^a-z ]+| +(?![^ ])| +/g) ?? []).map((word) => word.replaceAll(" ", "Ġ"));
}

describe("BpeTrainer", () => {
  it("finds the reference's tokens and merges, in the same order", () => {
    const { vocab, merges } = modelOf(golden.texts, 420);
    assert.deepEqual(
      Object.entries(vocab)
        .toSorted((a, b) => a[1] - b[1])
        .map(([token]) => token),
      golden.tokens,
    );
    assert.deepEqual(merges, golden.merges);
  });

  it("writes a tokenizer.json that gives the reference's ids, here and in the JavaScript library", () => {
    const files = trainerOf(golden.texts).train(420);
    const tokenizer = new Tokenizer(files);
    const library = new Library(files.tokenizerJson, files.tokenizerConfig);
    for (const [index, text] of golden.texts.entries()) {
      assert.deepEqual(tokenizer.encode(text), golden.ids[index]);
      assert.deepEqual(library.encode(text).ids, golden.ids[index]);
      assert.equal(tokenizer.decode(golden.ids[index]!), text);
    }
  });

  it("equals the plain algorithm on random texts", () => {
    const text = fc.string({ unit: fc.constantFrom("a", "b", "c", " ", "."), maxLength: 40 });
    fc.assert(
      fc.property(fc.array(text, { maxLength: 6 }), fc.integer({ min: 0, max: 30 }), (texts, more) => {
        const size = smallestVocabSize + more;
        assert.deepEqual(modelOf(texts, size).merges, naiveMerges(texts, size));
      }),
    );
  });

  it("gives every text back, whatever it was trained on", () => {
    const tokenizer = new Tokenizer(trainerOf(golden.texts).train(400));
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), (text) => {
        assert.equal(tokenizer.decode(tokenizer.encode(text, { literalOffsets: [] })), text);
      }),
    );
  });

  it("does not depend on the order of the texts", () => {
    assert.deepEqual(modelOf(golden.texts.toReversed(), 400), modelOf(golden.texts, 400));
  });

  it("stops where no pair is left", () => {
    assert.equal(Object.keys(modelOf(["ab"], 1000).vocab).length, smallestVocabSize + 1);
    assert.equal(Object.keys(modelOf([], 1000).vocab).length, smallestVocabSize);
  });

  it("refuses a vocabulary that has no room for the bytes", () => {
    assertRefused(() => trainerOf([]).train(259), "invalid_tokenizer", /259; it must be an integer of at least 260/);
  });

  it("hears of each token as it is made", () => {
    const heard: number[] = [];
    trainerOf(golden.texts).train(smallestVocabSize + 3, (tokens) => heard.push(tokens));
    assert.deepEqual(heard, [261, 262, 263]);
  });

  it("brings special tokens and a ChatML template that name each other", () => {
    const files = trainerOf(golden.texts).train(300);
    const tokenizer = new Tokenizer(files);
    assert.deepEqual(
      ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|pad|>"].map((token) => tokenizer.idOf(token)),
      [0, 1, 2, 3],
    );
    assert.equal(files.tokenizerConfig["eos_token"], "<|im_end|>");
    const template = new ChatTemplate(files.chatTemplate!, specialTokenTexts(files.tokenizerConfig));
    const rendered = template.render([{ role: "user", content: "Hello" }], { addGenerationPrompt: true });
    assert.equal(rendered, "<|im_start|>user\nHello<|im_end|>\n<|im_start|>assistant\n");
    assert.equal(tokenizer.encode(rendered).filter((id) => tokenizer.isSpecial(id)).length, 3);
  });
});
