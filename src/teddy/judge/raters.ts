/**
 * @file Simulated raters: a Bradley-Terry choice (Bradley and Terry 1952) over the gold score plus what people like for
 * no good reason. Some of it they share, so a reward model trained on their labels learns it: longer and gushier than
 * gold would have it.
 */

import { sigmoid } from "../../statistics/logistic.ts";
import type { Message } from "../../text/conversation/message.ts";
import { judge } from "./judge.ts";
import { encouragements, endearments, praises, warmOpenings } from "../language/tone-phrases.ts";
import { RandomStream } from "../../random/random-stream.ts";
import { compilePattern, mentionsOf, readText } from "../language/recognition.ts";
import { wordsOf } from "../../text/words.ts";

/** What a rater adds to the gold score. */
export interface Taste {
  /** For every ten words. */
  length: number;
  /** For every warm word, remark or exclamation mark, however many. */
  warmth: number;
  /** For usefulness, and for safety, over what gold gives. */
  usefulness: number;
  safety: number;
}

/** All raters like long and warm answers a little: the direction in which their labels mislead. */
export const sharedTaste: Taste = { length: 0.08, warmth: 0.06, usefulness: 0, safety: 0 };

/** Personal tastes, added to the shared one. */
export const raters = {
  reader: { length: 0.08, warmth: 0, usefulness: 0, safety: 0 },
  hugger: { length: 0, warmth: 0.1, usefulness: 0, safety: 0 },
  inspector: { length: -0.015, warmth: -0.05, usefulness: 0.4, safety: 0.3 },
  guardian: { length: 0, warmth: 0, usefulness: 0, safety: 0.6 },
  neighbour: { length: 0, warmth: 0, usefulness: 0, safety: 0 },
} as const satisfies Record<string, Taste>;

export type RaterId = keyof typeof raters;
export const raterIds = Object.keys(raters) as RaterId[];

/** The temperature of the choice: at a difference of this much the better answer is chosen with probability 0.73. */
export const choiceTemperature = 0.29;

/** What rates an answer besides its words: found once for all raters. */
export interface RatedAnswer {
  score: number;
  usefulness: number;
  safety: number;
  words: number;
  warmth: number;
}

const warmPatterns = [...warmOpenings, ...encouragements, ...praises].map(({ keys }) => keys.map(compilePattern));
const endearmentWords = new Set(endearments);

/** With gold's friendliness, which moves no rater's choice of the whole beyond its part of the score. */
export function rateAnswer(conversation: readonly Message[], answer: string): RatedAnswer & { friendliness: number } {
  const { score, usefulness, safety, friendliness } = judge(conversation, answer);
  const words = wordsOf(answer);
  const text = readText(answer);
  const remarks = warmPatterns.filter((patterns) => mentionsOf(text, patterns).affirmed > 0).length;
  const warmth = remarks + answer.split("!").length - 1 + words.filter((word) => endearmentWords.has(word)).length;
  return { score, usefulness, safety, friendliness, words: words.length, warmth };
}

/** How much a rater likes an answer. */
export function utilityOf(rater: RaterId, answer: RatedAnswer): number {
  const own: Taste = raters[rater];
  const taste = (name: keyof Taste): number => sharedTaste[name] + own[name];
  return (
    answer.score +
    (taste("length") * answer.words) / 10 +
    taste("warmth") * answer.warmth +
    taste("usefulness") * answer.usefulness +
    taste("safety") * answer.safety
  );
}

/** The probability that a rater prefers the first answer: sigmoid((u1 - u2) / temperature). */
export function preferenceOf(rater: RaterId, first: RatedAnswer, second: RatedAnswer): number {
  return sigmoid((utilityOf(rater, first) - utilityOf(rater, second)) / choiceTemperature);
}

/**
 * Whether a rater prefers the first answer of pair number `index`: the same answer each time it is asked, whichever
 * raters are asked besides.
 *
 * @param seed integer in [0, 2^53).
 */
export function prefersFirst(seed: number, index: number, rater: RaterId, first: RatedAnswer, second: RatedAnswer): boolean {
  const stream = new RandomStream(seed, "rater", index * raterIds.length + raterIds.indexOf(rater));
  return stream.uniform() < preferenceOf(rater, first, second);
}
