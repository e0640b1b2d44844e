/**
 * @file Raters as judges: their choices are the teddy world's, alike in both orders, and by dimension they err as
 * people do.
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { agreementOf } from "../../src/statistics/agreement.ts";
import { judgeByRaters, perceivedDifference, raterVerdict, teddyDimensions, reversed } from "../../src/teddy/judge/rater-judges.ts";
import { pairNumber } from "../../src/judges/judges.ts";
import { judge } from "../../src/teddy/judge/judge.ts";
import { prefersFirst, rateAnswer, raterIds, utilityOf } from "../../src/teddy/judge/raters.ts";
import { judgedAnswers, teddyAnswers } from "../evaluation/reward/judged-answers.ts";

const all = Array.from({ length: 1500 }, (_, index) => teddyAnswers(index));
const perceived = all.map((judged) => judged.answers.map((answer) => rateAnswer(judged.prompt, answer)));

describe("a rater", () => {
  it("chooses as the teddy world's rater of that pair and seed", () => {
    for (const [index, [first, second]] of perceived.entries())
      for (const rater of raterIds)
        assert.equal(perceivedDifference(3, index, rater, first!, second!) > 0, prefersFirst(3, index, rater, first!, second!));
  });

  it("gives the same verdict in both orders and at each asking, and another one by another seed", async () => {
    const asked = judgeByRaters("raters", 1, 7);
    const verdicts = await Promise.all(all.map((judged) => asked.compare(judged, 0, 1)));
    for (const [index, judged] of all.entries()) {
      assert.deepEqual(await asked.compare(judged, 1, 0), reversed(verdicts[index]!));
      assert.deepEqual(await judgeByRaters("raters", 1, 7).compare(judged, 0, 1), verdicts[index]);
    }
    const others = await Promise.all(all.map((judged) => judgeByRaters("raters", 1, 8).compare(judged, 0, 1)));
    assert.notDeepEqual(others, verdicts);
    assert.deepEqual(new Set(verdicts.map(({ by }) => by)), new Set(raterIds), "all of them are asked");
  });

  it("agrees with gold by dimension more often than by chance and less than always, and with others less", () => {
    for (const dimension of teddyDimensions) {
      const gold = all.map(({ prompt, answers }) => {
        const [first, second] = answers.map((answer) => judge(prompt, answer)[dimension]);
        return Math.abs(first! - second!) >= 0.1 ? Math.sign(first! - second!) : undefined;
      });
      const votes = raterIds.map((rater) =>
        perceived.map(([first, second], index) => raterVerdict(3, index, rater, first!, second!).preferences![dimension]),
      );
      const withGold = votes.map((vote) => agreementOf(vote, gold, 0).decidedRate!);
      for (const rate of withGold) assert.ok(rate > 0.7 && rate < 0.97, `${dimension}: ${withGold.join(" ")}`);
      const among = agreementOf(votes[0]!, votes[4]!, 0).decidedRate!;
      assert.ok(among > 0.5 && among < Math.max(...withGold), `${dimension}: ${among}`);
    }
  });

  it("says that an answer is as good as itself in nearly half the cases, by each dimension, and leans to neither", () => {
    for (const dimension of teddyDimensions) {
      const said = perceived.map(([first], index) => raterVerdict(4, index, "neighbour", first!, first!).preferences![dimension]!);
      // The logistic distribution within its own scale: tanh(1/2).
      assert.ok(Math.abs(said.filter((one) => one === 0).length / said.length - Math.tanh(0.5)) < 0.05);
      assert.ok(Math.abs(said.reduce<number>((sum, one) => sum + one, 0)) / said.length < 0.05);
    }
  });

  it("is surer of its choice the larger the margin that it gives", () => {
    const right = new Map<number, boolean[]>();
    for (const [index, [first, second]] of perceived.entries()) {
      if (first!.score === second!.score) continue;
      for (const rater of raterIds) {
        const { preference, margin } = raterVerdict(3, index, rater, first!, second!);
        right.set(margin!, [...(right.get(margin!) ?? []), preference! > 0 === first!.score > second!.score]);
      }
    }
    const rates = [1 / 3, 2 / 3, 1].map((margin) => right.get(margin)!.filter(Boolean).length / right.get(margin)!.length);
    assert.ok(rates[0]! < rates[1]! && rates[1]! < rates[2]!, rates.join(" "));
  });
});

describe("a panel of raters", () => {
  it("decides by majority, and is nearer to gold than one of them", async () => {
    const rateOf = async (panel: number): Promise<number> => {
      const asked = judgeByRaters("raters", panel, 7);
      const votes = await Promise.all(all.map(async (judged) => (await asked.compare(judged, 0, 1)).preference));
      const gold = perceived.map(([first, second]) => Math.sign(first!.score - second!.score));
      return agreementOf(votes, gold, 0).decidedRate!;
    };
    assert.ok((await rateOf(5)) > (await rateOf(1)) + 0.03);
  });
});

describe("a rater's ranking", () => {
  it("has each first place as often as Plackett and Luce say", async () => {
    const { prompt, answers } = teddyAnswers(3, 3);
    const asked = judgeByRaters("rater=reader", "reader", 5);
    const firsts = [0, 0, 0];
    const rounds = 4000;
    for (let index = 0; index < rounds; index++) {
      const { ranks } = await asked.rank(judgedAnswers(answers, { prompt, index }));
      assert.deepEqual(
        ranks!.toSorted((a, b) => a - b),
        [1, 2, 3],
      );
      firsts[ranks!.indexOf(1)]!++;
    }
    const strengths = answers.map((answer) => Math.exp(utilityOf("reader", rateAnswer(prompt, answer)) / 0.29));
    const total = strengths.reduce((sum, strength) => sum + strength, 0);
    for (const [place, strength] of strengths.entries()) assert.ok(Math.abs(firsts[place]! / rounds - strength / total) < 0.03);
  });
});

describe("a rater's mark", () => {
  it("is a whole number from 1 to 5 that is higher for better answers", async () => {
    const asked = judgeByRaters("rater=neighbour", "neighbour", 5);
    const marks = { good: 0, bad: 0 };
    for (const [index, judged] of all.entries()) {
      const [mark, other] = [(await asked.score!(judged, 0))!.score, (await asked.score!(judged, 1))!.score];
      assert.ok(Number.isInteger(mark) && mark >= 1 && mark <= 5);
      const difference = perceived[index]![0]!.score - perceived[index]![1]!.score;
      if (difference > 0.3) marks.good += mark - other;
      if (difference < -0.3) marks.bad += mark - other;
    }
    assert.ok(marks.good > 0 && marks.bad < 0);
  });
});

describe("the number of a pair", () => {
  it("is one for each pair of each prompt, in both orders", () => {
    const numbers = new Set<number>();
    for (let index = 0; index < 3; index++)
      for (let second = 1; second < 64; second++)
        for (let first = 0; first < second; first++) {
          assert.equal(pairNumber(index, first, second), pairNumber(index, second, first));
          numbers.add(pairNumber(index, first, second));
        }
    assert.equal(numbers.size, 3 * 64 * 63 * 0.5);
  });
});
