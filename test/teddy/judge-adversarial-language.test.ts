/**
 * @file Language that fills in without saying anything: stray marks, the same thing twice, sentences in the wrong
 * order.
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { bestAnswer } from "../../src/teddy/writer/answer.ts";
import type { Message } from "../../src/text/conversation/message.ts";
import { judge } from "../../src/teddy/judge/judge.ts";
import { drawFacts, writeQuestion } from "../../src/teddy/world/question.ts";
import { RandomStream } from "../../src/random/random-stream.ts";

function draw(index: number): { conversation: Message[]; answer: string } {
  const stream = new RandomStream(31, "other", index);
  const facts = drawFacts(stream, stream.chance(0.5) ? "training" : "held-out");
  const conversation: Message[] = [{ role: "user", content: writeQuestion(facts, stream) }];
  return { conversation, answer: bestAnswer(facts, stream) };
}

const drawn = fc.nat({ max: 2 ** 31 }).map(draw);

/** The score of the best answer, spoilt, against what it may be at most. */
function spoilt(spoil: (answer: string) => string, most: number): void {
  fc.assert(
    fc.property(drawn, ({ conversation, answer }) => {
      const { score } = judge(conversation, spoil(answer));
      assert.ok(score <= most, `${score} is over ${most}: ${spoil(answer).slice(0, 400)}`);
    }),
    { numRuns: 40 },
  );
}

describe("stray characters", () => {
  for (const [what, piece] of [
    ["question marks apart", " ?"],
    ["mixed marks", " - ; : "],
    ["commas apart", " , ,"],
    ["emoji", "🙂"],
    ["families of emoji", "👨‍👩‍👧"],
    ["dots", "."],
    ["exclamation marks", "!"],
    ["symbols", " *"],
    ["dashes", " – "],
  ] as const) {
    it(`cost everything in their hundreds: ${what}`, () => {
      spoilt((answer) => answer + piece.repeat(300), 0.01);
      spoilt((answer) => piece.repeat(300) + answer, 0.05);
      spoilt((answer) => answer.replace(/[.!?](?= )/, `${piece.repeat(300)}$&`), 0.05);
    });
    it(`cost something in their tens: ${what}`, () => spoilt((answer) => answer + piece.repeat(12), 0.85));
  }

  it("between all words cost much", () => {
    spoilt((answer) => answer.replaceAll(" ", ", "), 0.7);
    spoilt((answer) => answer.replaceAll(" ", " - "), 0.2);
    spoilt((answer) => answer.replaceAll(" ", " , "), 0.2);
  });

  it("between all words cost as much where words are long and marks thus a small share", () => {
    // Of 60,000 draws these have the longest words.
    for (const { conversation, answer } of [17831, 18839, 47110].map(draw)) {
      for (const mark of [" - ", " , "]) {
        const { score } = judge(conversation, answer.replaceAll(" ", mark));
        assert.ok(score <= 0.15, `${score}: ${answer}`);
      }
    }
  });

  it("are not quotes, brackets, dashes and a comma in their place", () => {
    const conversation: Message[] = [{ role: "user", content: "My woollen bear Bruno is dripping wet. How should I dry him?" }];
    const answer =
      "Poor Bruno, that is no fun. Lay him flat on a (dry) “towel” – then turn him over, every few hours. You will do just fine…";
    assert.ok(judge(conversation, answer).score > 0.99);
  });

  it("cost little where there is but one, and an answer is short", () => {
    const conversation: Message[] = [
      { role: "user", content: "Dora, my daughter's mohair bear, is grey from top to toe. How should I wash her?" },
    ];
    const answer = "Oh, poor Dora. Clean only the surface with dry foam, and use only a mild soap. You and Dora will do very well.";
    assert.ok(judge(conversation, answer).score > 0.999);
    const { score } = judge(conversation, `${answer} 🙂`);
    assert.ok(score > 0.9 && score < 0.95, `${score}`);
  });

  it("cost little where there is but one", () => {
    fc.assert(
      fc.property(drawn, ({ conversation, answer }) => {
        const { score } = judge(conversation, `${answer} 🙂`);
        assert.ok(score > 0.8 && score < 0.999, `${score}: ${answer}`);
      }),
      { numRuns: 40 },
    );
  });
});

describe("the same again", () => {
  const dry: Message[] = [{ role: "user", content: "My woollen bear Bruno is dripping wet. How should I dry him?" }];
  for (const answer of [
    "Lay him out flat on the table and then lay him out flat on the table.",
    "Lay him out flat on the table, then lay him out flat on the table.",
    "Lay him out flat on a towel and lay him out flat on a rack.",
    "You can lay him flat on a towel. You could lay him flat on a towel.",
    "You can lay him flat on a towel. Then spread him out flat on a rack.",
    "Lay him flat on a towel, because wool keeps its shape lying down. Turn him over every hour, because wool keeps its shape lying down.",
    "Turn him over every hour. Also turn him from time to time.",
  ])
    it(`costs as a sentence said twice does: ${answer}`, () => assert.ok(judge(dry, answer).language <= 0.3));

  for (const answer of [
    "Lay him flat on a towel and turn him over every hour.",
    "Lay him flat on a towel, because wool keeps its shape lying down. Then turn him over every hour, for both sides need air.",
  ])
    it(`is not: ${answer}`, () => assert.equal(judge(dry, answer).language, 1));
});

describe("the order", () => {
  it("counts: an opening that comes last opens nothing", () => {
    fc.assert(
      fc.property(drawn, ({ conversation, answer }) => {
        const reversed = answer
          .split(/(?<=[.!?]) /)
          .toReversed()
          .join(" ");
        const [there, back] = [judge(conversation, answer), judge(conversation, reversed)];
        assert.ok(back.friendliness <= there.friendliness - 0.2, reversed);
        assert.ok(back.score < 0.95, reversed);
      }),
      { numRuns: 100 },
    );
  });
});
