/**
 * @file What people said, from rows of a file: marks of single answers, and choices between two. A judge that knows
 * what it was told and nothing more.
 */

import type { Message } from "../text/conversation/message.ts";
import {
  preferenceOf,
  rankByComparisons,
  ranksOf,
  type Judge,
  type JudgedAnswers,
  type Preference,
  type Score,
  type Verdict,
} from "./judges.ts";

/** One person's word. */
export type PeoplesRating =
  | { kind: "mark"; prompt: readonly Message[]; answer: string; rating: number; ratings?: Readonly<Record<string, number>> | undefined }
  | { kind: "choice"; prompt: readonly Message[]; chosen: string; rejected: string };

/**
 * The judge that people's ratings make: the mean of several marks counts, and the majority of several choices. The
 * marks of its answers decide a pair that nobody chose between. Prompts and answers are recognised by their text.
 */
export function judgeByPeople(ratings: Iterable<PeoplesRating>, equalBelow = 0): Judge {
  const marks = new Map<string, { rating: number; ratings?: Readonly<Record<string, number>> | undefined }[]>();
  /** How many more prefer the first; kept under both orders. */
  const choices = new Map<string, number>();
  const choose = (key: string, amount: number): void => void choices.set(key, (choices.get(key) ?? 0) + amount);
  for (const rating of ratings) {
    if (rating.kind === "choice") {
      choose(keyOf(rating.prompt, rating.chosen, rating.rejected), 1);
      choose(keyOf(rating.prompt, rating.rejected, rating.chosen), -1);
    } else {
      const key = keyOf(rating.prompt, rating.answer);
      marks.set(key, [...(marks.get(key) ?? []), rating]);
    }
  }
  const scoreOf = ({ prompt, answers }: JudgedAnswers, answer: number): Score | undefined => {
    const found = marks.get(keyOf(prompt, answers[answer]!));
    if (found === undefined) return undefined;
    // A dimension counts where everyone has it.
    const dimensions = Object.keys(found[0]!.ratings ?? {}).filter((dimension) =>
      found.every(({ ratings: own }) => own?.[dimension] !== undefined),
    );
    return {
      score: mean(found.map(({ rating }) => rating)),
      ...(dimensions.length === 0
        ? {}
        : {
            dimensions: Object.fromEntries(
              dimensions.map((dimension) => [dimension, mean(found.map(({ ratings: own }) => own![dimension]!))]),
            ),
          }),
    };
  };
  const compare = async (judged: JudgedAnswers, first: number, second: number): Promise<Verdict> => {
    const { prompt, answers } = judged;
    const lead = choices.get(keyOf(prompt, answers[first]!, answers[second]!));
    if (lead !== undefined) return { preference: preferenceOf(lead) };
    const [one, other] = [scoreOf(judged, first), scoreOf(judged, second)];
    if (one === undefined || other === undefined) return {};
    const preferences: Record<string, Preference> = {};
    for (const [dimension, value] of Object.entries(one.dimensions ?? {})) {
      const against = other.dimensions?.[dimension];
      if (against !== undefined) preferences[dimension] = preferenceOf(value - against, equalBelow);
    }
    return {
      preference: preferenceOf(one.score - other.score, equalBelow),
      margin: Math.abs(one.score - other.score),
      ...(Object.keys(preferences).length === 0 ? {} : { preferences }),
    };
  };
  return {
    name: "people",
    score: async (judged, answer) => scoreOf(judged, answer),
    compare,
    async rank(judged) {
      const scores = judged.answers.map((_, answer) => scoreOf(judged, answer)?.score);
      if (scores.every((score) => score !== undefined)) return { ranks: ranksOf(scores) };
      return rankByComparisons(judged, compare);
    },
  };
}

/** A text that no other prompt and answers have. */
function keyOf(prompt: readonly Message[], ...answers: readonly string[]): string {
  return JSON.stringify([prompt.map(({ role, content }) => [role, content]), ...answers]);
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
