/**
 * @file Fills the templates of stories, letters and diaries: the bear and the people stay the same, other words are
 * drawn anew at each use.
 */

import { adviceOf, type AdviceId } from "../advice/advice.ts";
import { dangerIds, dangerOf } from "../world/dangers.ts";
import { bearSlots, type QuestionFacts } from "../world/question-facts.ts";
import type { RandomStream } from "../../random/random-stream.ts";
import { mishapEvents } from "../world/slots.ts";
import { freshWords, people } from "./story-words.ts";
import { capitalised, expandTemplate, type Slots } from "../language/template.ts";
import { verdictsOf } from "../world/truth.ts";

export class Storyteller {
  readonly facts: QuestionFacts;
  readonly #stream: RandomStream;
  readonly #cast: Slots;
  readonly #advice: readonly AdviceId[];
  /** Templates already told: a text does not repeat itself while others are left. */
  readonly #told = new Set<string>();

  constructor(facts: QuestionFacts, stream: RandomStream) {
    this.facts = facts;
    this.#stream = stream;
    this.#advice = verdictsOf(facts).points.map((ids) => stream.pick(ids));
    const everyone = [...people.girl, ...people.boy];
    const child = stream.pick(everyone);
    const friend = stream.pick(everyone.filter((name) => name !== child));
    const fabric = facts.fabric === undefined ? "soft" : bearSlots(facts)["fabric"]!;
    this.#cast = {
      ...bearSlots(facts),
      child,
      friend,
      fabric,
      fabricNoun: facts.fabric ?? "something soft",
      elder: stream.pick(freshWords["elder"]!),
    };
  }

  /** A sentence from one of the templates; it begins with a capital. */
  tell(templates: readonly string[]): string {
    const fresh = templates.filter((template) => !this.#told.has(template));
    const template = this.#stream.pick(fresh.length > 0 ? fresh : templates);
    this.#told.add(template);
    return this.sentence(template);
  }

  sentence(template: string): string {
    return capitalised(expandTemplate(template, this.#slots(), (count) => this.#stream.integer(count)));
  }

  /** `count` sentences in a row. */
  paragraph(templates: readonly string[], count: number): string {
    return Array.from({ length: count }, () => this.tell(templates)).join(" ");
  }

  #slots(): Slots {
    const slots: Record<string, string> = { ...this.#cast };
    const stream = this.#stream;
    for (const [slot, words] of Object.entries(freshWords)) {
      if (!Object.hasOwn(slots, slot)) Object.defineProperty(slots, slot, { get: () => stream.pick(words) });
    }
    const bear = (templates: readonly string[]): string =>
      expandTemplate(stream.pick(templates), this.#cast, (count) => stream.integer(count));
    const advice = adviceOf(stream.pick(this.#advice));
    const ofTopic = dangerIds.filter((id) => dangerOf(id).topic === this.facts.topic);
    const danger = dangerOf(stream.pick(ofTopic.length > 0 ? ofTopic : dangerIds));
    slots["clause"] = bear(advice.say);
    slots["why"] = bear(advice.why);
    slots["danger"] = bear(danger.say);
    slots["dangerWhy"] = bear(danger.why);
    if (this.facts.mishap !== undefined) slots["event"] = inThePast(bear(mishapEvents[this.facts.mishap]));
    return slots;
  }
}

/** Questions tell what a bear looks like now; stories tell what it looked like then. */
function inThePast(event: string): string {
  return event.replaceAll(/\bhas\b/g, "had").replaceAll(/\bis\b/g, "was");
}
