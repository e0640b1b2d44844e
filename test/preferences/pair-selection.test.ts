/** @file Which judged pairs are taken: by margin, length, agreement of dimensions, and standing within a prompt. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import type { Preference, Verdict } from "../../src/judges/judges.ts";
import { everyPair, selectPairs, type PairSelection, type SelectionCounts } from "../../src/preferences/pair-selection.ts";

const none: SelectionCounts = { close: 0, unlikeLengths: 0, contradicted: 0, weaker: 0 };

/** Three answers of one, two and six words; a verdict on (0, 1), (0, 2) and (1, 2). */
function select(verdicts: readonly Verdict[], more: Partial<PairSelection>): [number[], SelectionCounts] {
  const counts = { ...none };
  const collected = {
    candidates: ["one", "one two", " one two  three\nfour five six "].map((text) => ({ text, origin: "sample" as const })),
    pairs: [[0, 1], [0, 2], [1, 2]] as const, // prettier-ignore
    verdicts: { judge: verdicts },
  };
  return [selectPairs(collected, "judge", [...verdicts.keys()], { ...everyPair, ...more }, counts), counts];
}

const verdict = (preference: Preference, margin = 1, preferences: Record<string, Preference> = {}): Verdict => ({ preference, margin, preferences }); // prettier-ignore

describe("of judged pairs", () => {
  it("all are taken where nothing is asked for", () => {
    assert.deepEqual(select([verdict(1), verdict(0, 0), verdict(-1)], {}), [[0, 1, 2], none]);
  });

  it("those of a small margin, of unlike lengths, and contradicted in a dimension are left out, each counted for the first reason", () => {
    const verdicts = [verdict(1, 0.3), verdict(-1, 0.5, { safety: 1 }), verdict(-1, 0.5, { safety: -1, charm: 0 })];
    assert.deepEqual(select(verdicts, { leastMargin: 0.5 }), [[1, 2], { ...none, close: 1 }]);
    assert.deepEqual(select(verdicts, { mostLengthDifference: 4 }), [[0, 2], { ...none, unlikeLengths: 1 }]);
    assert.deepEqual(select(verdicts, { agreeing: true }), [[0, 2], { ...none, contradicted: 1 }]);
    assert.deepEqual(select(verdicts, { leastMargin: 0.5, mostLengthDifference: 3, agreeing: true }), [
      [],
      { ...none, close: 1, unlikeLengths: 2 },
    ]);
  });

  it("the strongest is that whose better answer stands furthest above the other over all answers, not that of the largest margin", () => {
    const verdicts = [verdict(1, 0.4), verdict(1, 0.3), verdict(-1, 0.9)];
    // 0: 0.35, 1: (-0.4 - 0.9) / 2 = -0.65, 2: (-0.3 + 0.9) / 2 = 0.3; the gap of (0, 1) is 1, of (0, 2) 0.05, of (1,
    // 2) 0.95.
    assert.deepEqual(select(verdicts, { strongest: 1 }), [[0], { ...none, weaker: 2 }]);
    assert.deepEqual(select(verdicts, { strongest: 2 })[0], [0, 2]);
    assert.deepEqual(select(verdicts, { strongest: 1, leastMargin: 0.5 }), [[2], { ...none, close: 2 }]);
  });

  it("with a penalty for words the longer answer must stand higher", () => {
    const verdicts = [verdict(1, 0.4), verdict(1, 0.3), verdict(-1, 0.9)];
    // Answers of 1, 2 and 6 words at 0.02 a word: 0.33, -0.69 and 0.18: gaps of 1.02, 0.15 and 0.87.
    assert.deepEqual(select(verdicts, { strongest: 2, lengthPenalty: 0.02 })[0], [0, 2]);
    // At 0.2: 0.15, -1.05 and -0.9; the verdict that 2 is better than 1 is worth 0.15, that 0 is better than 2 1.05.
    assert.deepEqual(select(verdicts, { strongest: 2, lengthPenalty: 0.2 })[0], [0, 1]);
  });

  it("those that are taken and counted are all, and taking more keeps those that were taken before", () => {
    const verdicts = fc.array(fc.tuple(fc.constantFrom<Preference>(1, -1), fc.double({ min: 0, max: 1, noNaN: true })), { minLength: 3, maxLength: 3 }); // prettier-ignore
    fc.assert(
      fc.property(verdicts, fc.integer({ min: 1, max: 3 }), fc.double({ min: 0, max: 1, noNaN: true }), (said, strongest, leastMargin) => {
        const judged = said.map(([preference, margin]) => verdict(preference, margin));
        const [taken, counts] = select(judged, { strongest, leastMargin });
        assert.equal(taken.length + counts.close + counts.weaker, 3);
        const [more] = select(judged, { strongest: strongest + 1, leastMargin });
        assert.ok(taken.every((place) => more.includes(place)));
      }),
    );
  });
});
