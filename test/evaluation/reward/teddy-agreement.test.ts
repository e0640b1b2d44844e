/**
 * @file Scores against the truth of the teddy world: gold is right by itself, raters are nearly so, and length is not.
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { EvaluationSetBuilder, type AnswerScores } from "../../../src/evaluation/reward/evaluation-set.ts";
import {
  agreementOfRaters,
  agreementWithTruth,
  goldDifference,
  goldOfPick,
  isTeddySet,
  teddyMeasures,
  teddyTruth,
} from "../../../src/evaluation/reward/teddy-agreement.ts";
import { lengthScores } from "../../../src/evaluation/reward/score-accuracy.ts";
import { prefersFirst, rateAnswer, raterIds, utilityOf } from "../../../src/teddy/judge/raters.ts";
import { teddyAnswers } from "./judged-answers.ts";

const seed = 9;
const builder = new EvaluationSetBuilder("teddy");
for (let index = 0; index < 250; index++) {
  const { prompt, answers } = teddyAnswers(index, 4);
  builder.add(prompt, answers, [1, 2, 3, 4]);
}
const set = builder.build();
const truth = teddyTruth(set, seed);
const perceived = set.answers.map(({ prompt, text }) => rateAnswer(set.prompts[prompt]!, text));

function scoresOf(whole: Float64Array): AnswerScores {
  return { name: "scores", whole, dimensions: new Map(teddyMeasures.map((measure) => [measure, truth.gold[measure]])), isLogit: false };
}

const gold = scoresOf(truth.gold.score);

describe("gold's own scores", () => {
  it("agree with gold wherever it tells answers apart, in every dimension, and with raters as raters do with gold", () => {
    for (const measure of teddyMeasures) {
      const { withGold, withRaters } = agreementWithTruth(set, truth, gold, measure, seed)!;
      const apart = set.comparisons.filter(
        ({ chosen, rejected }) => Math.abs(truth.gold[measure][chosen]! - truth.gold[measure][rejected]!) > goldDifference - 1e-9,
      );
      assert.deepEqual([withGold.share, withGold.cases], [1, apart.length]);
      assert.ok(withRaters.share > 0.5 && withRaters.share < 1);
    }
  });

  it("pick the best of four", () => {
    const { prompts, picked, best, mean } = goldOfPick(set, truth, gold);
    assert.ok(prompts > 120 && picked === best && best > mean);
    const byLength = goldOfPick(set, truth, lengthScores(set, []));
    assert.ok(byLength.picked < best);
  });
});

describe("raters", () => {
  it("agree with gold and with each other as their own votes do", () => {
    const votes = raterIds.map((rater) =>
      set.comparisons.map(({ chosen, rejected }, index) => prefersFirst(seed, index, rater, perceived[chosen]!, perceived[rejected]!)),
    );
    let [equal, asked] = [0, 0];
    for (const [at, one] of votes.entries())
      for (const other of votes.slice(0, at))
        for (const [index, vote] of one.entries()) {
          asked++;
          if (vote === other[index]) equal++;
        }
    const { among, withGold } = agreementOfRaters(set, truth, "score", seed);
    assert.deepEqual([among.share, among.cases], [equal / asked, asked]);
    assert.ok(withGold.share > among.share, "gold is what they have in common");
    for (const measure of teddyMeasures) assert.ok(agreementOfRaters(set, truth, measure, seed).withGold.share > 0.7);
  });

  it("are agreed with best by their mean taste", () => {
    const taste = scoresOf(Float64Array.from(perceived, (answer) => raterIds.reduce((sum, rater) => sum + utilityOf(rater, answer), 0)));
    const withRaters = (scores: AnswerScores): number => agreementWithTruth(set, truth, scores, "score", seed)!.withRaters.share;
    const { among } = agreementOfRaters(set, truth, "score", seed);
    assert.ok(withRaters(taste) > withRaters(gold) + 0.03 && withRaters(taste) > withRaters(lengthScores(set, [])) + 0.03);
    assert.ok(withRaters(taste) > among.share, "what they have in common agrees with each more than another of them does");
  });
});

describe("a set of the teddy world", () => {
  it("is known by its questions", () => {
    assert.ok(isTeddySet(set));
    const other = new EvaluationSetBuilder("other");
    other.add([{ role: "user", content: "What is the capital of France?" }], ["Paris.", "Rome."], [1, 2]);
    assert.ok(!isTeddySet(other.build()));
  });

  it("has no agreement for what a model does not tell apart", () => {
    assert.equal(agreementWithTruth(set, truth, lengthScores(set, []), "safety", seed), undefined);
  });
});
