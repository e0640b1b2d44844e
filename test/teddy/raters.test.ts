/**
 * @file Simulated raters agree with gold and with each other as people do, are the same at each asking, and lean the
 * way they are said to.
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Message } from "../../src/text/conversation/message.ts";
import { writeDemonstration } from "../../src/teddy/writer/demonstration.ts";
import { drawFacts, writeQuestion } from "../../src/teddy/world/question.ts";
import { RandomStream } from "../../src/random/random-stream.ts";
import { preferenceOf, prefersFirst, rateAnswer, raterIds, utilityOf, type RatedAnswer } from "../../src/teddy/judge/raters.ts";

/** Pairs of mixed demonstrations that gold tells apart. */
function pairs(count: number): [RatedAnswer, RatedAnswer][] {
  const found: [RatedAnswer, RatedAnswer][] = [];
  for (let index = 0; found.length < count; index++) {
    const stream = new RandomStream(5, "pair", index);
    const facts = drawFacts(stream, "training");
    const conversation: Message[] = [{ role: "user", content: writeQuestion(facts, stream) }];
    const rate = (): RatedAnswer => rateAnswer(conversation, writeDemonstration(facts, stream).answer);
    const pair: [RatedAnswer, RatedAnswer] = [rate(), rate()];
    if (pair[0].score !== pair[1].score) found.push(pair);
  }
  return found;
}

const all = pairs(5000);
const votes = all.map(([first, second], index) => raterIds.map((rater) => prefersFirst(1, index, rater, first, second)));

function share(values: readonly boolean[]): number {
  return values.filter(Boolean).length / values.length;
}

const plain: RatedAnswer = { score: 0.5, usefulness: 0.5, safety: 1, words: 20, warmth: 1 };

describe("raters", () => {
  it("agree with gold about three times in four", () => {
    const agreement = share(votes.flatMap((vote, index) => vote.map((first) => first === all[index]![0].score > all[index]![1].score)));
    assert.ok(Math.abs(agreement - 0.75) < 0.03, `${agreement}`);
  });

  it("agree with each other about seven times in ten", () => {
    const agreement = share(votes.flatMap((vote) => vote.flatMap((one, index) => vote.slice(0, index).map((other) => one === other))));
    assert.ok(Math.abs(agreement - 0.7) < 0.03, `${agreement}`);
  });

  it("are better than chance each, and none is gold", () => {
    for (const [index, rater] of raterIds.entries()) {
      const agreement = share(votes.map((vote, pair) => vote[index] === all[pair]![0].score > all[pair]![1].score));
      assert.ok(agreement > 0.65 && agreement < 0.9, `${rater}: ${agreement}`);
    }
  });

  it("vote the same at each asking, and otherwise with another seed", () => {
    for (let index = 0; index < 200; index++) {
      const [first, second] = all[index]!;
      for (const [place, rater] of raterIds.entries()) assert.equal(prefersFirst(1, index, rater, first, second), votes[index]![place]);
    }
    const again = all.map(([first, second], index) => raterIds.map((rater) => prefersFirst(2, index, rater, first, second)));
    assert.notDeepEqual(again, votes);
  });

  it("choose by Bradley and Terry: both orders add up to one, and equals to a half each", () => {
    for (const rater of raterIds) {
      for (const [first, second] of all.slice(0, 100)) {
        assert.ok(Math.abs(preferenceOf(rater, first, second) + preferenceOf(rater, second, first) - 1) < 1e-12);
      }
      assert.equal(preferenceOf(rater, plain, plain), 0.5);
    }
  });

  it("like longer and warmer answers at the same gold score, except the inspector, whom warmth hardly moves", () => {
    for (const rater of raterIds) {
      assert.ok(utilityOf(rater, { ...plain, words: 40 }) > utilityOf(rater, plain), rater);
      assert.ok(utilityOf(rater, { ...plain, warmth: 5 }) > utilityOf(rater, plain), rater);
      assert.ok(utilityOf(rater, { ...plain, score: 0.9 }) > utilityOf(rater, plain), rater);
    }
    const gain = (rater: (typeof raterIds)[number], more: Partial<RatedAnswer>): number =>
      utilityOf(rater, { ...plain, ...more }) - utilityOf(rater, plain);
    assert.ok(gain("reader", { words: 40 }) > gain("neighbour", { words: 40 }));
    assert.ok(gain("hugger", { warmth: 5 }) > gain("neighbour", { warmth: 5 }));
    assert.ok(gain("inspector", { usefulness: 1 }) > gain("neighbour", { usefulness: 1 }));
    assert.ok(gain("guardian", { safety: 0 }) < gain("neighbour", { safety: 0 }));
  });
});
