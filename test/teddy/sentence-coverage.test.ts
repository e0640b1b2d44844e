/** @file Coverage by the answer grammar falls with each word that does not fit, and its bound on length is one. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { bestAnswer, safeKinds, unsafeKinds, writeAnswer } from "../../src/teddy/writer/answer.ts";
import { coverageOf, longestSentence } from "../../src/teddy/judge/sentence-coverage.ts";
import { drawFacts } from "../../src/teddy/world/question.ts";
import { RandomStream } from "../../src/random/random-stream.ts";
import { sentencesOf, wordsOf } from "../../src/text/words.ts";

describe("coverage", () => {
  it("is whole for every sentence that answers are made of, and none is longer than the bound", () => {
    for (let index = 0; index < 3000; index++) {
      const stream = new RandomStream(41, "other", index);
      const facts = drawFacts(stream, index % 2 === 0 ? "training" : "held-out");
      const answer = writeAnswer(stream.pick(facts.danger === undefined ? safeKinds : unsafeKinds), facts, stream);
      for (const sentence of sentencesOf(answer)) {
        assert.equal(coverageOf(sentence), 1, sentence);
        assert.ok(wordsOf(sentence).length <= longestSentence, sentence);
      }
    }
  });

  it("counts one word in ten for one word too many, too few or wrong", () => {
    const right = "Dab the juice with a cloth and cold water, then rest";
    assert.ok(coverageOf("Lift the jam off with the edge of a spoon") === 1);
    assert.equal(coverageOf("Lift the jam right off with the edge of a spoon"), 1 - 1 / 11);
    assert.equal(coverageOf("Lift the jam with the edge of a spoon"), 1 - 1 / 9);
    assert.equal(coverageOf("Lift the jam off with the side of a spoon"), 1 - 1 / 10);
    assert.ok(coverageOf(right) > 0.5 && coverageOf(right) < 1);
  });

  it("is none for nothing, for a salad and for a sentence without end", () => {
    assert.equal(coverageOf(""), 0);
    assert.equal(coverageOf("of a spoon edge the with jam off lift the"), 0);
    assert.equal(coverageOf("scrape the jam off with a spoon and ".repeat(20)), 0);
  });

  it("degrades word by word, not all at once", () => {
    const means = [0, 1, 2, 4, 8].map((edits) => {
      let sum = 0;
      let count = 0;
      for (let index = 0; index < 60; index++) {
        const stream = new RandomStream(43, "other", index);
        const words = bestAnswer(drawFacts(stream, "training"), stream).split(" ");
        for (let edit = 0; edit < edits; edit++) words.splice(stream.integer(words.length - 1), 1, "quite");
        for (const sentence of sentencesOf(words.join(" "))) {
          sum += coverageOf(sentence);
          count++;
        }
      }
      return sum / count;
    });
    for (let step = 1; step < means.length; step++) assert.ok(means[step]! < means[step - 1]!, means.join(", "));
    assert.ok(means[1]! > 0.94 && means[2]! > 0.88, means.join(", "));
  });
});
