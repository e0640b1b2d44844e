/** @file Streaming stops cut where a search of the whole text would, and hold back no more than needed. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { BonsaiError } from "../../../src/errors/bonsai-error.ts";
import { StopStrings } from "../../../src/text/streaming/stop-strings.ts";

/** The text before the earliest start of any stop string in the whole text. */
function cutPlainly(text: string, stops: readonly string[]): { text: string; stopped: boolean } {
  const starts = stops.map((stop) => text.indexOf(stop)).filter((start) => start >= 0);
  return starts.length === 0 ? { text, stopped: false } : { text: text.slice(0, Math.min(...starts)), stopped: true };
}

/** Length of the longest suffix that some stop string begins with. */
function heldPlainly(text: string, stops: readonly string[]): number {
  return Math.max(
    0,
    ...stops
      .flatMap((stop) => Array.from(stop, (_, index) => stop.slice(0, index + 1)))
      .filter((prefix) => text.endsWith(prefix))
      .map((prefix) => prefix.length),
  );
}

const letters = fc.string({ unit: fc.constantFrom("a", "b", "c"), maxLength: 30 });
const stopStrings = fc.array(fc.string({ unit: fc.constantFrom("a", "b", "c"), minLength: 1, maxLength: 6 }), { maxLength: 5 });
const chunks = fc.array(fc.string({ unit: fc.constantFrom("a", "b", "c"), maxLength: 5 }), { maxLength: 12 });

describe("StopStrings", () => {
  it("cuts as a search of the whole text does, however the text arrives", () => {
    fc.assert(
      fc.property(chunks, stopStrings, (pieces, stops) => {
        const matcher = new StopStrings(stops);
        const results = [...pieces.map((piece) => matcher.push(piece)), matcher.flush()];
        const emitted = results.map((result) => result.emit).join("");
        assert.deepEqual({ text: emitted, stopped: results.at(-1)!.stopped }, cutPlainly(pieces.join(""), stops));
      }),
      { numRuns: 2000 },
    );
  });

  it("holds back exactly the longest suffix that could begin a stop string, as long as none is complete", () => {
    fc.assert(
      fc.property(letters, stopStrings, (text, stops) => {
        fc.pre(!cutPlainly(text, stops).stopped);
        const matcher = new StopStrings(stops);
        const shown = Array.from(text, (letter) => matcher.push(letter).emit).join("");
        assert.equal(text.length - shown.length, heldPlainly(text, stops));
      }),
      { numRuns: 2000 },
    );
  });

  it("says that it stopped once no earlier start is possible, and emits nothing more", () => {
    fc.assert(
      fc.property(letters, letters, stopStrings, (text, rest, stops) => {
        const matcher = new StopStrings(stops);
        if (!matcher.push(text).stopped) return;
        assert.deepEqual(matcher.push(rest), { emit: "", stopped: true });
        assert.deepEqual(matcher.flush(), { emit: "", stopped: true });
        // Whatever follows, the cut stays.
        assert.equal(cutPlainly(text, stops).text, cutPlainly(text + rest, stops).text);
      }),
      { numRuns: 1000 },
    );
  });

  it("waits while a longer stop string that began earlier may still complete", () => {
    const stops = ["bcd", "abcde"];
    const longer = new StopStrings(stops);
    assert.deepEqual(longer.push("xabcd"), { emit: "x", stopped: false });
    assert.deepEqual(longer.push("e"), { emit: "", stopped: true });
    const shorter = new StopStrings(stops);
    shorter.push("xabcd");
    assert.deepEqual(shorter.push("x"), { emit: "a", stopped: true });
    const ended = new StopStrings(stops);
    ended.push("xabcd");
    assert.deepEqual(ended.flush(), { emit: "a", stopped: true });
  });

  it("passes everything through without stop strings", () => {
    const matcher = new StopStrings([]);
    assert.deepEqual(matcher.push("text"), { emit: "text", stopped: false });
    assert.deepEqual(matcher.flush(), { emit: "", stopped: false });
  });

  it("never cuts a character in two", () => {
    const matcher = new StopStrings(["\ud83d", "\ude42", "🙂!"]);
    assert.deepEqual(matcher.push("🙂"), { emit: "", stopped: false });
    assert.deepEqual(matcher.push("🙂!"), { emit: "🙂", stopped: true });
  });

  it("refuses an empty stop string", () => {
    assert.throws(
      () => new StopStrings(["a", ""]),
      (error) => error instanceof BonsaiError && error.code === "invalid_request" && error.param === "stop",
    );
  });

  it("takes a long text against stop strings that almost match everywhere", () => {
    const matcher = new StopStrings([`${"a".repeat(2000)}b`, `${"a".repeat(1000)}c`]);
    const text = "a".repeat(1_000_000);
    assert.equal(matcher.push(text).emit.length, text.length - 2000);
    assert.deepEqual(matcher.push("b"), { emit: "", stopped: true });
  });
});
