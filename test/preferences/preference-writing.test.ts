/** @file What is written of what was collected: ties, noise, margins, and no pair twice. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import type { PromptRow } from "../../src/preferences/candidates.ts";
import type { CollectedPrompt } from "../../src/preferences/collection.ts";
import type { Preference, Verdict } from "../../src/judges/judges.ts";
import { everyPair } from "../../src/preferences/pair-selection.ts";
import { PreferenceWriter, type PreferenceRow, type WritingOptions } from "../../src/preferences/preference-writing.ts";

const options: WritingOptions = {
  judge: "judge",
  scale: "binary",
  ties: "drop",
  noise: 0,
  threshold: undefined,
  selection: everyPair,
  seed: 1,
};
const textPrompt: PromptRow = { prompt: "question", given: [], references: [] };

/** Two answers, "one" and "two", and a verdict on them. */
function pairOf(index: number, verdict: Verdict, texts: readonly [string, string] = ["one", "two"]): CollectedPrompt {
  return {
    index,
    candidates: texts.map((text) => ({ text, origin: "given" })),
    duplicates: 0,
    pairs: [[0, 1]],
    verdicts: { judge: [verdict] },
  };
}

function write(
  collected: CollectedPrompt[],
  more: Partial<WritingOptions> = {},
  row = (index: number): PromptRow => ({ ...textPrompt, prompt: `question ${index}` }),
): [PreferenceRow[], PreferenceWriter] {
  const writer = new PreferenceWriter({ ...options, ...more }, collected);
  return [collected.flatMap((one) => writer.rowsOf(row(one.index), one)), writer];
}

describe("a written pair", () => {
  it("has the better answer first, as text or message like its prompt, with judge and scale", () => {
    const verdict: Verdict = { preference: -1, margin: 0.25, preferences: { safety: 1, charm: 0, truth: -1 }, by: "someone" };
    const [[row]] = write([pairOf(0, verdict)], {}, () => textPrompt);
    assert.deepEqual(row, {
      prompt: "question",
      chosen: "two",
      rejected: "one",
      judge: "judge:someone",
      scale: "binary",
      preferences: { safety: -1, charm: 0, truth: 1 },
    });
    const messages = [{ role: "user", content: "question" } as const];
    const [[graded]] = write([pairOf(0, verdict)], { scale: "graded" }, () => ({ ...textPrompt, prompt: messages }));
    assert.deepEqual([graded!["prompt"], graded!["chosen"], graded!["margin"]], [messages, [{ role: "assistant", content: "two" }], 0.25]);
  });

  it("is left out where the judge has no opinion, and where it is equal unless a rule keeps it", () => {
    const collected = [pairOf(0, {}), ...Array.from({ length: 200 }, (_, index) => pairOf(index + 1, { preference: 0, margin: 0 }))];
    const [none, dropping] = write(collected);
    assert.deepEqual([none, dropping.counts.ties, dropping.counts.withoutOpinion], [[], 200, 1]);
    const [kept] = write(collected, { ties: "keep" });
    assert.ok(kept.every(({ margin }) => margin === 0) && kept.length === 200);
    const firsts = kept.filter(({ chosen }) => chosen === "one").length;
    assert.ok(firsts > 70 && firsts < 130, "a coin decides");
    assert.equal(write(collected, { ties: "coin" })[0].length, 200);
  });

  it("is written once, in whichever order its answers come", () => {
    const collected = [pairOf(0, { preference: 1 }), pairOf(1, { preference: 1 }), pairOf(2, { preference: 1 }, ["two", "one"])];
    const [rows, writer] = write(collected, {}, () => textPrompt);
    assert.deepEqual([rows.length, writer.counts.repeated], [1, 2]);
    assert.equal(write(collected)[0].length, 3, "of other prompts it is another pair");
  });

  it("never stands in the file twice, whatever is collected", () => {
    const verdict = fc.constantFrom<Preference | undefined>(1, 0, -1, undefined).map((preference): Verdict => ({ preference }));
    const collected = fc.array(
      fc.tuple(fc.constantFrom("a", "b", "c"), fc.constantFrom("d", "e", "a"), verdict).filter(([one, other]) => one !== other),
    );
    fc.assert(
      fc.property(collected, fc.constantFrom("drop", "coin", "keep"), (pairs, ties) => {
        const [rows, { counts }] = write(pairs.map(([one, other, said], index) => pairOf(index, said, [one, other])), { ties }, () => textPrompt); // prettier-ignore
        const keys = rows.map(({ chosen, rejected }) => [String(chosen), String(rejected)].toSorted((a, b) => a.localeCompare(b)).join());
        assert.equal(new Set(keys).size, keys.length);
        const dropped = ties === "drop" ? counts.ties : 0;
        assert.equal(rows.length + counts.repeated + counts.withoutOpinion + dropped, pairs.length);
      }),
    );
  });
});

describe("the selection of pairs", () => {
  it("takes place among those that the judge decided, and says what it left out", () => {
    const candidates = ["a", "b", "c"].map((text) => ({ text, origin: "given" as const }));
    const collected: CollectedPrompt = {
      index: 0,
      candidates,
      duplicates: 0,
      pairs: [[0, 1], [0, 2], [1, 2]], // prettier-ignore
      verdicts: { judge: [{ preference: 0, margin: 0 }, {}, { preference: -1, margin: 0.5 }] },
    };
    const selection = { ...everyPair, strongest: 1 };
    const [rows, { counts }] = write([collected], { selection });
    assert.deepEqual(rows.map(({ chosen, rejected }) => [chosen, rejected]), [["c", "b"]]); // prettier-ignore
    assert.deepEqual([counts.ties, counts.withoutOpinion, counts.weaker], [1, 1, 0]);
    const [kept, keeping] = write([collected], { selection, ties: "keep" });
    assert.deepEqual([kept.length, keeping.counts.weaker], [1, 1]);
  });
});

describe("label noise", () => {
  const collected = Array.from({ length: 3000 }, (_, index) => pairOf(index, { preference: 1, margin: 0.5, preferences: { safety: 1 } }));

  it("turns so many pairs around as it is told, and dimensions on their own", () => {
    const [rows, { counts }] = write(collected, { noise: 0.2 });
    const turned = rows.filter(({ chosen }) => chosen === "two");
    assert.equal(turned.length, counts.flipped);
    assert.ok(Math.abs(turned.length / rows.length - 0.2) < 0.03);
    // One that was turned speaks of the other answer: safety is then worse, unless noise turned that, too.
    const wrong = rows.filter(({ chosen, preferences }) => ((preferences as { safety: number }).safety === 1) !== (chosen === "one"));
    assert.ok(Math.abs(wrong.length / rows.length - 0.2) < 0.03);
  });

  it("turns the same ones each time, others by another seed, and all that a smaller noise turns", () => {
    const turnedBy = (noise: number, seed = 1): number[] =>
      write(collected, { noise, seed })[0].flatMap(({ chosen }, at) => (chosen === "two" ? [at] : []));
    assert.deepEqual(turnedBy(0.2), turnedBy(0.2));
    assert.notDeepEqual(turnedBy(0.2), turnedBy(0.2, 2));
    assert.ok(turnedBy(0.1).every((at) => turnedBy(0.3).includes(at)));
    assert.deepEqual(turnedBy(0), []);
  });

  it("exchanges neighbours of a list", () => {
    const candidates = ["a", "b", "c"].map((text) => ({ text, origin: "given" as const }));
    const lists = Array.from({ length: 500 }, (_, index): CollectedPrompt => ({
      index,
      candidates,
      duplicates: 0,
      rankings: { judge: { ranks: [2, 1, 3] } },
    }));
    const [rows] = write(lists, { noise: 0.2 });
    const same = rows.filter(({ ranks }) => JSON.stringify(ranks) === "[2,1,3]").length;
    assert.ok(Math.abs(same / rows.length - 0.64) < 0.07);
    assert.ok(rows.every(({ ranks }) => (ranks as number[]).toSorted((a, b) => a - b).join("") === "123"));
    assert.deepEqual(write(lists)[0][0], {
      prompt: "question 0",
      completions: ["a", "b", "c"],
      ranks: [2, 1, 3],
      judge: "judge",
      scale: "ranks",
    });
  });
});

describe("points", () => {
  const candidates = ["a", "b", "c", "d"].map((text, seed) => ({ text, origin: "sample" as const, seed }));
  const collected: CollectedPrompt[] = [
    { index: 0, candidates, duplicates: 0, scores: { judge: [{ score: 1 }, { score: 3, dimensions: { safety: 2 } }, null, { score: 2 }] } },
  ];

  it("are TRL's unpaired preferences, good from the median on", () => {
    const [rows, writer] = write(collected);
    assert.deepEqual(rows.map(({ completion, label }) => [completion, label]), [["a", false], ["b", true], ["d", true]]); // prettier-ignore
    assert.deepEqual([writer.threshold, writer.counts.withoutOpinion], [2, 1]);
    assert.deepEqual(write(collected, { threshold: 3 })[0].map(({ label }) => label), [false, true, false]); // prettier-ignore
  });

  it("are the marks themselves on a graded scale", () => {
    const [rows] = write(collected, { scale: "graded" });
    assert.deepEqual(rows[1], {
      prompt: "question 0",
      completion: "b",
      score: 3,
      scores: { safety: 2 },
      judge: "judge",
      scale: "graded",
      seeds: [1],
    });
  });
});
