/** @file The genres of base-training texts: each writes one document about the bear and the truth of its facts. */

import { writeAnswer, type AnswerKind } from "./answer.ts";
import { isHeldOut } from "../world/held-out.ts";
import { maybeRenamed } from "../world/invented-names.ts";
import * as letter from "./letter-texts.ts";
import { drawFacts, drawFollowUp, writeFollowUp, writeQuestion } from "../world/question.ts";
import type { QuestionFacts } from "../world/question-facts.ts";
import type { RandomStream } from "../../random/random-stream.ts";
import { askers, fabrics, mishaps } from "../world/slots.ts";
import { storyStages, troublesByTopic } from "./story-texts.ts";
import { Storyteller } from "./storyteller.ts";
import { capitalised } from "../language/template.ts";
import { slotsOf } from "../world/truth.ts";
import { topics } from "../world/topics.ts";

/** Answers in base texts are right, warm or not: what is wrong with answers is taught by demonstrations. */
const answerMixture = { best: 45, cold: 45, longWinded: 10 };
const unsafeAnswerMixture = { best: 60, coldDecline: 40 };

function answerTo(facts: QuestionFacts, stream: RandomStream): string {
  const kind: AnswerKind = facts.danger === undefined ? stream.weighted(answerMixture) : stream.weighted(unsafeAnswerMixture);
  return writeAnswer(kind, facts, stream);
}

const drawFactsOfText = (stream: RandomStream): QuestionFacts => maybeRenamed(drawFacts(stream, "training"), stream);

/** Draws facts of a safe question that one of the topics is about, with a mishap where `event` is needed. */
function factsAbout(stream: RandomStream, wanted: readonly string[]): QuestionFacts {
  for (;;) {
    const facts = drawFactsOfText(stream);
    if (facts.danger === undefined && wanted.includes(facts.topic)) return facts;
  }
}

const troubleTopics = Object.keys(troublesByTopic) as (keyof typeof troublesByTopic)[];

function story(stream: RandomStream): string {
  const facts = factsAbout(stream, stream.chance(0.45) ? ["stain"] : troubleTopics);
  const teller = new Storyteller(facts, stream);
  const { opening, character, plan, journey, trouble, reaction, advice, warning, result, outcome, evening, moral } = storyStages;
  const troubles = facts.topic === "stain" ? trouble : troublesByTopic[facts.topic as keyof typeof troublesByTopic];
  const one = (templates: readonly string[]): string => teller.tell(templates);
  const some = (templates: readonly string[], most: number): string => teller.paragraph(templates, 1 + stream.integer(most));
  const paragraphs = [
    `${one(opening)} ${some(character, 3)}`,
    stream.chance(0.8) ? `${some(plan, 2)} ${some(journey, 3)}` : some(journey, 3),
    `${one(troubles)} ${some(reaction, 2)}`,
    `${one(advice)}${stream.chance(0.3) ? ` ${one(warning)}` : ""} ${one(result)} ${some(outcome, 2)}`,
    `${some(evening, 2)} ${one(moral)}`.trim(),
  ];
  const title = stream.chance(0.4)
    ? [teller.sentence("{name} and {thing}"), teller.sentence("A day with {name}"), teller.sentence("{name} in {place}")]
    : [];
  return [...(title.length > 0 ? [stream.pick(title)] : []), ...paragraphs].join("\n\n");
}

function dialogue(stream: RandomStream): string {
  const facts = drawFactsOfText(stream);
  const teller = new Storyteller(facts, stream);
  const [asks, answers] = stream
    .pick(letter.speakers)
    .split("/")
    .map((speaker) => teller.sentence(speaker.trim())) as [string, string];
  const lines = [`${asks} ${writeQuestion(facts, stream)}`, `${answers} ${answerTo(facts, stream)}`];
  const second = stream.chance(0.35) ? drawFollowUp(stream, facts, "training") : undefined;
  if (second !== undefined) lines.push(`${asks} ${writeFollowUp(second, stream)}`, `${answers} ${answerTo(second, stream)}`);
  return lines.join("\n");
}

function column(stream: RandomStream): string {
  const facts = drawFactsOfText(stream);
  const teller = new Storyteller(facts, stream);
  const digression = stream.chance(0.5) ? `${teller.paragraph(storyStages.character, 1 + stream.integer(2))} ` : "";
  return [
    teller.tell(letter.columnGreetings),
    `${digression}${writeQuestion(facts, stream)}`,
    teller.tell(letter.columnSignatures),
    `${teller.tell(letter.columnAnswers)} ${answerTo(facts, stream)}`,
  ].join("\n");
}

function lettersHome(stream: RandomStream): string {
  const facts = factsAbout(stream, stream.chance(0.5) ? ["stain"] : topics);
  const teller = new Storyteller(facts, stream);
  const middle = letter.letterMiddle.filter((template) => facts.mishap !== undefined || !template.includes("{event}"));
  const body = `${teller.tell(letter.letterNews)} ${teller.paragraph(middle, 3 + stream.integer(5))}`;
  return [teller.tell(letter.salutations), body, teller.tell(letter.letterClosings)].join("\n");
}

function diary(stream: RandomStream): string {
  const teller = new Storyteller(drawFactsOfText(stream), stream);
  return `${teller.tell(letter.diaryOpenings)} ${teller.paragraph(letter.diarySentences, 4 + stream.integer(5))}`;
}

function shopNote(stream: RandomStream): string {
  const facts = factsAbout(stream, ["washing", "drying", "brushing", "dust", "storage", "smell", "stuffing"]);
  const teller = new Storyteller(facts, stream);
  return `${teller.sentence(letter.shopNotes[0]!)} ${teller.paragraph(letter.shopNotes.slice(1), 3 + stream.integer(4))}`;
}

/**
 * A list of advice for one fabric and one kind of reader, topic by topic and stain by stain: nowhere else does a text
 * say so much of the truth in so few words.
 */
function careCard(stream: RandomStream): string {
  const fabric = stream.pick(fabrics);
  const name = drawFactsOfText(stream).name;
  const asker = stream.pick(askers);
  const bear = { name, fabric, asker };
  const lines = [
    ...topics
      .filter((topic) => !slotsOf(topic).has("mishap") && stream.chance(0.3))
      .map((topic) => ({ title: topic, facts: { ...bear, topic } })),
    ...mishaps.filter(() => stream.chance(0.15)).map((mishap) => ({ title: mishap, facts: { ...bear, topic: "stain" as const, mishap } })),
  ]
    .filter(({ facts }) => !isHeldOut(facts))
    .map(({ title, facts }) => `${capitalised(title)}: ${writeAnswer("cold", facts, stream)}`);
  return [letter.careCardTitles[asker].replace("{bear}", `${name}, a ${fabric === "wool" ? "woollen" : fabric} bear`), ...lines].join("\n");
}

export const genres: Readonly<Record<string, (stream: RandomStream) => string>> = {
  story,
  dialogue,
  column,
  letter: lettersHome,
  diary,
  shopNote,
  careCard,
};

/** How often each genre is written. */
export const genreMixture: Readonly<Record<string, number>> = {
  story: 18,
  dialogue: 34,
  column: 17,
  letter: 7,
  diary: 4,
  shopNote: 4,
  careCard: 16,
};
