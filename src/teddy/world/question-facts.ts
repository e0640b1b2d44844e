/** @file What a question is about, apart from its words. */

import type { DangerId } from "./dangers.ts";
import { pronounsOf } from "./names.ts";
import type { Asker, Fabric, Mishap } from "./slots.ts";
import type { Topic } from "./topics.ts";

/** Slots that the question's text does not mention are absent. */
export interface QuestionFacts {
  topic: Topic;
  name: string;
  fabric?: Fabric | undefined;
  mishap?: Mishap | undefined;
  asker?: Asker | undefined;
  /** Set where the question asks for something unsafe. */
  danger?: DangerId | undefined;
}

/** The word that stands for what is on the bear. */
export function stainWord(mishap: Mishap | undefined): string {
  if (mishap === "rain") return "water";
  return mishap ?? "stain";
}

/** The slots of templates that speak of a bear: its name and pronouns, its fabric and what is on it. */
export function bearSlots(facts: QuestionFacts): Record<string, string> {
  const fabricNoun = facts.fabric ?? "";
  const fabric = fabricNoun === "wool" ? "woollen" : fabricNoun;
  return { name: facts.name, ...pronounsOf(facts.name), fabric, fabricNoun, stain: stainWord(facts.mishap) };
}
