/**
 * @file People as a judge, by the rows of a file: marks of single answers, and choices between two. It has an opinion
 * on what people rated, and on nothing else.
 */

import type { Message } from "../text/conversation/message.ts";
import { meanOf } from "../statistics/moments.ts";
import { judgeByScore, preferenceOf, rankByComparisons, type Judge, type JudgedAnswers, type Score } from "./judges.ts";

/** One person's rating. */
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
  const scoreOf = async ({ prompt, answers }: JudgedAnswers, answer: number): Promise<Score | undefined> => {
    const found = marks.get(keyOf(prompt, answers[answer]!));
    if (found === undefined) return undefined;
    // A dimension counts where everyone has it.
    const dimensions = Object.keys(found[0]!.ratings ?? {}).filter((dimension) =>
      found.every(({ ratings: own }) => own?.[dimension] !== undefined),
    );
    const score = meanOf(found.map(({ rating }) => rating));
    if (dimensions.length === 0) return { score };
    const means = dimensions.map((dimension) => [dimension, meanOf(found.map(({ ratings: own }) => own![dimension]!))] as const);
    return { score, dimensions: Object.fromEntries(means) };
  };
  const byMarks = judgeByScore("people", scoreOf, equalBelow);
  const compare: Judge["compare"] = async (judged, first, second) => {
    const lead = choices.get(keyOf(judged.prompt, judged.answers[first]!, judged.answers[second]!));
    return lead === undefined ? byMarks.compare(judged, first, second) : { preference: preferenceOf(lead) };
  };
  return {
    ...byMarks,
    compare,
    async rank(judged) {
      const ranking = await byMarks.rank(judged);
      return ranking.ranks === undefined ? rankByComparisons(judged, compare) : ranking;
    },
  };
}

/** A text that no other prompt and answers have. */
function keyOf(prompt: readonly Message[], ...answers: readonly string[]): string {
  return JSON.stringify([prompt.map(({ role, content }) => [role, content]), ...answers]);
}
