/** @file What an answer says more than once: a sentence, a clause, or the same advice in other words. */

import { adviceIds, adviceOf } from "../advice/advice.ts";
import {
  compilePattern,
  mentionsOf,
  placesOf,
  readClauses,
  type Pattern,
  type ReadSentence,
  type ReadText,
} from "../language/recognition.ts";
import { isReason, type Clause } from "../language/clauses.ts";

const advicePatterns = adviceIds.map((id) => adviceOf(id).keys.map(compilePattern));
/** In words. Shorter pieces recur by chance: "and then", "for a day". */
const shortestPiece = 3;

/** How many times something is repeated: the most of sentences, pieces of clauses, and advice. */
export function repetitionsOf(text: ReadText): number {
  const sentences = text.map(({ clauses }) => clauses.flatMap(({ words }) => words).join(" "));
  const pieces = text.flatMap(({ clauses }) => clauses.flatMap(piecesOf));
  const long = pieces.filter(({ words }) => words.length >= shortestPiece).map(({ words }) => words.join(" "));
  return Math.max(countRepeated(sentences), countRepeated(long), repeatedAdvice(text));
}

function countRepeated(said: readonly string[]): number {
  return said.length - new Set(said).size;
}

/** An advice counts once for each sentence that gives it, and once for each piece of a sentence that gives it whole. */
function repeatedAdvice(text: ReadText): number {
  let repeated = 0;
  for (const patterns of advicePatterns) {
    let times = 0;
    for (const sentence of text) {
      if (mentionsOf([sentence], patterns).affirmed > 0) times += Math.max(1, wholePieces(sentence, patterns));
    }
    repeated += Math.max(0, times - 1);
  }
  return repeated;
}

function wholePieces({ clauses }: ReadSentence, patterns: readonly Pattern[]): number {
  const pieces = clauses.filter((clause) => !isReason(clause)).flatMap(piecesOf);
  return pieces.filter((piece) => placesOf(readClauses([piece]), patterns).length > 0).length;
}

/** The pieces of a clause between its "and" and "then". */
function piecesOf({ words, stems, opener }: Clause): Clause[] {
  const pieces: Clause[] = [];
  let from = 0;
  for (let at = 0; at <= words.length; at++) {
    if (at < words.length && words[at] !== "and" && words[at] !== "then") continue;
    if (at > from) pieces.push({ words: words.slice(from, at), stems: stems.slice(from, at), opener });
    from = at + 1;
  }
  return pieces;
}
