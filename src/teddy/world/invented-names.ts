/**
 * @file Invented names for bears. A model that has met only some eighty names learns them by heart; one that meets a
 * new name in every other text must learn to copy the name from the question, as it must for a name that it has never
 * met.
 */

import { nameOf } from "./names.ts";
import type { QuestionFacts } from "./question-facts.ts";
import type { RandomStream } from "../../random/random-stream.ts";

const onsets = "b br d dr f fl g gl gr h j k kl l m n p pl pr qu r s sk sl st t tr v w z".split(" ");
const vowels = "a e i o u oo ee ie au".split(" ");
const codas = ["", "", "n", "m", "l", "r", "s", "t", "ck", "mb", "nd", "rt", "zz", "ff"];
const lastCodas = ["n", "m", "l", "r", "s", "t", "ck", "x", "bert", "mund", "ley"];

/** Some tens of millions of names, half of which end in "a" and are female (`pronounsOf`). */
export function inventName(stream: RandomStream): string {
  for (;;) {
    const syllables = [onsets, vowels, codas, onsets];
    if (stream.chance(0.4)) syllables.push(vowels, codas, onsets);
    const stem = syllables.map((parts) => stream.pick(parts)).join("");
    const name = stem.charAt(0).toUpperCase() + stem.slice(1) + (stream.chance(0.5) ? "a" : stream.pick(vowels) + stream.pick(lastCodas));
    if (nameOf(name) === undefined) return name;
  }
}

/** The share of training texts about a bear whose name is in no other text. */
const inventedNameShare = 0.5;

/** The facts, in that share of the draws with an invented name for the bear. */
export function maybeRenamed(facts: QuestionFacts, stream: RandomStream): QuestionFacts {
  return stream.chance(inventedNameShare) ? { ...facts, name: inventName(stream) } : facts;
}
