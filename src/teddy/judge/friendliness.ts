/**
 * @file Friendliness of an answer: civil words, a warm opening, the bear's name, encouragement. Each counts once; too
 * many warm words cost friendliness.
 */

import { judgeWeights } from "./weights.ts";
import { curtRemarks, encouragements, endearments, praises, rudeRemarks, warmOpenings, type Remark } from "../language/tone-phrases.ts";
import { compilePattern, mentionsOf, type Pattern, type ReadText } from "../language/recognition.ts";
import { wordsOf } from "../../text/words.ts";

/** What of an answer decides its friendliness. */
export interface AnswerTone {
  answer: string;
  text: ReadText;
  namesBear: boolean;
  namesOtherBear: boolean;
}

const compile = (remarks: readonly Remark[]): Pattern[][] => remarks.map(({ keys }) => keys.map(compilePattern));
const openingPatterns = compile(warmOpenings);
const encouragementPatterns = compile(encouragements);
const praisePatterns = compile(praises);
const curtPatterns = compile(curtRemarks);
const rudePatterns = compile(rudeRemarks);
const endearmentWords = new Set(endearments);

/** How many sentences make a remark of one of the kinds. */
function countRemarks(text: ReadText, kinds: readonly Pattern[][]): number {
  return text.filter((sentence) => kinds.some((patterns) => isRemark(sentence, patterns))).length;
}

function isRemark(sentence: ReadText[number], patterns: readonly Pattern[]): boolean {
  const { affirmed, negated } = mentionsOf([sentence], patterns);
  return affirmed + negated > 0;
}

/** In [0, 1]. */
export function friendlinessOf({ answer, text, namesBear, namesOtherBear }: AnswerTone): number {
  const weights = judgeWeights.friendliness;
  const openings = countRemarks(text, openingPatterns);
  const warmEndings = countRemarks(text, encouragementPatterns);
  const parts = [
    weights.civil,
    // A greeting counts in the first sentence only.
    text.length > 0 && countRemarks(text.slice(0, 1), openingPatterns) > 0 ? weights.opening : 0,
    namesBear ? weights.name : 0,
    warmEndings > 0 ? weights.encouragement : 0,
  ];
  const excess = [
    answer.split("!").length - 1 - weights.freeExclamations,
    wordsOf(answer).filter((word) => endearmentWords.has(word)).length - weights.freeEndearments,
    countRemarks(text, praisePatterns) - weights.freePraises,
    openings - weights.freeOpenings,
    warmEndings - weights.freeEncouragements,
  ];
  const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
  const cost = weights.excess * sum(excess.map((count) => Math.max(0, count))) + weights.curt * countRemarks(text, curtPatterns);
  const warmth = Math.max(0, sum(parts) - cost);
  const rude = countRemarks(text, rudePatterns) > 0 ? weights.rude : 1;
  return warmth * rude * (namesOtherBear ? weights.otherBear : 1);
}
