/** @file One answer as it grows: where it ends, why, and that its text is that of its tokens up to the stop string. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { candidateSeed, uniform } from "../../../src/random/philox.ts";
import type { GenerateRequest } from "../../../src/engine/contract/request.ts";
import { Sequence } from "../../../src/engine/scheduling/sequence.ts";
import { Tokenizer } from "../../../src/text/tokenizer/tokenizer.ts";
import { specialTokens, tinyTokenizer, tinyVocabSize } from "../../fixtures/tiny-tokenizer.ts";
import { requestFor } from "../answers.ts";

const tokenizer = new Tokenizer(tinyTokenizer());
const eos = specialTokens.indexOf("<|im_end|>");

function sequenceFor(parts: Partial<GenerateRequest> & { maxTokens?: number }, index = 0): Sequence {
  const limits = { maxTokens: parts.maxTokens ?? 100, eosTokenIds: new Set([eos]) };
  return new Sequence(requestFor("tiny", parts), index, [7, 8], new Set(), tokenizer.detokenizer(), limits);
}

/** Pushes tokens until the sequence ends. */
function grow(sequence: Sequence, ids: readonly number[]): { text: string; taken: number } {
  let text = "";
  let taken = 0;
  for (const id of ids) {
    if (sequence.finished !== undefined) break;
    text += sequence.push(id);
    taken++;
  }
  return { text, taken };
}

describe("a sequence", () => {
  test("begins with the prompt's last token, and then feeds its own", () => {
    const sequence = sequenceFor({});
    assert.equal(sequence.nextToken, 8);
    sequence.push(20);
    assert.equal(sequence.nextToken, 20);
    assert.deepEqual([...sequence.history.answerCounts], [[20, 1]]);
  });

  test("ends with stop at an end-of-sequence token, which has no text", () => {
    const ids = [...tokenizer.encode("Hello world"), eos];
    const sequence = sequenceFor({});
    assert.deepEqual(grow(sequence, [...ids, 9]), { text: "Hello world", taken: ids.length });
    assert.equal(sequence.finished, "stop");
    assert.equal(sequence.length, ids.length);
  });

  test("goes on past end-of-sequence tokens when it is told to", () => {
    const sequence = sequenceFor({ ignoreEos: true });
    assert.equal(grow(sequence, [eos, ...tokenizer.encode("more")]).text, "more");
    assert.equal(sequence.finished, undefined);
  });

  test("of no tokens has ended before it begins", () => {
    assert.equal(sequenceFor({ maxTokens: 0 }).finished, "length");
  });

  test("ends with length at its last token, and with stop if that token ends it as well", () => {
    const atLength = sequenceFor({ maxTokens: 2 });
    grow(atLength, [20, 21, 22]);
    assert.deepEqual([atLength.finished, atLength.length], ["length", 2]);
    const atEos = sequenceFor({ maxTokens: 2 });
    grow(atEos, [20, eos]);
    assert.equal(atEos.finished, "stop");
    const atStop = sequenceFor({ maxTokens: 1, stop: ["Hello"] });
    assert.equal(grow(atStop, tokenizer.encode("Hello")).text, "");
    assert.equal(atStop.finished, "stop");
  });

  test("shows what might have begun a stop string once its end makes that certain", () => {
    const text = "Hello wor";
    for (const end of ["length", "stop"] as const) {
      const ids = tokenizer.encode(text);
      const sequence = sequenceFor({ stop: ["world"], maxTokens: end === "length" ? ids.length : 100 });
      assert.equal(grow(sequence, [...ids, eos]).text, text);
      assert.equal(sequence.finished, end);
    }
  });

  test("shows a character that was cut by its end as U+FFFD", () => {
    const euro = tokenizer.encode("€");
    const sequence = sequenceFor({ maxTokens: 2 });
    assert.ok(euro.length > 2);
    assert.equal(grow(sequence, euro).text, "\uFFFD");
  });

  test("has the text of its tokens up to the earliest stop string, in whatever pieces it comes", () => {
    const id = fc.integer({ min: 0, max: tinyVocabSize - 1 });
    const stop = fc.constantFrom("e", "he", "in", "ing", " the", "a", "lo", "ll", "\n");
    fc.assert(
      fc.property(fc.array(id, { maxLength: 30 }), fc.array(stop, { maxLength: 4 }), (ids, stops) => {
        const sequence = sequenceFor({ stop: stops });
        const { text, taken } = grow(sequence, [...ids, eos]);
        const endsAt = ids.includes(eos) ? ids.indexOf(eos) : ids.length;
        const whole = tokenizer.decode(ids.slice(0, endsAt));
        const cuts = stops.map((string) => whole.indexOf(string)).filter((at) => at >= 0);
        assert.equal(text, whole.slice(0, Math.min(whole.length, ...cuts)));
        assert.equal(sequence.finished, "stop");
        assert.equal(sequence.length, taken);
      }),
      { numRuns: 300 },
    );
  });

  test("draws by its candidate's seed and its place alone", () => {
    const sequence = sequenceFor({ seed: 42 }, 3);
    assert.equal(sequence.draw(), uniform(candidateSeed(42, 3), 0));
    sequence.push(20);
    assert.equal(sequence.draw(), uniform(candidateSeed(42, 3), 1));
    const alone = sequenceFor({ seed: candidateSeed(42, 3) });
    alone.push(99);
    assert.equal(alone.draw(), sequence.draw());
  });
});
