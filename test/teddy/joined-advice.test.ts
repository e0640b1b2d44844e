/**
 * @file What the gold judge reads of two pieces of advice in one sentence: both, and no third one that their words
 * together would make.
 */

import assert from "node:assert/strict";
import { it } from "node:test";
import { adviceIds, adviceOf, type AdviceId } from "../../src/teddy/advice/advice.ts";
import { bearSlots, type QuestionFacts } from "../../src/teddy/world/question-facts.ts";
import { compilePattern, mentionsOf, readText } from "../../src/teddy/language/recognition.ts";
import { verdictsOf } from "../../src/teddy/world/truth.ts";
import { expansionsOf } from "./expansions.ts";
import { safeQuestions } from "./safe-questions.ts";

const patterns = new Map(adviceIds.map((id) => [id, adviceOf(id).keys.map(compilePattern)]));

/** Every question's two points, in both orders. */
function* pairs(): Generator<{ facts: QuestionFacts; first: AdviceId; second: AdviceId }> {
  for (const slots of safeQuestions()) {
    const facts = { ...slots, name: "Zelda" };
    const [[one], [other]] = verdictsOf(facts).points as [[AdviceId], [AdviceId]];
    yield { facts, first: one, second: other };
    yield { facts, first: other, second: one };
  }
}

/** An advice in all its words. */
function wordings(id: AdviceId, facts: QuestionFacts): string[] {
  return adviceOf(id).say.flatMap((template) => expansionsOf(template, bearSlots(facts)));
}

/**
 * Advice of another topic that is spoken against: it costs nothing, and "without perfume" does speak against perfume.
 */
const harmless: ReadonlySet<AdviceId> = new Set(["perfume", "furColour"]);

it("every two wordings of a question's two points are read as these two, in either order, however they are joined", () => {
  const seen = new Set<string>();
  for (const { facts, first, second } of pairs()) {
    for (const one of wordings(first, facts))
      for (const other of wordings(second, facts))
        for (const joiner of [" and ", ", then "]) {
          const sentence = `What helps is to ${one}${joiner}${other}.`;
          if (seen.has(sentence)) continue;
          seen.add(sentence);
          const text = readText(sentence);
          for (const [id, keys] of patterns) {
            const { affirmed, negated } = mentionsOf(text, keys);
            assert.equal(affirmed > 0, id === first || id === second, `${id}: ${sentence}`);
            assert.ok(negated === 0 || harmless.has(id), `${id} taken back: ${sentence}`);
          }
        }
  }
  assert.ok(seen.size > 30_000, `${seen.size} sentences`);
});
