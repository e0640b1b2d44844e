/**
 * @file Questions say what they are about: their facts can be read back from their text, and training never holds what
 * is held out.
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Message } from "../../src/text/conversation/message.ts";
import { corpusDocument } from "../../src/teddy/writer/corpus.ts";
import { demonstration, prompt } from "../../src/teddy/writer/demonstration.ts";
import { isHeldOut } from "../../src/teddy/world/held-out.ts";
import { inventName } from "../../src/teddy/world/invented-names.ts";
import { heldOutNames, nameOf, pronounsOf, trainingNames } from "../../src/teddy/world/names.ts";
import { drawFacts, writeQuestion } from "../../src/teddy/world/question.ts";
import type { QuestionFacts } from "../../src/teddy/world/question-facts.ts";
import { RandomStream } from "../../src/random/random-stream.ts";
import { readQuestion } from "../../src/teddy/world/read-question.ts";
import { askers, fabrics, mishaps } from "../../src/teddy/world/slots.ts";
import { topics } from "../../src/teddy/world/topics.ts";
import { slotsOf } from "../../src/teddy/world/truth.ts";
import { wordsOf } from "../../src/text/words.ts";

const fields = ["topic", "name", "fabric", "mishap", "asker", "danger"] as const satisfies readonly (keyof QuestionFacts)[];

function assertRead(conversation: readonly Message[], facts: QuestionFacts): void {
  const read = readQuestion(conversation);
  for (const field of fields) assert.equal(read?.[field], facts[field], `${field} of: ${conversation.at(-1)!.content}`);
}

describe("a question", () => {
  it("can be read back to its facts from the text alone", () => {
    for (let index = 0; index < 6000; index++) {
      const stream = new RandomStream(3, "question", index);
      const facts = drawFacts(stream, index % 3 === 0 ? "held-out" : "training");
      assertRead([{ role: "user", content: writeQuestion(facts, stream) }], facts);
    }
  });

  it("that follows another can be read back too", () => {
    let followUps = 0;
    for (let index = 0; index < 6000; index++) {
      const { messages, facts } = prompt(5, index, index % 3 === 0 ? "held-out" : "training");
      if (messages.length > 1) followUps++;
      assertRead(messages, facts);
    }
    assert.ok(followUps > 100, `${followUps} follow-ups`);
  });

  it("is about something unsafe one time in seven", () => {
    const count = 7000;
    let unsafe = 0;
    for (let index = 0; index < count; index++)
      if (drawFacts(new RandomStream(7, "question", index), "training").danger !== undefined) unsafe++;
    assert.ok(Math.abs(unsafe / count - 1 / 7) < 0.015, `${unsafe / count}`);
  });

  it("begins each sentence with a capital and has no doubled spaces or marks", () => {
    for (let index = 0; index < 3000; index++) {
      const stream = new RandomStream(9, "question", index);
      const text = writeQuestion(drawFacts(stream, "training"), stream);
      assert.match(text, /^[A-Z]/);
      assert.doesNotMatch(text, / {2}|,[,.?!]| [,.?!]|[.?!] [a-z]|[{}[\]|]/, text);
    }
  });

  it("is the same for the same seed and index, and another for another seed", () => {
    const all = (seed: number): string[] =>
      Array.from({ length: 50 }, (_, index) => prompt(seed, index, "training").messages.at(-1)!.content);
    assert.deepEqual(all(1), all(1));
    assert.ok(all(1).filter((text, index) => text === all(2)[index]).length < 3);
  });
});

describe("the split", () => {
  it("holds out a few pairs of slots of most topics, and never all of a value", () => {
    const fabricTopics = topics.filter((topic) => slotsOf(topic).has("fabric"));
    let heldOut = 0;
    let all = 0;
    for (const topic of fabricTopics) {
      for (const fabric of fabrics) {
        const others = slotsOf(topic).has("mishap") ? mishaps.map((mishap) => ({ mishap })) : askers.map((asker) => ({ asker }));
        const out = others.filter((other) => isHeldOut({ topic, name: "Otto", fabric, ...other })).length;
        assert.ok(out < others.length, `${topic} of ${fabric} is never taught`);
        heldOut += out;
        all += others.length;
      }
    }
    assert.ok(heldOut / all > 0.05 && heldOut / all < 0.25, `${heldOut} of ${all}`);
  });

  it("depends on the meaning, not on the wording", () => {
    for (let index = 0; index < 3000; index++) {
      const split = index % 2 === 0 ? "held-out" : "training";
      const { messages } = prompt(11, index, split);
      assert.equal(isHeldOut(readQuestion(messages)!), split === "held-out", messages.at(-1)!.content);
    }
  });

  it("keeps names apart", () => {
    assert.ok(trainingNames.length >= 60);
    assert.equal(new Set([...trainingNames, ...heldOutNames]).size, trainingNames.length + heldOutNames.length);
    for (const name of heldOutNames) assert.ok(isHeldOut({ topic: "story", name }));
  });

  it("is kept by every demonstration: no question of training is held out", () => {
    for (let index = 0; index < 4000; index++) {
      const messages = demonstration(13, index);
      for (let end = 1; end <= messages.length; end += 2) {
        const facts = readQuestion(messages.slice(0, end));
        assert.ok(facts !== undefined && !isHeldOut(facts), messages[end - 1]!.content);
      }
    }
  });

  it("is kept by the corpus: no held-out name, and no held-out question in a dialogue", () => {
    const heldOut = new Set(heldOutNames);
    for (let index = 0; index < 4000; index++) {
      const { genre, text } = corpusDocument(15, index);
      for (const word of wordsOf(text)) assert.ok(!heldOut.has(nameOf(word.replace(/'s$/, "")) ?? ""), text);
      if (genre !== "dialogue") continue;
      const facts = readQuestion([{ role: "user", content: text.split("\n")[0]!.replace(/^[^:]*: /, "") }]);
      if (facts !== undefined) assert.ok(!isHeldOut(facts), text);
    }
  });
});

describe("an invented name", () => {
  it("is no bear's of the lists, and half of such names are female", () => {
    const names = Array.from({ length: 2000 }, (_, index) => inventName(new RandomStream(3, "other", index)));
    for (const name of names) {
      assert.match(name, /^[A-Z][a-z]{3,}$/);
      assert.equal(nameOf(name), undefined);
    }
    const female = names.filter((name) => pronounsOf(name).he === "she").length / names.length;
    assert.ok(Math.abs(female - 0.5) < 0.04, String(female));
    assert.ok(new Set(names).size > 1990);
  });
});
