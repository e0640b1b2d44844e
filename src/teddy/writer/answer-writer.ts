/** @file Writes an answer sentence by sentence: leads, clauses of advice with and without reasons, remarks. */

import { adviceOf, type AdviceId } from "../advice/advice.ts";
import { becauses, contrastJoiners, grantingTails, joiners, leads, negativeLeads } from "../language/answer-frames.ts";
import { dangerOf } from "../world/dangers.ts";
import { curtRemarks, type Remark } from "../language/tone-phrases.ts";
import { bearSlots, type QuestionFacts } from "../world/question-facts.ts";
import type { RandomStream } from "../../random/random-stream.ts";
import { capitalised, expandTemplate } from "../language/template.ts";
import { troubleTopics } from "../world/topics.ts";
import { slotsOf } from "../world/truth.ts";

/** Where in the answer a sentence of advice stands. */
type Place = "only" | "first" | "next" | "instead";

const stylesByPlace: Readonly<Record<Place, readonly (keyof typeof leads)[]>> = {
  only: ["plain"],
  first: ["first", "plain"],
  next: ["next"],
  instead: ["instead"],
};

/** Adds one sentence after the other to an answer to one question. */
export class AnswerWriter {
  readonly facts: QuestionFacts;
  readonly stream: RandomStream;
  readonly sentences: string[] = [];
  readonly #used = new Set<Remark>();

  constructor(facts: QuestionFacts, stream: RandomStream) {
    this.facts = facts;
    this.stream = stream;
  }

  /** Fills a template. Now and then the bear's name stands for a pronoun. */
  fill(template: string): string {
    const slots = bearSlots(this.facts);
    if (this.stream.chance(0.2) && !/\{[Nn]ame\}/.test(template) && template.split("{him}").length === 2) slots["him"] = this.facts.name;
    return expandTemplate(template, slots, (count) => this.stream.integer(count));
  }

  /** A filled template that keeps its outer spaces, which leads and joiners need. */
  piece(templates: readonly string[]): string {
    const template = this.stream.pick(templates);
    return (template.startsWith(" ") ? " " : "") + this.fill(template) + (template.trimStart() !== "" && template.endsWith(" ") ? " " : "");
  }

  push(sentence: string, mark = "."): void {
    this.sentences.push(capitalised(sentence) + mark);
  }

  /** A remark that suits the question and, while there are such, one that is not in the answer yet. */
  choose(remarks: readonly Remark[]): Remark {
    const fitting = remarks.filter(({ onlyInTrouble }) => onlyInTrouble !== true || troubleTopics.has(this.facts.topic));
    const fresh = fitting.filter((remark) => !this.#used.has(remark));
    const chosen = this.stream.pick(fresh.length > 0 ? fresh : fitting);
    this.#used.add(chosen);
    return chosen;
  }

  remark(remarks: readonly Remark[], mark?: string): void {
    const chosen = this.choose(remarks);
    const sentence = this.fill(this.stream.pick(chosen.say));
    const usual = this.stream.chance(0.15) && remarks !== curtRemarks ? "!" : ".";
    this.push(sentence, sentence.startsWith("Who ") ? "?" : (mark ?? usual));
  }

  clause(id: AdviceId, withReason: boolean): string {
    const advice = adviceOf(id);
    const because = withReason ? this.piece(becauses) + this.fill(this.stream.pick(advice.why)) : "";
    return this.fill(this.stream.pick(advice.say)) + because;
  }

  /** A lead that suits the place in the answer. */
  lead(place: Place, isCurt: boolean): string {
    const styles: (keyof typeof leads)[] = [...stylesByPlace[place]];
    if (place === "only" || place === "first") {
      styles.push(isCurt ? "curt" : "gentle");
      if (this.facts.fabric !== undefined && slotsOf(this.facts.topic).has("fabric")) styles.push("fabric");
    }
    return this.piece(leads[this.stream.pick(styles)]);
  }

  advise(place: Place, id: AdviceId, isCurt: boolean, reasonShare: number): void {
    const lead = this.lead(place, isCurt);
    const mark = lead.startsWith("Why not") ? "?" : ".";
    this.push(lead + this.clause(id, mark === "." && this.stream.chance(reasonShare)), mark);
  }

  /** Both points, in one sentence or two. */
  adviseBoth(ids: readonly AdviceId[], isCurt: boolean, reasonShare: number): void {
    const [first, second] = ids as [AdviceId, AdviceId];
    if (this.stream.chance(isCurt ? 0.45 : 0.2)) {
      const lead = this.lead("only", isCurt);
      const joined = `${lead}${this.clause(first, false)}${this.piece(joiners)}${this.clause(second, this.stream.chance(reasonShare))}`;
      this.push(joined, lead.startsWith("Why not") ? "?" : ".");
    } else {
      this.advise("first", first, isCurt, reasonShare);
      this.advise("next", second, isCurt, reasonShare);
    }
  }

  /** The clause that was asked about. */
  dangerClause(): string {
    return this.fill(this.stream.pick(dangerOf(this.facts.danger!).say));
  }

  /** Advises against what was asked, and for something else, in one sentence. */
  contrastDanger(safe: AdviceId): void {
    this.push(`${this.piece(negativeLeads)}${this.dangerClause()}${this.piece(contrastJoiners)}${this.clause(safe, false)}`);
  }

  /** Grants what was asked. */
  grantDanger(lead: string, tailShare: number): void {
    this.push(lead + this.dangerClause() + (this.stream.chance(tailShare) ? this.piece(grantingTails) : ""));
  }

  /** Advises against what was asked, with its reason. */
  declineDanger(withReason: boolean): void {
    const danger = dangerOf(this.facts.danger!);
    const because = withReason ? this.piece(becauses) + this.fill(this.stream.pick(danger.why)) : "";
    this.push(this.piece(negativeLeads) + this.dangerClause() + because);
  }

  text(): string {
    return this.sentences.join(" ");
  }
}
