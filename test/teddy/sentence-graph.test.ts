/**
 * @file Templates expand and compile to the same sentences, and distances in the graph equal those found by trying
 * every sentence.
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { SentenceGraph } from "../../src/teddy/language/sentence-graph.ts";
import { countExpansions, expandTemplate } from "../../src/teddy/language/template.ts";
import { expansionsOf } from "./expansions.ts";

/** Levenshtein's distance between two lists of words, by the textbook's table. */
function editDistance(a: readonly string[], b: readonly string[]): number {
  let row = b.map((_, index) => index + 1);
  row.unshift(0);
  for (const [index, word] of a.entries()) {
    const next = [index + 1];
    for (const [place, other] of b.entries())
      next.push(Math.min(row[place]! + (word === other ? 0 : 1), row[place + 1]! + 1, next[place]! + 1));
    row = next;
  }
  return row.at(-1)!;
}

function allSentences(source: string): string[] {
  return expansionsOf(source, { name: "otto" });
}

const template = "[k b|b|] {name} [c [d|g]|k] b[| c]";
const graph = new SentenceGraph({ name: ["otto"] });
graph.addTemplates(graph.start, graph.end, [template, "d d d"]);
const sentences = [...allSentences(template), "d d d"].map((sentence) => sentence.split(" "));

describe("templates", () => {
  it("count and expand every combination of alternatives, nested and empty ones too", () => {
    assert.equal(countExpansions(template), 3 * 3 * 2);
    assert.equal(new Set(allSentences(template)).size, 18);
    assert.deepEqual(allSentences("x[ y|]"), ["x y", "x"]);
  });

  it("fill slots, with a capital where the slot has one, and set the article", () => {
    assert.equal(
      expandTemplate("{Bear} has a [apple].", { bear: "the bear" }, () => 0),
      "The bear has an apple.",
    );
    assert.equal(
      expandTemplate("a one, a bear", {}, () => 0),
      "a one, a bear",
    );
  });

  it("name the slot that nothing fills, and refuse brackets that do not match", () => {
    assert.throws(() => expandTemplate("{missing}", {}, () => 0), /\{missing\}/);
    assert.throws(() => countExpansions("[a|b"), /closing bracket/);
    assert.throws(() => countExpansions("a]b"), /bracket too many/);
    assert.throws(() => countExpansions("{a"), /closing brace/);
  });
});

describe("SentenceGraph", () => {
  it("finds no distance for its own sentences", () => {
    for (const words of sentences) assert.equal(graph.distance(words, 0), 0, words.join(" "));
  });

  it("finds the distance that trying every sentence finds", () => {
    const words = fc.array(fc.constantFrom("k", "b", "c", "d", "g", "otto", "x"), { maxLength: 8 });
    fc.assert(
      fc.property(words, fc.integer({ min: 0, max: 8 }), (sentence, limit) => {
        const expected = Math.min(...sentences.map((other) => editDistance(sentence, other)));
        assert.equal(graph.distance(sentence, limit), Math.min(expected, limit + 1));
      }),
      { numRuns: 500 },
    );
  });
});
