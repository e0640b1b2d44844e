/**
 * @file Compares scores with the teddy world's ground truth: accuracy on pairs with different gold scores, agreement
 * with raters, and agreement of raters among themselves.
 */

import { judge } from "../../teddy/judge/judge.ts";
import { readQuestion } from "../../teddy/world/read-question.ts";
import { rateAnswer, raterIds } from "../../teddy/judge/raters.ts";
import type { AnswerScores, EvaluationSet } from "./evaluation-set.ts";
import { shareOf, successOf, type Case, type Share } from "../../statistics/intervals.ts";
import { meanOf } from "../../statistics/moments.ts";
import { raterVerdict, teddyDimensions } from "../../teddy/judge/rater-judges.ts";
import type { Preference } from "../../judges/judges.ts";

/** Gold scores that differ by less count as equal. */
export const goldDifference = 0.1;

/** The overall score and the dimensions. */
export const teddyMeasures = ["score", ...teddyDimensions] as const;
export type TeddyMeasure = (typeof teddyMeasures)[number];

/** Gold scores and raters' verdicts of a set, computed once for all models. */
export interface TeddyTruth {
  /** Gold's scores by measure, one for each answer. */
  gold: Readonly<Record<TeddyMeasure, Float64Array>>;
  /** The verdicts by measure, of each rater on each comparison; 1 is for the chosen answer. */
  raters: Readonly<Record<TeddyMeasure, readonly (readonly Preference[])[]>>;
}

export interface TeddyAgreement {
  /** How often the scores agree with gold, among pairs that gold tells apart. */
  withGold: Share;
  /** How often they agree with a rater who decides, over all raters. */
  withRaters: Share;
}

/** Whether all prompts are questions of the teddy world. */
export function isTeddySet({ prompts }: EvaluationSet): boolean {
  return prompts.every((prompt) => readQuestion(prompt) !== undefined);
}

/**
 * @param seed of the raters; their verdicts are new ones, not those that labelled the set, unless it was labelled by
 * that seed
 */
export function teddyTruth({ prompts, answers, comparisons }: EvaluationSet, seed: number): TeddyTruth {
  const judged = answers.map(({ prompt, text }) => judge(prompts[prompt]!, text));
  const perceived = answers.map(({ prompt, text }) => rateAnswer(prompts[prompt]!, text));
  const verdicts = raterIds.map((rater) =>
    comparisons.map(({ chosen, rejected }, index) => raterVerdict(seed, index, rater, perceived[chosen]!, perceived[rejected]!)),
  );
  return {
    gold: byMeasure((measure) => Float64Array.from(judged, (scores) => scores[measure])),
    raters: byMeasure((measure) =>
      verdicts.map((said) => said.map(({ preference, preferences }) => (measure === "score" ? preference! : preferences![measure]!))),
    ),
  };
}

function byMeasure<T>(make: (measure: TeddyMeasure) => T): Record<TeddyMeasure, T> {
  return Object.fromEntries(teddyMeasures.map((measure) => [measure, make(measure)])) as Record<TeddyMeasure, T>;
}

/** Undefined for a measure that the model does not know. */
export function agreementWithTruth(
  set: EvaluationSet,
  truth: TeddyTruth,
  scores: AnswerScores,
  measure: TeddyMeasure,
  seed: number,
): TeddyAgreement | undefined {
  const values = measure === "score" ? scores.whole : scores.dimensions.get(measure);
  if (values === undefined) return undefined;
  const gold = truth.gold[measure];
  const differences = set.comparisons.map(({ chosen, rejected }) => values[chosen]! - values[rejected]!);
  return {
    withGold: shareOf(
      goldCases(set, gold, (index, wanted) => successOf(differences[index]!, wanted)),
      seed,
    ),
    withRaters: shareOf(
      truth.raters[measure].flatMap((said) => raterCases(set, said, (index, wanted) => successOf(differences[index]!, wanted))),
      seed,
    ),
  };
}

/** Agreement of raters with gold, where gold scores differ, and with each other, where both decide. */
export function agreementOfRaters(
  set: EvaluationSet,
  truth: TeddyTruth,
  measure: TeddyMeasure,
  seed: number,
): { withGold: Share; among: Share } {
  const raters = truth.raters[measure];
  const withGold = raters.flatMap((said) =>
    goldCases(set, truth.gold[measure], (index, wanted) => (said[index] === 0 ? undefined : said[index] === wanted ? 1 : 0)),
  );
  const among = raters.flatMap((said, at) =>
    raters
      .slice(0, at)
      .flatMap((other) => raterCases(set, said, (index, wanted) => (other[index] === 0 ? undefined : other[index] === wanted ? 1 : 0))),
  );
  return { withGold: shareOf(withGold, seed), among: shareOf(among, seed) };
}

type Success = (index: number, wanted: number) => number | undefined;

function goldCases({ comparisons }: EvaluationSet, gold: Float64Array, success: Success): Case[] {
  return comparisons.flatMap(({ prompt, chosen, rejected }, index) => {
    const difference = gold[chosen]! - gold[rejected]!;
    // Scores are sums of hundredths: what is a tenth on paper is one here.
    if (Math.abs(difference) < goldDifference - 1e-9) return [];
    return caseOf(prompt, success(index, Math.sign(difference)));
  });
}

function raterCases({ comparisons }: EvaluationSet, said: readonly Preference[], success: Success): Case[] {
  return comparisons.flatMap(({ prompt }, index) => (said[index] === 0 ? [] : caseOf(prompt, success(index, said[index]!))));
}

function caseOf(prompt: number, success: number | undefined): Case[] {
  return success === undefined ? [] : [{ prompt, success }];
}

/**
 * The gold score of the best of four answers by a score. Means over prompts with four answers or more; the first four
 * count.
 */
export interface GoldOfPick {
  prompts: number;
  picked: number;
  mean: number;
  best: number;
}

export function goldOfPick({ answers }: EvaluationSet, truth: TeddyTruth, scores: AnswerScores): GoldOfPick {
  const byPrompt = new Map<number, number[]>();
  for (const [place, { prompt }] of answers.entries()) byPrompt.set(prompt, [...(byPrompt.get(prompt) ?? []), place]);
  const fours = [...byPrompt.values()].filter((places) => places.length >= 4).map((places) => places.slice(0, 4));
  const gold = truth.gold.score;
  const average = (score: (places: number[]) => number): number => meanOf(fours.map(score));
  return {
    prompts: fours.length,
    picked: average((places) => gold[places.reduce((best, place) => (scores.whole[place]! > scores.whole[best]! ? place : best))]!),
    mean: average((places) => meanOf(places.map((place) => gold[place]!))),
    best: average((places) => Math.max(...places.map((place) => gold[place]!))),
  };
}
