/** @file Texts for training are the same each time, varied, clean, and as bounded as they are asked to be. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { corpusDocument, corpusTexts } from "../../src/teddy/writer/corpus.ts";
import { demonstration } from "../../src/teddy/writer/demonstration.ts";
import { genreMixture } from "../../src/teddy/writer/genres.ts";

const count = 3000;
const documents = Array.from({ length: count }, (_, index) => corpusDocument(1, index));

describe("the corpus", () => {
  it("is a pure function of seed and index", () => {
    for (let index = 0; index < 50; index++) assert.deepEqual(corpusDocument(1, index), documents[index]);
    assert.notEqual(corpusDocument(2, 0).text, documents[0]!.text);
  });

  it("holds every genre about as often as the mixture says", () => {
    const total = Object.values(genreMixture).reduce((sum, weight) => sum + weight, 0);
    for (const [genre, weight] of Object.entries(genreMixture)) {
      const share = documents.filter((document) => document.genre === genre).length / count;
      assert.ok(Math.abs(share - weight / total) < 0.03, `${genre}: ${share}`);
    }
  });

  it("repeats no document, and most sentences are said once", () => {
    assert.equal(new Set(documents.map(({ text }) => text)).size, count);
    const sentences = documents
      .flatMap(({ text }) => text.split(/(?<=[.!?]["']?)\s+/))
      .filter((sentence) => sentence.split(" ").length > 5);
    const distinct = new Set(sentences).size;
    assert.ok(distinct / sentences.length > 0.7, `${distinct} of ${sentences.length}`);
  });

  it("has no unfilled slots, brackets, doubled spaces or empty lines at its ends", () => {
    for (const { text } of documents) {
      assert.doesNotMatch(text, /[{}[\]|]| {2}|undefined| [.,;:?!]|,,|\.\.|\b[Aa] [aeio](?!ne\b)/);
      assert.equal(text, text.trim());
    }
  });

  it("ends where it was asked to", () => {
    const texts = [...corpusTexts(1, 10_000)];
    const lengths = texts.map((text) => text.length);
    const total = lengths.reduce((sum, length) => sum + length, 0);
    assert.ok(total >= 10_000 && total - lengths.at(-1)! < 10_000);
  });
});

describe("demonstrations", () => {
  it("alternate between user and assistant and end with an answer", () => {
    let longer = 0;
    for (let index = 0; index < 1000; index++) {
      const messages = demonstration(1, index);
      assert.deepEqual(
        messages.map(({ role }) => role),
        messages.map((_, place) => (place % 2 === 0 ? "user" : "assistant")),
      );
      assert.equal(messages.length % 2, 0);
      if (messages.length > 2) longer++;
    }
    assert.ok(longer > 20, `${longer} of several turns`);
  });
});
