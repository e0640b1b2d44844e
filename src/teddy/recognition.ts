/** @file Finds what a text says by its key words, and whether it says it or takes it back. */

import { clausesOf, sentencesOf, stem, type Clause } from "./words.ts";

/** A pattern of words: one of each group stands in a clause, or in two neighbours. The first group is the verb. */
export type Pattern = readonly ReadonlySet<string>[];

/** Compiles `dab/blot cold water`: groups are parted by spaces, the words of a group by slashes. */
export function compilePattern(source: string): Pattern {
  return source.split(" ").map((group) => new Set(group.split("/").map(stem)));
}

const negators = new Set(
  "not never no cannot can't don't won't shouldn't mustn't wouldn't couldn't needn't isn't doesn't didn't without neither nor nobody hardly".split(
    " ",
  ),
);
/** What speaks against what follows and is never forgiven. */
const disapproving = new Set("avoid stop refuse wrong bad dangerous unsafe mistake harmful forbidden".split(" "));
/** After these a negator asks for the thing rather than against it: "do not forget to", "I do not mind". */
const forgiving = new Set("forget hesitate mind worry afraid problem harm reason only".split(" "));
/** Before a noun these keep it away: "not in the oven", "far from the heater". */
const keepingAway = new Set("not no without never nor than".split(" "));
const keepingAwayReach = 4;
const warnings = new Set("dangerous unsafe risky harmful wrong bad not never forbidden can could may might would will".split(" "));

/** A text taken apart once, for many patterns. */
export type ReadText = readonly ReadSentence[];

interface ReadSentence {
  clauses: readonly Clause[];
  /** The stems of all clauses, to pass over most patterns at a glance. */
  stems: ReadonlySet<string>;
}

export function readText(text: string): ReadText {
  return sentencesOf(text).map((sentence) => {
    const clauses = clausesOf(sentence);
    return { clauses, stems: new Set(clauses.flatMap(({ stems }) => stems)) };
  });
}

export interface Mentions {
  /** Times said. */
  affirmed: number;
  /** Times advised against. */
  negated: number;
}

/** How often any of the patterns is said and taken back. A sentence counts once each way. */
export function mentionsOf(text: ReadText, patterns: readonly Pattern[]): Mentions {
  const mentions = { affirmed: 0, negated: 0 };
  for (const { clauses, stems } of text) {
    const possible = patterns.filter((pattern) => pattern.every((group) => intersects(group, stems)));
    if (possible.length === 0) continue;
    const polarities = new Set(possible.flatMap((pattern) => matches(clauses, pattern)));
    if (polarities.has("affirmed")) mentions.affirmed++;
    if (polarities.has("negated")) mentions.negated++;
  }
  return mentions;
}

/** Whether any of the words stands anywhere in the text. */
export function holdsAny(text: ReadText, words: ReadonlySet<string>): boolean {
  return text.some(({ stems }) => intersects(words, stems));
}

type Polarity = "affirmed" | "negated";

function matches(clauses: readonly Clause[], pattern: Pattern): Polarity[] {
  const found: Polarity[] = [];
  for (const [index, clause] of clauses.entries()) {
    const within = [clause];
    const alone = matchWithin(within, pattern);
    if (alone !== undefined) {
      found.push(alone);
      continue;
    }
    const next = clauses[index + 1];
    if (next === undefined || matchWithin([next], pattern) !== undefined || startsAnew(next)) continue;
    const together = matchWithin([clause, next], pattern);
    if (together !== undefined) found.push(together);
  }
  return found;
}

/** A clause behind these openers does not finish the advice of the one before: it gives a reason or the contrary. */
function startsAnew(clause: Clause): boolean {
  return ["but", "because", "since", "instead", "rather", ":"].includes(clause.opener) || clause.words[0] === "for";
}

/** Each group of the pattern has to stand in one of the clauses, and the first clause has to take part. */
function matchWithin(clauses: readonly Clause[], pattern: Pattern): Polarity | undefined {
  const places = pattern.map((group) => {
    for (const clause of clauses) {
      const at = clause.stems.findIndex((word) => group.has(word));
      if (at >= 0) return { clause, at };
    }
    return undefined;
  });
  if (places.some((place) => place === undefined)) return undefined;
  if (clauses.length > 1 && places.every((place) => place!.clause === places[0]!.clause)) return undefined;
  const [verb, ...others] = places as { clause: Clause; at: number }[];
  // Of an advice to keep something away the keeping away is no negation.
  const speaksOfAway = pattern.some((group) => group.has("away"));
  const negated =
    isNegated(verb!.clause, verb!.at) ||
    isWarning(verb!.clause, verb!.at) ||
    (!speaksOfAway && others.some(({ clause, at }) => isKeptAway(clause, at)));
  return negated ? "negated" : "affirmed";
}

function isNegated({ words, opener }: Clause, verbAt: number): boolean {
  if ((opener === "instead" && words[0] === "of") || (opener === "rather" && words[0] === "than")) return true;
  return words.slice(0, verbAt).some((word, at) => isNegator(words, word, at));
}

function isNegator(words: readonly string[], word: string, at: number): boolean {
  if (disapproving.has(word)) return true;
  return negators.has(word) && words[at - 1] !== "why" && !words.slice(at + 1, at + 3).some((next) => forgiving.has(next));
}

/** "Putting him in the oven could burn him": a gerund as the subject, and something said against it. */
function isWarning({ words }: Clause, verbAt: number): boolean {
  return verbAt === 0 && words[0]!.endsWith("ing") && words.slice(1).some((word) => warnings.has(word));
}

function isKeptAway({ words }: Clause, at: number): boolean {
  const from = Math.max(0, at - keepingAwayReach);
  return words.slice(from, at).some((word, index) => {
    const place = from + index;
    const isAwayFrom = (word === "away" || word === "far") && words[place + 1] === "from";
    return isAwayFrom || (keepingAway.has(word) && words[place - 1] !== "why");
  });
}

function intersects(few: ReadonlySet<string>, stems: ReadonlySet<string>): boolean {
  for (const word of few) if (stems.has(word)) return true;
  return false;
}
