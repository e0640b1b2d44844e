/** @file Judges by score: pairs, lists and marks of one judge say the same; rules against cases worked by hand. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { judgeByGold } from "../../src/teddy/judge/gold-judge.ts";
import { judgeByPeople } from "../../src/judges/people.ts";
import { judgeByBleu, judgeByFormat, judgeByLength, judgeByLexicon, judgeByRewriting, judgeByRougeL } from "../../src/judges/rules.ts";
import { judgeByScore, rankByComparisons, ranksOf, type Judge } from "../../src/judges/judges.ts";
import { judge } from "../../src/teddy/judge/judge.ts";
import { judgedAnswers, teddyAnswers } from "../evaluation/reward/judged-answers.ts";

async function scoresOf(asked: Judge, answers: string[], more: Parameters<typeof judgedAnswers>[1] = {}): Promise<(number | undefined)[]> {
  const judged = judgedAnswers(answers, more);
  return Promise.all(answers.map(async (_, answer) => (await asked.score!(judged, answer))?.score));
}

describe("a judge by score", () => {
  it("compares, ranks and marks alike, whatever the scores", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 0, max: 5 }), { minLength: 2, maxLength: 6 }), async (scores) => {
        const asked = judgeByScore("table", async (_, answer) => ({ score: scores[answer]! }));
        const judged = judgedAnswers(scores.map(String));
        const { ranks } = await asked.rank(judged);
        assert.deepEqual((await rankByComparisons(judged, asked.compare)).ranks, ranks);
        for (let first = 0; first < scores.length; first++) {
          for (let second = 0; second < scores.length; second++) {
            const { preference, margin } = await asked.compare(judged, first, second);
            assert.equal(preference, Math.sign(ranks![second]! - ranks![first]!));
            assert.equal(margin, Math.abs(scores[first]! - scores[second]!));
          }
        }
      }),
    );
  });

  it("calls equal what differs by less than it is told", async () => {
    const asked = judgeByScore(
      "table",
      async (_, answer) => ({ score: [0, 0.2, 0.5][answer]!, dimensions: { safety: [1, 1, 0.9][answer]! } }),
      0.3,
    );
    const judged = judgedAnswers(["a", "b", "c"]);
    assert.deepEqual((await asked.compare(judged, 0, 1)).preference, 0);
    assert.deepEqual(await asked.compare(judged, 2, 0), { preference: 1, margin: 0.5, preferences: { safety: 0 } });
  });

  it("has no opinion where a score is missing", async () => {
    const asked = judgeByScore("table", async (_, answer) => (answer === 1 ? undefined : { score: answer }));
    const judged = judgedAnswers(["a", "b", "c"]);
    assert.deepEqual([await asked.compare(judged, 0, 1), await asked.rank(judged)], [{}, {}]);
    assert.equal((await asked.compare(judged, 2, 0)).preference, 1);
  });
});

describe("ranks", () => {
  it("keep more orders of a verdict than a call takes arguments", async () => {
    const orders = Array<1>(200_000).fill(1);
    const { orders: kept } = await rankByComparisons(judgedAnswers(["a", "b"]), async () => ({ preference: 1, orders }));
    assert.equal(kept!.length, orders.length);
  });

  it("begin at 1 for the best, and equals share one", () => {
    assert.deepEqual(ranksOf([0.5, 2, 0.5, -1]), [2, 1, 2, 3]);
  });
});

describe("rules", () => {
  it("compare with references, and have no opinion without them", async () => {
    const references = ["Wash it by hand in cold water."];
    const answers = ["Wash it by hand in cold water.", "Wash it by hand.", "Sing a song."];
    for (const asked of [judgeByBleu(), judgeByRougeL()]) {
      assert.deepEqual((await asked.rank(judgedAnswers(answers, { references }))).ranks, [1, 2, 3], asked.name);
      assert.deepEqual(await asked.rank(judgedAnswers(answers)), {});
    }
  });

  it("count words, towards a number of them where one is given", async () => {
    assert.deepEqual(await scoresOf(judgeByLength(), ["one", "one two three", ""]), [1, 3, 0]);
    assert.deepEqual(await scoresOf(judgeByLength(2), ["one", "one two three four"]), [-1, -2]);
  });

  it("know good form", async () => {
    const [good, cut, fence, repeated, empty] = (await scoresOf(judgeByFormat(), [
      "Wash it (by hand).",
      "Wash it by",
      "Run this:\n```sh\nls.",
      "Wash it.\nWash it.",
      "",
    ])) as number[];
    assert.equal(good, 1);
    for (const worse of [cut, fence, repeated, empty]) assert.ok(worse! < 1);
    assert.deepEqual(await scoresOf(judgeByFormat(/^\{.*\}$/s), ['{"a": 1}', "a"]), [1, 0]);
  });

  it("weigh the words of a list, phrases too, in the share that they have of an answer", async () => {
    const weights = new Map([
      ["please", 1],
      ["thank you", 2],
      ["stupid", -3],
    ]);
    const scores = await scoresOf(judgeByLexicon(weights), [
      "Please wait.",
      "Thank you, thank you!",
      "That is stupid, stupid.",
      "pleased",
      "Thank. You",
      "",
    ]);
    assert.deepEqual(scores, [1 / 2, 4 / 4, -6 / 4, 0, 1, 0]);
  });

  it("take a rewrite to be better than what it was made of", async () => {
    const judged = judgedAnswers(["a", "b", "c"], { origins: ["sample", "sample", "rewrite"] });
    assert.equal((await judgeByRewriting().compare(judged, 0, 2)).preference, -1);
    assert.equal((await judgeByRewriting().compare(judged, 0, 1)).preference, 0);
    assert.deepEqual(await judgeByRewriting().compare(judgedAnswers(["a", "b"]), 0, 1), {});
  });
});

describe("the gold judge", () => {
  it("prefers by gold's score, and by its dimensions", async () => {
    for (let index = 0; index < 50; index++) {
      const judged = teddyAnswers(index);
      const [first, second] = judged.answers.map((answer) => judge(judged.prompt, answer));
      const { preference, margin, preferences } = await judgeByGold().compare(judged, 0, 1);
      assert.equal(preference, Math.sign(first!.score - second!.score));
      assert.equal(margin, Math.abs(first!.score - second!.score));
      for (const dimension of ["usefulness", "friendliness", "safety"] as const)
        assert.equal(preferences![dimension], Math.sign(first![dimension] - second![dimension]));
    }
  });
});

describe("people", () => {
  const prompt = [{ role: "user", content: "What is best?" } as const];
  const people = judgeByPeople([
    { kind: "mark", prompt, answer: "a", rating: 4, ratings: { safety: 1 } },
    { kind: "mark", prompt, answer: "a", rating: 5, ratings: { safety: 2 } },
    { kind: "mark", prompt, answer: "b", rating: 3, ratings: { safety: 5, charm: 1 } },
    { kind: "choice", prompt, chosen: "c", rejected: "a" },
    { kind: "choice", prompt, chosen: "c", rejected: "a" },
    { kind: "choice", prompt, chosen: "a", rejected: "c" },
    { kind: "mark", prompt: [{ role: "user", content: "Else?" }], answer: "c", rating: 1 },
  ]);
  const judged = judgedAnswers(["a", "b", "c", "d"]);

  it("decide by the mean of their marks, and by the majority of their choices", async () => {
    assert.deepEqual(await people.compare(judged, 0, 1), { preference: 1, margin: 1.5, preferences: { safety: -1 } });
    assert.deepEqual(await people.compare(judged, 2, 0), { preference: 1 });
    assert.deepEqual(await people.compare(judged, 0, 2), { preference: -1 });
  });

  it("say nothing of answers that they never saw, also where another prompt has them", async () => {
    assert.deepEqual(await people.compare(judged, 1, 2), {});
    assert.equal(await people.score!(judged, 2), undefined);
    assert.deepEqual(await people.rank(judged), {});
    assert.deepEqual((await people.rank(judgedAnswers(["b", "a"]))).ranks, [2, 1]);
  });
});
