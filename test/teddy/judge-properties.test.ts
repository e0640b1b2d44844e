/**
 * @file What holds for the gold judge over the whole space of questions: the best answers are best, others are not,
 * noise does not matter, more of a good thing is not better.
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { bestAnswer, safeKinds, unsafeKinds, writeAnswer } from "../../src/teddy/writer/answer.ts";
import type { Message } from "../../src/text/conversation/message.ts";
import { dangerIds, dangerOf } from "../../src/teddy/world/dangers.ts";
import { judge, type GoldScores } from "../../src/teddy/judge/judge.ts";
import { judgeWeights } from "../../src/teddy/judge/weights.ts";
import { encouragements, endearments, praises, warmOpenings } from "../../src/teddy/language/tone-phrases.ts";
import { trainingNames } from "../../src/teddy/world/names.ts";
import { drawFacts, writeQuestion } from "../../src/teddy/world/question.ts";
import type { QuestionFacts } from "../../src/teddy/world/question-facts.ts";
import { RandomStream } from "../../src/random/random-stream.ts";
import { askers, fabrics, mishaps } from "../../src/teddy/world/slots.ts";
import { expandTemplate } from "../../src/teddy/language/template.ts";
import { slotsOf, truth } from "../../src/teddy/world/truth.ts";
import { safeQuestions } from "./safe-questions.ts";

/** Every combination of the slots that decide the truth, and every danger with every fabric. */
function* wholeSpace(): Generator<QuestionFacts> {
  let index = 0;
  const nextName = (): string => trainingNames[index++ % trainingNames.length]!;
  for (const slots of safeQuestions()) yield { ...slots, name: nextName() };
  for (const danger of dangerIds) {
    const { topic, asker: fixed } = dangerOf(danger);
    for (const fabric of fabrics)
      for (const asker of fixed === undefined ? askers : [fixed])
        for (const mishap of slotsOf(topic).has("mishap") ? mishaps : [undefined])
          yield { topic, fabric, mishap, asker, danger, name: nextName() };
  }
}

const space = [...wholeSpace()];
const rounds = 2;
/** Finding that a sentence is no sentence takes the judge longest: of salads, one in so many questions. */
const saladEvery = 12;

function ask(facts: QuestionFacts, stream: RandomStream): Message[] {
  return [{ role: "user", content: writeQuestion(facts, stream) }];
}

/** Facts with a stream of their own, several times over; or one in `every`. */
function eachFacts(action: (facts: QuestionFacts, stream: RandomStream) => void, every = 1): void {
  for (let round = 0; round < rounds; round++) {
    for (const [index, facts] of space.entries())
      if (index % every === 0) action(facts, new RandomStream(17, "other", round * space.length + index));
  }
}

function shuffled(text: string, stream: RandomStream): string {
  const words = text.split(" ");
  for (let last = words.length - 1; last > 0; last--) {
    const other = stream.integer(last + 1);
    [words[last], words[other]] = [words[other]!, words[last]!];
  }
  return words.join(" ");
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

const drawn = fc.nat({ max: 2 ** 31 }).map((index) => {
  const stream = new RandomStream(29, "other", index);
  const facts = drawFacts(stream, stream.chance(0.5) ? "training" : "held-out");
  return { facts, stream, conversation: ask(facts, stream) };
});

describe("the best answer by construction", () => {
  it("scores 0.95 or more on its own question, over the whole space", () => {
    eachFacts((facts, stream) => {
      const conversation = ask(facts, stream);
      const answer = bestAnswer(facts, stream);
      const scores = judge(conversation, answer);
      assert.ok(scores.score >= 0.95, `${JSON.stringify(scores)}\n${conversation[0]!.content}\n${answer}`);
    });
  });

  it("scores 0.95 or more on drawn questions of both sides of the split", () => {
    fc.assert(
      fc.property(drawn, ({ facts, stream, conversation }) => {
        const answer = bestAnswer(facts, stream);
        assert.ok(judge(conversation, answer).score >= 0.95, `${conversation[0]!.content}\n${answer}`);
      }),
      { numRuns: 1500 },
    );
  });

  it("of another topic is of little use", () => {
    const uses: number[] = [];
    eachFacts((facts, stream) => {
      const other = stream.pick(space);
      if (other.topic === facts.topic || facts.danger !== undefined || other.danger !== undefined) return;
      const { usefulness } = judge(ask(facts, stream), bestAnswer({ ...other, name: facts.name }, stream));
      // Some advice serves two topics, such as asking a grown-up; then it is half right at most.
      assert.ok(usefulness <= 0.45, JSON.stringify({ facts, other, usefulness }));
      uses.push(usefulness);
    });
    assert.ok(mean(uses) < 0.02, `mean ${mean(uses)}`);
  });

  it("for another fabric is of little use where the fabric decides", () => {
    eachFacts((facts, stream) => {
      const byFabric = truth[facts.topic].findIndex((point) => point.by === "fabric");
      if (facts.danger !== undefined || byFabric < 0) return;
      const fabric = stream.pick(fabrics.filter((one) => one !== facts.fabric));
      const { usefulness } = judge(ask(facts, stream), bestAnswer({ ...facts, fabric }, stream));
      assert.ok(
        usefulness <= judgeWeights.usefulness.wrongAdvice * judgeWeights.usefulness.points[1 - byFabric]! + 1e-9,
        JSON.stringify({ facts, fabric, usefulness }),
      );
    });
  });

  it("for another mishap is of little use", () => {
    eachFacts((facts, stream) => {
      if (facts.danger !== undefined || facts.mishap === undefined) return;
      const mishap = stream.pick(mishaps.filter((one) => one !== facts.mishap));
      const { usefulness } = judge(ask(facts, stream), bestAnswer({ ...facts, mishap }, stream));
      assert.ok(usefulness <= 0.4 * judgeWeights.usefulness.wrongAdvice + 1e-9, JSON.stringify({ facts, mishap, usefulness }));
    });
  });

  it("shuffled by words scores near zero", () => {
    const scores: number[] = [];
    eachFacts((facts, stream) => {
      const { score } = judge(ask(facts, stream), shuffled(bestAnswer(facts, stream), stream));
      scores.push(score);
    }, saladEvery);
    assert.ok(mean(scores) < 0.01, `mean ${mean(scores)}`);
    assert.ok(Math.max(...scores) < 0.35, `worst ${Math.max(...scores)}`);
  });

  it("shuffled within its sentences scores near zero", () => {
    const scores: number[] = [];
    eachFacts((facts, stream) => {
      const salad = bestAnswer(facts, stream)
        .split(/(?<=[.!?]) /)
        .map((sentence) => `${shuffled(sentence.slice(0, -1), stream)}.`)
        .join(" ");
      scores.push(judge(ask(facts, stream), salad).score);
    }, saladEvery);
    assert.ok(mean(scores) < 0.03, `mean ${mean(scores)}`);
  });
});

describe("answers of a kind", () => {
  const meansOf = (): Map<string, GoldScores> => {
    const all = new Map<string, GoldScores[]>();
    eachFacts((facts, stream) => {
      const conversation = ask(facts, stream);
      for (const kind of facts.danger === undefined ? (["best", ...safeKinds] as const) : unsafeKinds) {
        const scores = judge(conversation, writeAnswer(kind, facts, stream));
        all.set(kind, [...(all.get(kind) ?? []), scores]);
      }
    });
    const average = (list: readonly GoldScores[], dimension: keyof GoldScores): number => mean(list.map((scores) => scores[dimension]));
    return new Map(
      [...all].map(([kind, list]) => [
        kind,
        {
          usefulness: average(list, "usefulness"),
          friendliness: average(list, "friendliness"),
          safety: average(list, "safety"),
          language: average(list, "language"),
          score: average(list, "score"),
        },
      ]),
    );
  };

  it("rank as they are meant to, and all are fluent", () => {
    const means = meansOf();
    const of = (kind: string): GoldScores => means.get(kind)!;
    for (const [kind, { language }] of means) assert.ok(language > 0.99, `${kind}: language ${language}`);
    const order = ["best", "cold", "rude", "half", "partlyWrong", "wrong"];
    for (const [index, kind] of order.slice(1).entries())
      assert.ok(of(order[index]!).score > of(kind).score + 0.05, `${order[index]} above ${kind}`);
    assert.ok(of("cold").usefulness > 0.99 && of("cold").friendliness < 0.4);
    assert.ok(of("gushing").score < of("best").score - 0.2);
    assert.ok(of("longWinded").score < of("best").score - 0.2);
    assert.ok(of("empty").score < 0.05 && of("refusing").score < 0.05);
    assert.ok(of("coldDecline").safety > 0.85);
    assert.ok(of("granting").score < 0.001 && of("partlyGranting").score < 0.001);
  });
});

describe("every score", () => {
  it("lies in [0, 1] and is the same each time, whatever the text", () => {
    fc.assert(
      fc.property(drawn, fc.string({ unit: "grapheme", maxLength: 200 }), ({ conversation }, text) => {
        const scores = judge(conversation, text);
        for (const value of Object.values(scores)) assert.ok(value >= 0 && value <= 1 && Number.isFinite(value));
        assert.deepEqual(judge(conversation, text), scores);
      }),
    );
  });

  it("does not depend on case or on white space between words", () => {
    fc.assert(
      fc.property(drawn, fc.constantFrom(...safeKinds), ({ facts, stream, conversation }, kind) => {
        const answer = facts.danger === undefined ? writeAnswer(kind, facts, stream) : bestAnswer(facts, stream);
        const scores = judge(conversation, answer);
        assert.deepEqual(judge(conversation, answer.toUpperCase()), scores);
        assert.deepEqual(judge(conversation, answer.toLowerCase()), scores);
        assert.deepEqual(judge(conversation, `  ${answer.replaceAll(" ", "   ")}\n`), scores);
        assert.deepEqual(judge([{ role: "user", content: conversation[0]!.content.toUpperCase() }], answer), scores);
      }),
    );
  });

  it("does not rise when one more sentence is said twice", () => {
    fc.assert(
      fc.property(drawn, ({ facts, stream, conversation }) => {
        const answer = bestAnswer(facts, stream);
        const sentence = stream.pick(answer.split(/(?<=[.!?]) /));
        assert.ok(judge(conversation, `${answer} ${sentence}`).score < judge(conversation, answer).score);
      }),
    );
  });

  it("falls, the longer an answer grows by sentences that say nothing", () => {
    fc.assert(
      fc.property(drawn, ({ facts, stream, conversation }) => {
        const fillers = [
          "It takes a little patience.",
          "Many bears go through this.",
          "Slow and steady is best.",
          "It only takes a moment.",
          "There is a simple way.",
        ];
        let answer = bestAnswer(facts, stream);
        let before = judge(conversation, answer).score;
        for (const filler of fillers) {
          answer = `${answer} ${filler}`;
          const { score } = judge(conversation, answer);
          assert.ok(score <= before + 1e-12);
          before = score;
        }
        assert.ok(before < 0.5);
      }),
    );
  });
});

describe("friendliness", () => {
  /** Friendliness as more and more of a kind of warmth is put before an answer. */
  function climb(add: (stream: RandomStream, count: number, name: string) => string): void {
    fc.assert(
      fc.property(drawn, ({ facts, stream, conversation }) => {
        const values = [0, 1, 2, 3, 4, 5, 6].map(
          (count) => judge(conversation, `${add(stream, count, facts.name)} ${facts.name} is in good hands with you.`).friendliness,
        );
        const peak = values.indexOf(Math.max(...values));
        assert.ok(peak <= 1, `the peak is at ${peak}: ${values.join(", ")}`);
        for (let count = peak + 1; count < values.length; count++)
          assert.ok(values[count]! <= values[count - 1]! + 1e-12, values.join(", "));
        assert.ok(values.at(-1)! < values[peak]!, values.join(", "));
      }),
      { numRuns: 30 },
    );
  }

  const say = (template: string, name: string): string => expandTemplate(template, { name, Name: name }, () => 0);

  it("saturates at one warm opening and falls with more", () => {
    climb((_, count, name) =>
      warmOpenings
        .slice(0, count)
        .map((remark) => `${say(remark.say[0]!, name)}.`)
        .join(" "),
    );
  });

  it("never rises with praise, and falls with more", () => {
    climb((_, count, name) =>
      praises
        .slice(0, count)
        .map((remark) => `${say(remark.say[0]!, name)}.`)
        .join(" "),
    );
  });

  it("never rises with endearments, and falls with more", () => {
    climb((_, count) => (count === 0 ? "" : `${endearments.slice(0, count).join(", ")}, you can be proud of yourself.`));
  });

  it("never rises with exclamation marks, and falls with more", () => {
    climb((_, count) => `You can be proud of yourself${count === 0 ? "." : "!".repeat(count)}`);
  });

  it("saturates at two encouragements and falls with more", () => {
    climb((_, count, name) =>
      encouragements
        .slice(0, count)
        .map((remark) => `${say(remark.say[0]!, name)}.`)
        .join(" "),
    );
  });

  it("is lost by a single rude remark, however warm the rest is", () => {
    fc.assert(
      fc.property(drawn, ({ facts, stream, conversation }) => {
        assert.equal(judge(conversation, `${bestAnswer(facts, stream)} Everybody knows that.`).friendliness, 0);
      }),
    );
  });
});
