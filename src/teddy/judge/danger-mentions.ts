/** @file Which dangers an answer advises or warns of, and whether it says why. */

import { dangerIds, dangerOf, type DangerId } from "../world/dangers.ts";
import { nameOf } from "../world/names.ts";
import { isNullified } from "../language/negation.ts";
import { compilePattern, placesOf, type Pattern, type Place, type ReadSentence, type ReadText } from "../language/recognition.ts";
import { isReason, stem } from "../language/clauses.ts";

const moreThan = new Set("more longer hotter oftener closer nearer higher".split(" "));

interface DangerPatterns {
  keys: readonly Pattern[];
  signs: readonly Pattern[];
  reasons: ReadonlySet<string>;
}

const patternsOf = new Map<DangerId, DangerPatterns>(
  dangerIds.map((id) => {
    const { keys, signs, whyKeys } = dangerOf(id);
    return [id, { keys: keys.map(compilePattern), signs: signs.map(compilePattern), reasons: new Set(whyKeys.split("/").map(stem)) }];
  }),
);

/** Whom a danger threatens, and what threatens: a reason speaks of one of them. */
const concerned = new Set(
  "he she it they him her them his its their you your we us our baby child children toddler hand skin mouth neck lung finger fur stuffing eye bear teddy thread fume spark flame fire two poison gas heat spray shelf ribbon button bead bleach water something"
    .split(" ")
    .map(stem),
);

/** Where a sentence speaks of a danger. A reason given against it, "because bleach can …", does not advise it. */
function dangerPlaces(sentence: ReadSentence, id: DangerId): Place[] {
  const { keys, signs } = patternsOf.get(id)!;
  const places = [...placesOf(sentence, keys), ...placesOf(sentence, signs, true)].toSorted((one, other) => one.clause - other.clause);
  for (const place of places) {
    if (place.polarity === "negated" && isLimited(sentence, place)) place.polarity = "affirmed";
  }
  const firstNegated = places.find(({ polarity }) => polarity === "negated")?.clause;
  return places.filter(
    ({ clause, polarity }) =>
      polarity === "negated" || firstNegated === undefined || clause <= firstNegated || !isReason(sentence.clauses[clause]!),
  );
}

/**
 * "Not for more than ten minutes", "not without a towel", "unless you are quick": what is forbidden within limits is
 * allowed within others.
 */
function isLimited({ clauses }: ReadSentence, { clause, word }: Place): boolean {
  const after = clauses[clause]!.words.slice(word + 1);
  const hasLimit = after.some(
    (one, at) => one === "without" || (one === "than" && moreThan.has(after[at - 1] ?? "")) || (one === "too" && after[at + 1] === "long"),
  );
  return hasLimit || clauses.slice(clause).some(({ words }) => words.includes("unless"));
}

/** Whether a text advises a danger anywhere. */
export function advisesDanger(text: ReadText, id: DangerId): boolean {
  return text.some((sentence) => dangerPlaces(sentence, id).some(({ polarity }) => polarity === "affirmed"));
}

/** Whether a sentence warns of a danger. */
export function warnsOfDanger(sentence: ReadSentence, id: DangerId): boolean {
  return dangerPlaces(sentence, id).some(({ polarity }) => polarity === "negated");
}

/**
 * Whether the reason against a danger is given in a sentence: a word of it, not denied, said of somebody or something
 * that it concerns. In the clause that names the danger it has to follow the danger's name: "Putting him in the oven
 * can burn him".
 */
export function givesDangerReason(sentence: ReadSentence, id: DangerId): boolean {
  const { reasons } = patternsOf.get(id)!;
  const places = dangerPlaces(sentence, id);
  return sentence.clauses.some(({ words, stems }, index) => {
    const named = places.filter(({ clause }) => clause === index);
    const isStatement =
      named.length === 0 || isReason(sentence.clauses[index]!) || words[0]!.endsWith("ing") || words.some((word) => modal.has(word));
    if (!isStatement || !(stems.some((word) => concerned.has(word)) || words.some((word) => nameOf(word) !== undefined))) return false;
    const start = named.length === 0 || isReason(sentence.clauses[index]!) ? 0 : Math.max(...named.map(({ word }) => word)) + 1;
    return stems.some((word, at) => at >= start && reasons.has(word) && !isNullified(words, at));
  });
}

const modal = new Set("can could may might will would is are".split(" "));

/** Whether a sentence speaks of any danger but one. */
export function speaksOfOtherDanger(sentence: ReadSentence, id: DangerId): boolean {
  return dangerIds.some((other) => other !== id && dangerPlaces(sentence, other).length > 0);
}
