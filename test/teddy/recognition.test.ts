/** @file Words, stems and clauses, and whether what is mentioned is advised or advised against. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { compilePattern, mentionsOf, readText } from "../../src/teddy/language/recognition.ts";
import { clausesOf, stem } from "../../src/teddy/language/clauses.ts";
import { sentencesOf, wordsOf } from "../../src/text/words.ts";

const dab = ["dab/blot vinegar"].map(compilePattern);

describe("words", () => {
  it("are cut out of punctuation, with their apostrophes and hyphens", () => {
    assert.deepEqual(wordsOf("Don’t ask a grown-up, Otto's well-off!"), ["don't", "ask", "a", "grown-up", "otto's", "well-off"]);
  });

  it("of one verb share a stem", () => {
    for (const family of [
      "dab dabs dabbing dabbed",
      "put puts putting",
      "dry dries drying dried",
      "wipe wipes wiping wiped",
      "press presses pressing pressed",
      "wash washes washing washed",
      "shake shook shaken shaking",
      "take took taken takes",
      "brush brushes brushing",
      "keep kept keeping",
    ]) {
      assert.equal(new Set(family.split(" ").map(stem)).size, 1, family);
    }
  });

  it("of different verbs do not", () => {
    const words = "dab dry wipe press wash shake take brush keep rub run hang hand hold line lint time tie sew see seam steam".split(" ");
    assert.equal(new Set(words.map(stem)).size, words.length);
  });
});

describe("sentences and clauses", () => {
  it("end at marks and line breaks, not at a mark inside a word", () => {
    assert.deepEqual(sentencesOf("One. Two! Three?\nFour: five… 3.5 six"), ["One", "Two", "Three", "Four: five", "3.5 six"]);
    assert.deepEqual(sentencesOf(" ... !! "), []);
  });

  it("are parted by commas and by words that turn", () => {
    assert.deepEqual(
      clausesOf("Do not rub, but dab because it helps").map(({ words }) => words.join(" ")),
      ["do not rub", "dab", "it helps"],
    );
  });
});

describe("a mention", () => {
  const polarity = (text: string): string => {
    const { affirmed, negated } = mentionsOf(readText(text), dab);
    return affirmed > 0 ? (negated > 0 ? "both" : "affirmed") : negated > 0 ? "negated" : "none";
  };
  const cases: Record<string, readonly string[]> = {
    affirmed: [
      "Dab it with vinegar.", "You should dab it with vinegar.", "With vinegar, dab the ink.", "Do not rub, just dab it with vinegar.", "Do not forget to dab it with vinegar.",
      "Why not dab it with vinegar?", "Do not hesitate to dab it with vinegar.", "Try dabbing it with vinegar.", "If you do not have a sponge, dab it with vinegar.", "Instead of rubbing, dab it with vinegar.",
      "BLOT IT WITH VINEGAR", "It is no problem to dab it with vinegar.",
    ],
    negated: [
      "Never dab it with vinegar.", "Do not dab it with vinegar.", "Don't dab it with vinegar.", "Don’t ever dab it with vinegar.", "You must not rub or dab it with vinegar.", "Avoid dabbing it with vinegar.",
      "Wash it without dabbing any vinegar on it.", "It is wrong to dab it with vinegar.", "Wash it instead of dabbing it with vinegar.", "Use soap rather than dabbing it with vinegar.", "Dabbing it with vinegar could harm it.",
      "Dab it with water, not with vinegar.", "Nobody should dab it with vinegar.",
    ],
    both: ["Dab it with vinegar. Never dab it with vinegar."],
    none: ["Dab it.", "Vinegar helps.", "Dab it with water. Vinegar is for salad.", "", "The dog ran away."],
  }; // prettier-ignore
  for (const [expected, texts] of Object.entries(cases)) {
    for (const text of texts) {
      it(`is ${expected}: ${text === "" ? "(nothing)" : text}`, () => {
        assert.equal(polarity(text), expected);
      });
    }
  }
});
