/** @file Finds by key words what a text advises, and whether it advises it or warns of it. */

import { isKeptAway, isNegated, isShutOff, isWarning } from "./negation.ts";
import { sentencesOf } from "../../text/words.ts";
import { clausesOf, isReason, stem, type Clause } from "./clauses.ts";

/** A pattern of words: one of each group stands in a clause, or in two neighbours. The first group is the verb. */
export type Pattern = readonly ReadonlySet<string>[];

/**
 * Compiles `dab/blot cold water`: groups are parted by spaces, the words of a group by slashes. `=match` is the word
 * itself, not its stem.
 */
export function compilePattern(source: string): Pattern {
  return source.split(" ").map((group) => new Set(group.split("/").map((word) => (word.startsWith("=") ? word : stem(word)))));
}

/** A text that is split into sentences and clauses once, for many patterns. */
export type ReadText = readonly ReadSentence[];

export interface ReadSentence {
  clauses: readonly Clause[];
  /** The stems of all clauses, and their words after "=". Most patterns are excluded by this set alone. */
  stems: ReadonlySet<string>;
}

export function readText(text: string): ReadText {
  return sentencesOf(text).map((sentence) => readClauses(clausesOf(sentence)));
}

/** A sentence of these clauses. */
export function readClauses(clauses: readonly Clause[]): ReadSentence {
  return { clauses, stems: new Set(clauses.flatMap(({ words, stems }) => [...stems, ...words.map((word) => `=${word}`)])) };
}

export interface Mentions {
  /** Times said. */
  affirmed: number;
  /** Times advised against. */
  negated: number;
}

/**
 * How often any of the patterns is advised, and how often it is advised against. A sentence counts at most once in
 * each.
 */
export function mentionsOf(text: ReadText, patterns: readonly Pattern[]): Mentions {
  const mentions = { affirmed: 0, negated: 0 };
  for (const sentence of text) {
    const polarities = new Set(placesOf(sentence, patterns).map(({ polarity }) => polarity));
    if (polarities.has("affirmed")) mentions.affirmed++;
    if (polarities.has("negated")) mentions.negated++;
  }
  return mentions;
}

/**
 * Where a pattern stands: the clause in which it begins, its first word there, and whether it is advised or advised
 * against.
 */
export interface Place {
  clause: number;
  word: number;
  polarity: Polarity;
}

/**
 * All places of a sentence where any of the patterns stands.
 *
 * @param areSigns whether the patterns are nouns, whose mere mention counts, and not a verb and its objects.
 */
export function placesOf({ clauses, stems }: ReadSentence, patterns: readonly Pattern[], areSigns = false): Place[] {
  return patterns
    .filter((pattern) => pattern.every((group) => intersects(group, stems)))
    .flatMap((pattern) => matches(clauses, pattern, areSigns));
}

type Polarity = "affirmed" | "negated";

function matches(clauses: readonly Clause[], pattern: Pattern, areSigns: boolean): Place[] {
  const found: Place[] = [];
  for (const [index, clause] of clauses.entries()) {
    const alone = matchWithin([clause], pattern, areSigns);
    if (alone !== undefined) {
      found.push({ ...alone, clause: index });
      continue;
    }
    const next = clauses[index + 1];
    if (next === undefined || matchWithin([next], pattern, areSigns) !== undefined || startsAnew(next)) continue;
    const together = matchWithin([clause, next], pattern, areSigns);
    if (together !== undefined) found.push({ ...together, clause: index });
  }
  return found;
}

/** Whether a clause does not continue the advice of the one before it: it gives a reason or the contrary. */
function startsAnew(clause: Clause): boolean {
  return isReason(clause) || ["but", "instead", "rather"].includes(clause.opener);
}

/** Each group of the pattern has to stand in one of the clauses, and at least one group in the first clause. */
function matchWithin(clauses: readonly Clause[], pattern: Pattern, areSigns: boolean): Omit<Place, "clause"> | undefined {
  const places = pattern.map((group) => {
    for (const clause of clauses) {
      const at = clause.stems.findIndex((word, place) => group.has(word) || group.has(`=${clause.words[place]}`));
      if (at >= 0) return { clause, at };
    }
    return undefined;
  });
  if (places.some((place) => place === undefined)) return undefined;
  if (clauses.length > 1 && places.every((place) => place!.clause === places[0]!.clause)) return undefined;
  const [verb, ...others] = places as { clause: Clause; at: number }[];
  // In advice to keep something away, "away" is no negation.
  const speaksOfAway = pattern.some((group) => group.has("away"));
  const isAway = (place: { clause: Clause; at: number }): boolean => !speaksOfAway && isKeptAway(place.clause, place.at);
  const negated =
    isNegated(verb!.clause, verb!.at) ||
    isWarning(verb!.clause, verb!.at, areSigns) ||
    others.some(isAway) ||
    (areSigns && (isAway(verb!) || isShutOff(verb!.clause, verb!.at)));
  return { word: verb!.at, polarity: negated ? "negated" : "affirmed" };
}

function intersects(few: ReadonlySet<string>, stems: ReadonlySet<string>): boolean {
  for (const word of few) if (stems.has(word)) return true;
  return false;
}
