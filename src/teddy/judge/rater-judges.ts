/**
 * @file The simulated raters of the teddy world as judges: pairs by Bradley and Terry, lists by Plackett and Luce,
 * marks, and each dimension with its own bias. A rater perceives a difference with noise; where it is small in a
 * dimension, both are called equal (Rao and Kupper 1967).
 */

import { RandomStream } from "../../random/random-stream.ts";
import { choiceTemperature, rateAnswer, raterIds, raters, sharedTaste, utilityOf, type RatedAnswer, type RaterId } from "./raters.ts";
import {
  mostAnswers,
  pairNumber,
  preferenceOf,
  ranksOf,
  type Judge,
  type JudgedAnswers,
  type Preference,
  type Verdict,
} from "../../judges/judges.ts";
import { draw, shuffled } from "../../random/seeded-draw.ts";
import { meanOf } from "../../statistics/moments.ts";

/** What raters, and the reward models that learn from them, tell apart. */
export const teddyDimensions = ["usefulness", "friendliness", "safety"] as const;
export type TeddyDimension = (typeof teddyDimensions)[number];

/** In a dimension, answers with a smaller perceived difference are called equal. */
const equalBelow = choiceTemperature;
/**
 * Perceived differences up to these are a little better and better; beyond, much better: margins of a third, two thirds
 * and one (as in Llama 2).
 */
const grades = [0.25, 0.6];
const mostMark = 5;

/** An answer as all raters see it. */
export type PerceivedAnswer = ReturnType<typeof rateAnswer>;

/**
 * How much a rater likes an answer in one dimension: gold's score and what the rater takes for it. Long answers look
 * useful, and warm ones more friendly.
 */
export function dimensionUtility(rater: RaterId, dimension: TeddyDimension, answer: PerceivedAnswer): number {
  const own = raters[rater];
  if (dimension === "usefulness") return (1 + own.usefulness) * answer.usefulness + ((sharedTaste.length + own.length) * answer.words) / 10;
  if (dimension === "friendliness") return answer.friendliness + (sharedTaste.warmth + own.warmth) * answer.warmth;
  return (1 + own.safety) * answer.safety;
}

/** Noise of the logistic distribution for a uniform draw: differences with it choose by Bradley and Terry. */
function logistic(uniform: number): number {
  const inside = Math.max(uniform, 2 ** -54);
  return Math.log(inside / (1 - inside));
}

/**
 * The difference that a rater perceives between the answers of pair number `pair`, in units of the gold score. Above
 * zero exactly where `prefersFirst` of the teddy world says so.
 */
export function perceivedDifference(seed: number, pair: number, rater: RaterId, first: RatedAnswer, second: RatedAnswer): number {
  const uniform = new RandomStream(seed, "rater", pair * raterIds.length + raterIds.indexOf(rater)).uniform();
  return utilityOf(rater, first) - utilityOf(rater, second) - choiceTemperature * logistic(uniform);
}

/** What a rater says of two answers, the whole and each dimension. */
export function raterVerdict(seed: number, pair: number, rater: RaterId, first: PerceivedAnswer, second: PerceivedAnswer): Verdict {
  const whole = perceivedDifference(seed, pair, rater, first, second);
  const preferences = teddyDimensions.map((dimension, at) => {
    const noise = logistic(draw(seed, "rater's dimension", pair, raterIds.indexOf(rater) * teddyDimensions.length + at));
    const difference = dimensionUtility(rater, dimension, first) - dimensionUtility(rater, dimension, second) - choiceTemperature * noise;
    return [dimension, preferenceOf(difference, equalBelow)] as const;
  });
  const level = grades.filter((grade) => Math.abs(whole) > grade).length + 1;
  return { preference: preferenceOf(whole), margin: level / 3, preferences: Object.fromEntries(preferences), by: rater };
}

/**
 * One rater, or a panel of them drawn anew for each prompt.
 * @param panel a rater by name, or how many of all judge each prompt: the majority decides
 */
export function judgeByRaters(name: string, panel: RaterId | number, seed: number): Judge {
  const panelOf = (index: number): RaterId[] =>
    typeof panel === "number" ? shuffled(raterIds, seed, "rater's choice", index).slice(0, panel) : [panel];
  const perceiveOnce = memoized((judged: JudgedAnswers) => judged.answers.map((answer) => rateAnswer(judged.prompt, answer)));
  const mark = (rater: RaterId, { index }: JudgedAnswers, place: number, answer: PerceivedAnswer): number => {
    const uniform = draw(seed, "rater's mark", index, place * raterIds.length + raterIds.indexOf(rater));
    const perceived = utilityOf(rater, answer) + choiceTemperature * logistic(uniform);
    return Math.max(1, Math.min(mostMark, Math.round(1 + (mostMark - 1) * perceived)));
  };
  return {
    name,
    async score(judged, answer) {
      const perceived = perceiveOnce(judged)[answer]!;
      const marks = panelOf(judged.index).map((rater) => mark(rater, judged, answer, perceived));
      return { score: meanOf(marks) };
    },
    async compare(judged, first, second) {
      const answers = perceiveOnce(judged);
      const pair = pairNumber(judged.index, first, second);
      // Drawn for the pair in one order, so that the order in which it is shown changes nothing.
      const [one, other] = first < second ? [first, second] : [second, first];
      const verdicts = panelOf(judged.index).map((rater) => raterVerdict(seed, pair, rater, answers[one]!, answers[other]!));
      const majority = majorityOf(verdicts);
      return first < second ? majority : reversed(majority);
    },
    async rank(judged) {
      const [rater] = panelOf(judged.index);
      const perceived = perceiveOnce(judged).map((answer, place) => {
        const uniform = draw(seed, "rater's mark", judged.index, (mostAnswers + place) * raterIds.length + raterIds.indexOf(rater!));
        // Noise of Gumbel's distribution: the order is then that of Plackett and Luce (Yellott 1977).
        return utilityOf(rater!, answer) - choiceTemperature * Math.log(-Math.log(Math.max(uniform, 2 ** -54)));
      });
      return { ranks: ranksOf(perceived), by: rater };
    },
  };
}

/** The verdict of the majority; margins count with their sign. */
function majorityOf(verdicts: readonly Verdict[]): Verdict {
  const [first] = verdicts;
  if (verdicts.length === 1) return first!;
  const mean = (of: (verdict: Verdict) => number): number => meanOf(verdicts.map(of));
  return {
    preference: preferenceOf(mean(({ preference }) => preference!)),
    margin: Math.abs(mean(({ preference, margin }) => preference! * margin!)),
    preferences: Object.fromEntries(
      teddyDimensions.map((dimension) => [dimension, preferenceOf(mean(({ preferences }) => preferences![dimension]!))]),
    ),
    by: verdicts.map(({ by }) => by).join("+"),
  };
}

/** The same verdict with the answers in the other order. */
export function reversed(verdict: Verdict): Verdict {
  const back = (preference: Preference): Preference => preferenceOf(-preference);
  const { preferences } = verdict;
  return {
    ...verdict,
    ...(verdict.preference === undefined ? {} : { preference: back(verdict.preference) }),
    ...(preferences === undefined
      ? {}
      : { preferences: Object.fromEntries(Object.entries(preferences).map(([dimension, one]) => [dimension, back(one)])) }),
  };
}

/** The function, which computes its value once for each key and forgets it with the key. */
function memoized<K extends object, V>(compute: (key: K) => V): (key: K) => V {
  const known = new WeakMap<K, V>();
  return (key) => {
    let value = known.get(key);
    if (value === undefined) known.set(key, (value = compute(key)));
    return value;
  };
}
