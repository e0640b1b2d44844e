/**
 * @file Prompts are tokenised in bounded slices between decode steps, in turn with each other, and not at all once
 * cancelled.
 */

import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { EngineLoop } from "../../../src/engine/scheduling/engine-loop.ts";
import { PromptReading } from "../../../src/engine/scheduling/prompt-reading.ts";
import { BonsaiError } from "../../../src/errors/bonsai-error.ts";
import { charactersOfStep, sliceCharacters, type Sliced } from "../../../src/text/slices.ts";
import { temporaryFolder } from "../../fixtures/temporary-folder.ts";
import { requestFor, roomyLimits, start } from "../answers.ts";
import { loadTiny } from "../tiny-engine.ts";

const turn = async (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const isCode =
  (code: string) =>
  (error: unknown): boolean =>
    error instanceof BonsaiError && error.code === code;

/** Work of so many slices, and how many of them were taken. */
class CountedWork {
  taken = 0;
  *slices(count: number): Sliced<number[]> {
    for (; this.taken < count; this.taken++) yield sliceCharacters;
    return [count];
  }
}

describe("reading prompts", () => {
  test("takes a bounded number of characters between two turns, whatever waits", async () => {
    const reading = new PromptReading();
    const work = new CountedWork();
    const many = Array.from({ length: 20 }, () => new CountedWork());
    const read: number[] = [];
    const listener = (id: number): Parameters<PromptReading["start"]>[3] => ({ read: () => read.push(id), failed: assert.fail });
    reading.start(0, 1, work.slices(10), listener(0));
    many.forEach((other, index) => reading.start(index + 1, 1, other.slices(10), listener(index + 1)));
    const taken = (): number => [work, ...many].reduce((sum, other) => sum + other.taken, 0);
    let before = 0;
    for (; read.length < 21; await turn()) {
      assert.ok((taken() - before) * sliceCharacters <= charactersOfStep, `${taken() - before} slices in one turn`);
      before = taken();
    }
    assert.equal(taken(), 210);
  });

  test("reads a short prompt before long ones that came earlier, and at once where no other waits", async () => {
    const reading = new PromptReading();
    const order: string[] = [];
    const listener = (name: string): Parameters<PromptReading["start"]>[3] => ({ read: () => order.push(name), failed: assert.fail });
    reading.start(0, 1, new CountedWork().slices(0), listener("alone"));
    assert.deepEqual(order, ["alone"]);
    reading.start(1, 1, new CountedWork().slices(50), listener("long"));
    reading.start(2, 1, new CountedWork().slices(2), listener("short"));
    while (order.length < 3) await turn();
    assert.deepEqual(order, ["alone", "short", "long"]);
  });

  test("drops the work of a cancelled request, and fails none but one whose work fails", async () => {
    const reading = new PromptReading();
    const [cancelled, other] = [new CountedWork(), new CountedWork()];
    const failures: unknown[] = [];
    const results: number[][] = [];
    const listener = { read: (ids: number[]) => results.push(ids), failed: (error: unknown) => failures.push(error) };
    reading.start(1, 3, cancelled.slices(1000), listener);
    reading.start(2, 4, other.slices(20), listener);
    const broken = function* broken(): Sliced<number[]> {
      yield sliceCharacters;
      throw new BonsaiError("invalid_request", "broken");
    };
    reading.start(3, 1, broken(), listener);
    assert.equal(reading.sequences, 8);
    await turn();
    assert.equal(reading.cancel(1), true);
    const { taken } = cancelled;
    while (results.length === 0) await turn();
    assert.equal(cancelled.taken, taken);
    assert.equal(reading.cancel(1), false);
    assert.deepEqual(results, [[20]]);
    assert.deepEqual(failures.map((error) => (error as BonsaiError).code).toSorted(), ["cancelled", "invalid_request"]);
  });
});

describe("an engine with a long prompt", async () => {
  const model = await loadTiny(temporaryFolder(), { contextLength: 32_768 });
  after(async () => model.device.dispose());
  const text = "sew the ear on, in and out, until it holds. ".repeat(3000);

  test("goes on decoding while it reads", async () => {
    const loop = new EngineLoop([model], roomyLimits);
    const { done } = start(loop, requestFor("tiny", { maxTokens: 300, ignoreEos: true }));
    const { decodeSteps } = loop.stats();
    while (loop.stats().decodeSteps === decodeSteps) await turn();
    const before = loop.stats().decodeSteps;
    const ids = await new Promise<number[]>((read, failed) => loop.tokenize(2, "tiny", { kind: "text", text }, { read, failed }));
    const steps = loop.stats().decodeSteps - before;
    assert.deepEqual(ids, model.tokenizer.encode(text));
    assert.ok(steps >= Math.floor(text.length / (charactersOfStep + sliceCharacters)), `${steps} decode steps`);
    assert.equal((await done).error, undefined);
  });

  test("refuses requests that its queue has no room for while it reads, and forgets those that are cancelled", async () => {
    const loop = new EngineLoop([model], { ...roomyLimits, maxSequences: 2, maxQueuedSequences: 2 });
    const outcomes: unknown[] = [];
    const long = requestFor("tiny", { n: 2, prompt: { kind: "text", text } });
    for (let id = 0; id < 3; id++) loop.start(id, long, { event: () => {}, failed: (error) => outcomes.push(error) });
    assert.ok(outcomes.every(isCode("overloaded")));
    assert.equal(outcomes.length, 1);
    loop.cancel(0);
    loop.cancelAll();
    assert.deepEqual(
      outcomes.map((error) => (error as BonsaiError).code),
      ["overloaded", "cancelled", "cancelled"],
    );
    const { done } = start(loop, requestFor("tiny", { maxTokens: 3 }));
    assert.equal((await done).error, undefined);
  });
});
