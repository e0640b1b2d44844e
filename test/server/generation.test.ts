/**
 * @file Several prompts of one request as one stream: all events, in the order of each prompt, at a cost that does not
 * grow with the prompts.
 */

import assert from "node:assert/strict";
import { createHook } from "node:async_hooks";
import { setImmediate as nextTurn } from "node:timers/promises";
import { describe, test } from "node:test";
import type { BestOfEvent } from "../../src/best-of-n/result.ts";
import { plainSampling } from "../../src/engine/sampling/sampler.ts";
import type { GenerateRequest } from "../../src/engine/contract/request.ts";
import { BonsaiError } from "../../src/errors/bonsai-error.ts";
import { generateAll, type RunRequest } from "../../src/server/generation/generation.ts";
import { warningsDuring } from "../fixtures/warnings.ts";
import { ScriptedEngine } from "./scripted-engine.ts";

const promptOf = (seed: number): GenerateRequest => ({
  model: "scripted",
  prompt: { kind: "text", text: `prompt ${seed}` },
  n: 1,
  maxTokens: undefined,
  sampling: { ...plainSampling, temperature: 1 },
  seed,
  stop: [],
  ignoreEos: false,
  logprobs: undefined,
  echo: false,
});
const prompts = Array.from({ length: 64 }, (_, seed) => promptOf(seed));

/** The scripted engine; each run listens to its signal as the real engine does. */
function runner(engine: ScriptedEngine, onEvent: () => void = () => {}): RunRequest {
  return async function* run(request, signal) {
    signal.addEventListener("abort", () => undefined);
    for await (const event of engine.generate(request, signal)) {
      onEvent();
      yield event;
    }
  };
}

describe("the events of 64 prompts, of which 8 run at once", () => {
  test("are those of each prompt alone, in order, without a warning of too many listeners", async () => {
    const engine = new ScriptedEngine({ maxSequences: 8 });
    const found: BestOfEvent[][] = prompts.map(() => []);
    const warnings = await warningsDuring(async () => {
      for await (const { prompt, event } of generateAll(runner(engine), prompts, new AbortController().signal)) found[prompt]!.push(event);
    });
    assert.deepEqual(warnings, []);
    for (const [prompt, request] of prompts.entries()) {
      const alone: BestOfEvent[] = [];
      for await (const event of engine.generate(request)) alone.push(event);
      assert.deepEqual(found[prompt], alone);
    }
  });

  test("cost a number of promises that does not grow with the prompts", async () => {
    const promisesPerEvent = async (count: number): Promise<number> => {
      let [promises, events] = [0, 0];
      const hook = createHook({ init: (_, type) => void (promises += Number(type === "PROMISE")) }).enable();
      for await (const _ of generateAll(
        runner(new ScriptedEngine({ maxSequences: 8 })),
        prompts.slice(0, count),
        new AbortController().signal,
      ))
        events++;
      hook.disable();
      return promises / events;
    };
    const [few, many] = [await promisesPerEvent(8), await promisesPerEvent(64)];
    assert.ok(many < 1.2 * few, `${few} promises an event for 8 prompts, ${many} for 64`);
  });

  test("are produced no faster than they are read", async () => {
    let produced = 0;
    const run = runner(new ScriptedEngine(), () => produced++);
    let read = 0;
    for await (const _ of generateAll(run, prompts, new AbortController().signal)) {
      for (let turn = 0; turn < 20; turn++) await nextTurn();
      read++;
      assert.ok(produced <= read + prompts.length, `${produced} events produced, ${read} read`);
      if (read === 100) break;
    }
  });
});

describe("when one prompt of several fails, or the client leaves", () => {
  for (const [what, fail] of [
    ["fails", () => assert.fail("prompt 3")],
    ["is cancelled", undefined],
  ] as const) {
    test(`all end: one ${what}`, async () => {
      const engine = new ScriptedEngine();
      const controller = new AbortController();
      const run: RunRequest = async function* (request, signal) {
        let count = 0;
        for await (const event of engine.generate(request, signal)) {
          if (request.seed === 3 && ++count === 4) {
            if (fail === undefined) controller.abort(new BonsaiError("cancelled", "prompt 3"));
            else fail();
          }
          yield event;
        }
      };
      await assert.rejects(async () => {
        for await (const _ of generateAll(run, prompts, controller.signal));
      }, /prompt 3/);
      for (let turn = 0; engine.stats().runningSequences > 0; turn++) {
        assert.ok(turn < 1000, "sequences still run");
        await nextTurn();
      }
    });
  }
});
