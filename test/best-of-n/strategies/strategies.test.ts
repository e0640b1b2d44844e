/** @file Each strategy against cases worked by hand and against naive twins. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { rankByKnockout } from "../../../src/best-of-n/strategies/knockout.ts";
import { answerOf, rankByMajority } from "../../../src/best-of-n/strategies/majority.ts";
import { scoreByConsensus } from "../../../src/best-of-n/strategies/minimum-bayes-risk.ts";
import { rankByScore, type Scored } from "../../../src/best-of-n/strategies/ranking.ts";
import { profileOf, similarity } from "../../../src/best-of-n/strategies/similarity.ts";
import { rankSoftly } from "../../../src/best-of-n/strategies/soft.ts";
import { selectionDraw } from "../../../src/random/philox.ts";

const scoredBy = (scores: readonly (number | undefined)[]): Scored[] => scores.map((score, index) => ({ index, score }));
const indexesOf = (standings: readonly { index: number }[]): number[] => standings.map(({ index }) => index);
const candidatesOf = (...texts: string[]) => texts.map((text, index) => ({ index, text }));

describe("an order by score", () => {
  test("has the best first, of equals the lowest index, and those without a finite score last", () => {
    const order = rankByScore(scoredBy([1, undefined, 3, Number.NaN, 3, -Infinity, Infinity, -5]));
    assert.deepEqual(indexesOf(order), [2, 4, 0, 7, 1, 3, 5, 6]);
    assert.deepEqual(
      order.map(({ score }) => score),
      [3, 3, 1, -5, undefined, undefined, undefined, undefined],
    );
  });

  test("begins with what a loop over all finds best, whatever the scores", () => {
    const score = fc.oneof(fc.double(), fc.constantFrom(undefined, 0, -0, 1));
    fc.assert(
      fc.property(fc.array(score, { minLength: 1, maxLength: 20 }), (scores) => {
        let best: number | undefined;
        scores.forEach((one, index) => {
          if (one === undefined || !Number.isFinite(one)) return;
          if (best === undefined || one > scores[best]!) best = index;
        });
        const order = rankByScore(scoredBy(scores));
        assert.equal(order[0]!.index, best ?? 0);
        assert.deepEqual(
          indexesOf(order).toSorted((a, b) => a - b),
          [...scores.keys()],
        );
      }),
    );
  });
});

describe("soft Best-of-N", () => {
  const rewards = [0.3, -1, 1.2, 0.3];
  const frequencies = (temperature: number, requests: number): number[] => {
    const counts = rewards.map(() => 0);
    for (let seed = 0; seed < requests; seed++)
      counts[rankSoftly(scoredBy(rewards), temperature, (index) => selectionDraw(seed, index))[0]!.index]!++;
    return counts.map((count) => count / requests);
  };

  test("chooses each candidate as often as the softmax of its reward says", () => {
    for (const temperature of [0.5, 1, 4]) {
      const weights = rewards.map((reward) => Math.exp(reward / temperature));
      const total = weights.reduce((sum, weight) => sum + weight, 0);
      frequencies(temperature, 20_000).forEach((frequency, index) => {
        const expected = weights[index]! / total;
        // Five standard deviations of a share of 20,000.
        assert.ok(Math.abs(frequency - expected) < 5 * Math.sqrt((expected * (1 - expected)) / 20_000), `${index} at ${temperature}`);
      });
    }
  });

  test("draws its second from those that are left, again by the softmax", () => {
    const counts = new Map<string, number>();
    const requests = 20_000;
    for (let seed = 0; seed < requests; seed++) {
      const [first, second] = rankSoftly(scoredBy(rewards), 1, (index) => selectionDraw(seed, index));
      const key = `${first!.index},${second!.index}`;
      counts.set(key, (counts.get(key) ?? 0) + 1);
    }
    const weight = (index: number): number => Math.exp(rewards[index]!);
    const total = weight(0) + weight(1) + weight(2) + weight(3);
    for (const [key, count] of counts) {
      const [first, second] = key.split(",").map(Number) as [number, number];
      const expected = (weight(first) / total) * (weight(second) / (total - weight(first)));
      assert.ok(Math.abs(count / requests - expected) < 5 * Math.sqrt((expected * (1 - expected)) / requests), key);
    }
  });

  test("is the best reward at a temperature near 0, and the same draw for the same seed", () => {
    const draw = (seed: number) => (index: number) => selectionDraw(seed, index);
    for (let seed = 0; seed < 50; seed++) {
      assert.deepEqual(indexesOf(rankSoftly(scoredBy([0, 2, 1]), 1e-3, draw(seed))), [1, 2, 0]);
      assert.deepEqual(rankSoftly(scoredBy(rewards), 1, draw(seed)), rankSoftly(scoredBy(rewards), 1, draw(seed)));
    }
  });

  test("never chooses a candidate without a finite reward, and is finite at the ends of the draws", () => {
    for (const draw of [0, 0.5, 1 - 2 ** -53]) {
      const order = rankSoftly(scoredBy([undefined, Number.NaN, 1e9, Infinity, -3]), 1, () => draw);
      assert.deepEqual(indexesOf(order), [2, 4, 0, 1, 3]);
      assert.deepEqual(
        order.map(({ score }) => score),
        [1e9, -3, undefined, undefined, undefined],
      );
    }
  });
});

describe("majority vote", () => {
  test("counts answers that differ in white space, case or a full stop as one, and gives a tie to the lowest index", () => {
    const order = rankByMajority(candidatesOf("No", " yes.", "YES", "maybe", "no."), "text");
    assert.deepEqual(order, [
      { index: 0, score: 0.4 },
      { index: 1, score: 0.4 },
      { index: 2, score: 0.4 },
      { index: 4, score: 0.4 },
      { index: 3, score: 0.2 },
    ]);
  });

  test("can be held on the last number or line; what has none has no vote", () => {
    const texts = candidatesOf("It is 7, no: 12.", "so 1,012.50 it is", "nothing", "first 3\n\nthen 12", "-4");
    assert.deepEqual(
      texts.map(({ text }) => answerOf(text, "last_number")),
      ["12", "1012.5", undefined, "12", "-4"],
    );
    assert.deepEqual(indexesOf(rankByMajority(texts, "last_number")), [0, 3, 1, 4, 2]);
    assert.equal(rankByMajority(texts, "last_number")[0]!.score, 0.5);
    assert.equal(answerOf("a\nThe  End.\n \n", "last_line"), "the end");
  });
});

describe("consensus", () => {
  test("scores similarity as ROUGE-1 and ROUGE-2 worked by hand", () => {
    const of = (one: string, other: string): number => similarity(profileOf(one), profileOf(other));
    assert.equal(of("the bear ate honey", "The bear, ate honey!"), 1);
    assert.equal(of("one two", "three four"), 0);
    assert.equal(of("", "a"), 0);
    assert.equal(of("yes", "Yes"), 1);
    // Words: 3 in common of 4 and 3; pairs: "the bear" and "bear ate" of 3 and 2.
    assert.ok(Math.abs(of("the bear ate honey", "the bear ate") - (6 / 7 + 4 / 5) / 2) < 1e-12);
    // A word counts as often as both have it.
    assert.ok(Math.abs(of("a a a", "a b") - (2 / 5 + 0) / 2) < 1e-12);
    // Without spaces each character is a word.
    assert.ok(of("我喜欢蜂蜜", "我喜欢熊") > 0.5);
  });

  test("is the mean over all others, as the plain double loop computes it", () => {
    const words = fc.array(fc.constantFrom("bear", "honey", "likes", "the", "it"), { maxLength: 6 }).map((list) => list.join(" "));
    fc.assert(
      fc.property(fc.array(words, { minLength: 2, maxLength: 10 }), (texts) => {
        const scores = [...scoreByConsensus(candidatesOf(...texts))];
        scores.forEach(({ index, score }) => {
          // A text with no words is as like itself as any.
          const others = texts.filter((_, other) => other !== index);
          const alike = others.map((other) => (other === texts[index] ? 1 : similarity(profileOf(texts[index]!), profileOf(other))));
          assert.ok(Math.abs(score! - alike.reduce((sum, one) => sum + one, 0) / others.length) < 1e-9);
        });
      }),
    );
  });

  test("of one candidate is 0", () => {
    assert.deepEqual([...scoreByConsensus(candidatesOf("alone"))], [{ index: 0, score: 0 }]);
  });
});

describe("a knockout", () => {
  test("asks N - 1 times, lets an odd one wait, and gives ties and pairs without a verdict to the lower index", async () => {
    const asked: string[] = [];
    const verdicts: Record<string, 1 | 0 | -1 | undefined> = { "0,1": -1, "2,3": 0, "1,2": undefined, "1,4": 1 };
    const order = await rankByKnockout([0, 1, 2, 3, 4], async (first, second) => {
      asked.push(`${first},${second}`);
      return verdicts[`${first},${second}`];
    });
    assert.deepEqual(asked, ["0,1", "2,3", "1,2", "1,4"]);
    assert.deepEqual(indexesOf(order), [1, 4, 2, 0, 3]);
    assert.deepEqual(
      order.map(({ score }) => score),
      [1, 2 / 3, 1 / 3, 0, 0],
    );
  });

  test("with a judge that goes by a number ends with the highest one", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 1, maxLength: 17 }), async (values) => {
        const order = await rankByKnockout(
          [...values.keys()],
          async (first, second) => Math.sign(values[first]! - values[second]!) as 1 | 0 | -1,
        );
        assert.equal(order[0]!.index, values.indexOf(Math.max(...values)));
        assert.equal(order.length, values.length);
      }),
    );
  });

  test("of one, or none, needs no judge", async () => {
    const judge = async (): Promise<undefined> => assert.fail("asked");
    assert.deepEqual(await rankByKnockout([3], judge), [{ index: 3, score: 1 }]);
    assert.deepEqual(await rankByKnockout([], judge), []);
  });
});
