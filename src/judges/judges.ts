/**
 * @file The one interface of all that judges answers: a gold program, simulated raters, rules, language models, reward
 * models, people.
 */

import type { Message } from "../text/conversation/message.ts";

/** A prompt with the answers that are judged against each other. */
export interface JudgedAnswers {
  prompt: readonly Message[];
  answers: readonly string[];
  /** What a good answer is known to be, for rules that compare with it. */
  references: readonly string[];
  /** Where each answer comes from. */
  origins: readonly AnswerOrigin[];
  /** Names the prompt in the draws of a judge that has some: an integer in [0, 2^32). */
  index: number;
}

/** sample: a policy wrote it; rewrite: a model made it of the answer before it; given: it came with the prompt. */
export type AnswerOrigin = "sample" | "rewrite" | "given";

/** More answers to one prompt are refused. */
export const mostAnswers = 64;

/** The number of a pair of answers among all pairs of all prompts, the same in both orders: names it in draws. */
export function pairNumber(index: number, first: number, second: number): number {
  return (index * mostAnswers + Math.min(first, second)) * mostAnswers + Math.max(first, second);
}

/** 1: the first answer is better; -1: the second; 0: equally good. */
export type Preference = 1 | 0 | -1;

/** What a judge says of two answers. */
export interface Verdict {
  /** Absent for no opinion: an answer of the judge that nobody could read, or a pair that it never saw. */
  preference?: Preference | undefined;
  /** How much better it is, at least 0, in the judge's own units; absent where the judge cannot say. */
  margin?: number | undefined;
  /** Preferences by dimension, for a judge that tells dimensions apart. */
  preferences?: Readonly<Record<string, Preference>> | undefined;
  /** Who judged, where a judge stands for several. */
  by?: string | undefined;
  /**
   * The place that a judge chose in each order, where it was shown the answers in both: 1 for the first; null for a
   * reply that could not be read.
   */
  orders?: readonly (Preference | null)[] | undefined;
}

/** What a judge says of all answers to a prompt. */
export interface Ranking {
  /** One for each answer, 1 the best, equals alike; absent for no opinion. */
  ranks?: readonly number[] | undefined;
  by?: string | undefined;
  /** The orders of the verdicts on all pairs that were asked about. */
  orders?: readonly (Preference | null)[] | undefined;
}

/** A score and, for a judge that tells them apart, those of dimensions. More is better; units are the judge's own. */
export interface Score {
  score: number;
  dimensions?: Readonly<Record<string, number>> | undefined;
}

/**
 * A judge. It is asked in any order and answers the same each time. Answers are named by their place in `answers`.
 */
export interface Judge {
  readonly name: string;
  /** Pointwise; undefined for no opinion. Absent for a judge that only compares. */
  score?: (judged: JudgedAnswers, answer: number) => Promise<Score | undefined>;
  /** Pairwise. */
  compare: (judged: JudgedAnswers, first: number, second: number) => Promise<Verdict>;
  /** Listwise. */
  rank: (judged: JudgedAnswers) => Promise<Ranking>;
}

/**
 * The judge that a score makes.
 * @param score undefined is no opinion, which then no comparison with that answer has either.
 * @param equalBelow a difference of less than this is none.
 */
export function judgeByScore(
  name: string,
  score: (judged: JudgedAnswers, answer: number) => Promise<Score | undefined>,
  equalBelow = 0,
): Judge {
  return {
    name,
    score,
    async compare(judged, first, second) {
      const [one, other] = [await score(judged, first), await score(judged, second)];
      if (one === undefined || other === undefined) return {};
      const difference = one.score - other.score;
      const verdict: Verdict = { preference: preferenceOf(difference, equalBelow), margin: Math.abs(difference) };
      // A dimension counts where both answers have it.
      const preferences = Object.entries(one.dimensions ?? {}).flatMap(([dimension, value]) => {
        const against = other.dimensions?.[dimension];
        return against === undefined ? [] : [[dimension, preferenceOf(value - against, equalBelow)] as const];
      });
      return preferences.length === 0 ? verdict : { ...verdict, preferences: Object.fromEntries(preferences) };
    },
    async rank(judged) {
      const scores: number[] = [];
      for (let answer = 0; answer < judged.answers.length; answer++) {
        const found = await score(judged, answer);
        if (found === undefined) return {};
        scores.push(found.score);
      }
      return { ranks: ranksOf(scores) };
    },
  };
}

/**
 * Ranks by the number of answers that each is preferred to, half a number for equals (Copeland 1951), for judges that
 * only compare. No ranks where the judge has no opinion on a pair.
 */
export async function rankByComparisons(judged: JudgedAnswers, compare: Judge["compare"]): Promise<Ranking> {
  const wins = judged.answers.map(() => 0);
  const orders: (Preference | null)[] = [];
  let isRanked = true;
  for (let second = 1; second < wins.length; second++) {
    for (let first = 0; first < second; first++) {
      const verdict = await compare(judged, first, second);
      for (const order of verdict.orders ?? []) orders.push(order);
      if (verdict.preference === undefined) isRanked = false;
      wins[first]! += (verdict.preference ?? 0) / 2;
      wins[second]! -= (verdict.preference ?? 0) / 2;
    }
  }
  return { ...(isRanked ? { ranks: ranksOf(wins) } : {}), ...(orders.length === 0 ? {} : { orders }) };
}

/** The rank of each score, 1 the highest; equals share a rank and the next has the next number (dense ranking). */
export function ranksOf(scores: readonly number[]): number[] {
  const distinct = [...new Set(scores)].toSorted((a, b) => b - a);
  return scores.map((score) => distinct.indexOf(score) + 1);
}

/** Which of two is better by the difference of their scores. */
export function preferenceOf(difference: number, equalBelow = 0): Preference {
  if (difference === 0 || Math.abs(difference) < equalBelow) return 0;
  return difference > 0 ? 1 : -1;
}
