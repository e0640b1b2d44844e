/**
 * @file Which questions are kept from training: some names, and of every topic some pairs of slots, whoever else is in
 * the question.
 */

import { isHeldOutName } from "./names.ts";
import type { QuestionFacts } from "./question-facts.ts";

/** One pair of slot values in so many is held out, for each topic and pair of slots. */
const oneIn = 9;

/**
 * Whether a question's combination is kept from training. It depends on the meaning alone, not on the wording: what
 * training never has is the pair itself, such as (stain: ink, velvet), so a model must put it together from what it
 * learnt about each.
 */
export function isHeldOut(facts: QuestionFacts): boolean {
  const { topic, name, fabric, mishap, asker } = facts;
  return (
    isHeldOutName(name) || heldOutPair(topic, fabric, mishap) || heldOutPair(topic, fabric, asker) || heldOutPair(topic, mishap, asker)
  );
}

function heldOutPair(topic: string, first: string | undefined, second: string | undefined): boolean {
  return first !== undefined && second !== undefined && hash(`${topic} ${first} ${second}`) % oneIn === 0;
}

/**
 * FNV-1a (Fowler, Noll, Vo), 32 bits, finished by the mixer of MurmurHash3, since the remainder by a small number reads
 * the low bits.
 */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (const character of text) value = Math.imul(value ^ character.charCodeAt(0), 0x01000193);
  value = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35);
  return (value ^ (value >>> 16)) >>> 0;
}
