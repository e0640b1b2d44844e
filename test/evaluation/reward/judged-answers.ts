/** @file Prompts with answers, for tests of judges. */

import type { JudgedAnswers } from "../../../src/judges/judges.ts";
import { writeDemonstration } from "../../../src/teddy/writer/demonstration.ts";
import { drawFacts, writeQuestion } from "../../../src/teddy/world/question.ts";
import { RandomStream } from "../../../src/random/random-stream.ts";

/** Answers of no particular world. */
export function judgedAnswers(answers: readonly string[], more: Partial<JudgedAnswers> = {}): JudgedAnswers {
  return {
    prompt: [{ role: "user", content: "What is best?" }],
    answers,
    references: [],
    origins: answers.map(() => "given"),
    index: 0,
    ...more,
  };
}

/** Mixed demonstrations of the teddy world: several answers to question number `index`. */
export function teddyAnswers(index: number, count = 2): JudgedAnswers {
  const stream = new RandomStream(5, "pair", index);
  const facts = drawFacts(stream, "training");
  const prompt = [{ role: "user", content: writeQuestion(facts, stream) } as const];
  return judgedAnswers(
    Array.from({ length: count }, () => writeDemonstration(facts, stream).answer),
    { prompt, index },
  );
}
