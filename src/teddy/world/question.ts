/** @file Questions: what one is about (its facts), how facts are drawn, and the words they are put in. */

import { dangerIds, dangerOf } from "./dangers.ts";
import { isHeldOut } from "./held-out.ts";
import { heldOutNames, trainingNames } from "./names.ts";
import { bearSlots, type QuestionFacts } from "./question-facts.ts";
import { bearPhrases, childIntroductions, dangerRequests, followUpOpenings, toneEndings, toneOpenings } from "./question-texts.ts";
import { topicTexts } from "./topic-texts.ts";
import type { RandomStream } from "../../random/random-stream.ts";
import { askers, fabrics, mishapEvents, mishaps, tones, type Asker, type Tone } from "./slots.ts";
import { capitalised, expandTemplate, type Slots } from "../language/template.ts";
import { topics, type Topic } from "./topics.ts";
import { slotsOf } from "./truth.ts";

/** A side of the split: training texts hold no combination of slots and no name of the held-out side. */
export type Split = "training" | "held-out";

/** The share of questions that ask for something unsafe. */
const unsafeShare = 1 / 7;

/** The share of held-out questions that draw a held-out name; the others are held out by their combination of slots. */
const heldOutNameShare = 0.3;

/** Draws until a question lies on the wanted side. */
export function drawFacts(stream: RandomStream, split: Split): QuestionFacts {
  for (;;) {
    const facts = drawAnyFacts(stream, split);
    if (isHeldOut(facts) === (split === "held-out")) return facts;
  }
}

function drawAnyFacts(stream: RandomStream, split: Split): QuestionFacts {
  const name = split === "held-out" && stream.chance(heldOutNameShare) ? stream.pick(heldOutNames) : stream.pick(trainingNames);
  if (stream.chance(unsafeShare)) {
    const danger = stream.pick(dangerIds);
    const { topic, asker } = dangerOf(danger);
    return { ...drawSlots(stream, topic, asker), topic, name, danger };
  }
  const topic = stream.pick(topics);
  return { ...drawSlots(stream, topic), topic, name };
}

function drawSlots(stream: RandomStream, topic: Topic, fixedAsker?: Asker): Pick<QuestionFacts, "fabric" | "mishap" | "asker"> {
  const needed = slotsOf(topic);
  return {
    fabric: needed.has("fabric") || stream.chance(0.3) ? stream.pick(fabrics) : undefined,
    mishap: needed.has("mishap") ? stream.pick(mishaps) : undefined,
    asker: fixedAsker ?? (needed.has("asker") || stream.chance(0.4) ? stream.pick(askers) : undefined),
  };
}

/**
 * Draws a second question about the same bear by the same person that needs no slot which the first did not state;
 * undefined where none came up.
 */
export function drawFollowUp(stream: RandomStream, first: QuestionFacts, split: Split): QuestionFacts | undefined {
  const topic = stream.pick(topics);
  const facts: QuestionFacts = { topic, name: first.name, fabric: first.fabric, asker: first.asker };
  const known = [...slotsOf(topic)].every((slot) => facts[slot] !== undefined);
  return topic !== first.topic && known && isHeldOut(facts) === (split === "held-out") ? facts : undefined;
}

/** The words of a question. */
export function writeQuestion(facts: QuestionFacts, stream: RandomStream): string {
  const say = (templates: readonly string[], more: Slots = {}): string => fill(stream, facts, templates, more);
  const tone: Tone = stream.pick(tones);
  const child = facts.asker === "child" ? say(childIntroductions) : "";
  const situation = writeSituation(facts, stream);
  const request = writeRequest(facts, stream);
  const body = stream.chance(0.5) ? [child, situation, request] : [situation, child, request];
  return [say(toneOpenings[tone]), ...body, say(toneEndings[tone])].filter((part) => part !== "").join(" ");
}

function writeSituation(facts: QuestionFacts, stream: RandomStream): string {
  const event = facts.mishap === undefined ? undefined : fill(stream, facts, mishapEvents[facts.mishap]);
  const bear = fill(stream, facts, bearPhrases[facts.asker ?? "anyone"]);
  const danger = facts.danger === undefined ? undefined : dangerOf(facts.danger);
  const situations = topicTexts[facts.topic].situations.filter((text) => event !== undefined || !text.includes("{event}"));
  const more = { bear, ...(event === undefined ? {} : { event }) };
  if (danger?.situation === undefined) return withoutStrayComma(fill(stream, facts, situations, more));
  const introduction = fill(stream, facts, ["I have a question about {bear}.", "This is about {bear}.", "It is about {bear}."], more);
  return `${withoutStrayComma(introduction)} ${fill(stream, facts, danger.situation)}`;
}

function writeRequest(facts: QuestionFacts, stream: RandomStream): string {
  if (facts.danger === undefined) return fill(stream, facts, topicTexts[facts.topic].requests);
  return fill(stream, facts, dangerRequests, { danger: fill(stream, facts, dangerOf(facts.danger).say) });
}

/** The words of a question that follows an answer, in the same conversation. */
export function writeFollowUp(facts: QuestionFacts, stream: RandomStream): string {
  return `${fill(stream, facts, followUpOpenings)} ${stream.pick(["And now:", "One more thing:", "And another question:", ""])} ${writeRequest(facts, stream)}`.replaceAll(
    / {2,}/g,
    " ",
  );
}

function fill(stream: RandomStream, facts: QuestionFacts, templates: readonly string[], more: Slots = {}): string {
  return capitalisedIf(
    templates,
    expandTemplate(stream.pick(templates), { ...bearSlots(facts), ...more }, (count) => stream.integer(count)),
  );
}

/** Sentences begin with a capital; clauses and noun phrases, whose templates begin in lower case, stay as they are. */
function capitalisedIf(templates: readonly string[], text: string): string {
  return /^\[?[A-Z]/.test(templates[0] ?? "") ? capitalised(text) : text;
}

/** A bear with an apposition ends in a comma, which goes before a full stop. */
function withoutStrayComma(text: string): string {
  return text.replaceAll(/,(?=[.?!,])/g, "").replaceAll(",.", ".");
}
