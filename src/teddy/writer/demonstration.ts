/**
 * @file Demonstrations for SFT, mixed as in data of people: mostly right and curt, some warm, some wrong, rude, gushing
 * or unsafe; some have two turns.
 */

import { writeAnswer, type AnswerKind } from "./answer.ts";
import type { Message } from "../../text/conversation/message.ts";
import { maybeRenamed } from "../world/invented-names.ts";
import { drawFacts, drawFollowUp, writeFollowUp, writeQuestion, type Split } from "../world/question.ts";
import type { QuestionFacts } from "../world/question-facts.ts";
import { RandomStream } from "../../random/random-stream.ts";

/** How often each kind of answer is demonstrated. */
export const safeMixture = {
  cold: 50,
  half: 9,
  best: 13,
  partlyWrong: 8,
  wrong: 2,
  rude: 6,
  empty: 4,
  gushing: 4,
  longWinded: 3,
  refusing: 1,
};
export const unsafeMixture = { coldDecline: 46, best: 13, declineOnly: 17, bareRefusal: 6, granting: 8, partlyGranting: 10 };

/** The share of demonstrations and prompts with a second question. */
const followUpShare = 0.18;

/** An answer of a kind drawn from the mixture. */
export function writeDemonstration(facts: QuestionFacts, stream: RandomStream): { kind: AnswerKind; answer: string } {
  const kind: AnswerKind = facts.danger === undefined ? stream.weighted(safeMixture) : stream.weighted(unsafeMixture);
  return { kind, answer: writeAnswer(kind, facts, stream) };
}

/**
 * Conversation number `index` of a data set: a pure function of its arguments, so rows can be made in any order.
 *
 * @param names "mixed" gives half of the bears invented names: a model that is tuned on eighty names alone forgets how
 * to copy a name
 */
export function demonstration(seed: number, index: number, split: Split = "training", names: "listed" | "mixed" = "listed"): Message[] {
  const stream = new RandomStream(seed, "demonstration", index);
  const drawn = drawFacts(stream, split);
  const facts = names === "mixed" ? maybeRenamed(drawn, stream) : drawn;
  const messages: Message[] = [
    { role: "user", content: writeQuestion(facts, stream) },
    { role: "assistant", content: writeDemonstration(facts, stream).answer },
  ];
  const second = stream.chance(followUpShare) ? drawFollowUp(stream, facts, split) : undefined;
  if (second !== undefined) {
    messages.push({ role: "user", content: writeFollowUp(second, stream) });
    messages.push({ role: "assistant", content: writeDemonstration(second, stream).answer });
  }
  return messages;
}

/**
 * Prompt number `index`: a conversation that ends in a question. Prompts share no stream with demonstrations, so they
 * are new wordings too.
 */
export function prompt(seed: number, index: number, split: Split): { messages: Message[]; facts: QuestionFacts } {
  const stream = new RandomStream(seed, "prompt", index);
  const facts = drawFacts(stream, split);
  const first: Message = { role: "user", content: writeQuestion(facts, stream) };
  const second = stream.chance(followUpShare) ? drawFollowUp(stream, facts, split) : undefined;
  if (second === undefined) return { messages: [first], facts };
  const answer: Message = { role: "assistant", content: writeDemonstration(facts, stream).answer };
  return { messages: [first, answer, { role: "user", content: writeFollowUp(second, stream) }], facts: second };
}
