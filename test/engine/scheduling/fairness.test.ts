/**
 * @file How long requests wait for each other on one engine, counted in chunks and steps: short prompts beside long
 * ones, one answer beside 64, and readers that are behind.
 */

import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import { EngineLoop } from "../../../src/engine/scheduling/engine-loop.ts";
import type { Model } from "../../../src/engine/loading/model.ts";
import type { GenerateRequest } from "../../../src/engine/contract/request.ts";
import { plainSampling } from "../../../src/engine/sampling/sampler.ts";
import { temporaryFolder } from "../../fixtures/temporary-folder.ts";
import { requestFor, roomyLimits, run, start, type Answer } from "../answers.ts";
import { RandomChoices } from "../random-requests.ts";
import { loadTiny } from "../tiny-engine.ts";

const folder = temporaryFolder();
const choices = new RandomChoices(30);
const sampling = { ...plainSampling, temperature: 1 };

let llama: Model;
let gpt2: Model;
before(async () => {
  llama = await loadTiny(folder, { contextLength: 2048 }, { id: "llama", quantization: "q8" });
  gpt2 = await loadTiny(folder, { architecture: "gpt2", contextLength: 2048 }, { id: "gpt2", quantization: "q8" });
});

const withPrompt = (model: string, tokens: number, parts: Partial<GenerateRequest> = {}): GenerateRequest =>
  requestFor(model, {
    prompt: { kind: "tokens", ids: choices.integers(tokens, 3, 200) },
    maxTokens: 4,
    ignoreEos: true,
    sampling,
    ...parts,
  });

describe("a short prompt beside three long ones", () => {
  const longTokens = 1500;
  const chunksOfLong = 3 * Math.ceil(longTokens / 64);

  for (const model of ["llama", "gpt2"]) {
    test(`of ${model} has its first token after a few chunks, and all have the answers that they have alone`, async () => {
      const loop = new EngineLoop([llama, gpt2], roomyLimits);
      const requests = ["llama", "llama", "gpt2"].map((other) => withPrompt(other, longTokens));
      const running = requests.map((request) => start(loop, request));
      while (loop.stats().prefillChunks < 5) await new Promise((resolve) => setImmediate(resolve));
      const short = withPrompt(model, 50);
      const chunksBefore = loop.stats().prefillChunks;
      let waitedChunks: number | undefined;
      running.push(
        start(loop, short, (event) => (waitedChunks ??= event.type === "delta" ? loop.stats().prefillChunks - chunksBefore : undefined)),
      );
      const answers = await Promise.all(running.map(({ done }) => done));
      // Its own, the one under way when it came, that of a prompt that had waited longest, and one before its step.
      assert.ok(waitedChunks! <= 4, `${waitedChunks} chunks`);
      assert.ok(loop.stats().prefillChunks >= chunksOfLong);
      for (const [at, request] of [...requests, short].entries())
        assert.deepEqual(answers[at], await run(new EngineLoop([llama, gpt2], roomyLimits), request));
    });
  }

  test("counts as short where the prefix cache has most of it", async () => {
    const loop = new EngineLoop([llama], roomyLimits);
    const known = withPrompt("llama", longTokens);
    await run(loop, known);
    const others = [1, 2].map(() => start(loop, withPrompt("llama", 1000)));
    const chunksBefore = loop.stats().prefillChunks;
    const again = await run(loop, known);
    assert.ok(again.cachedTokens! > longTokens - 64);
    assert.ok(loop.stats().prefillChunks - chunksBefore < 10);
    for (const { done } of others) assert.equal((await done).ended, true);
  });
});

describe("a request for one token beside one for 64 answers", () => {
  test("waits for two of its steps at most, though that one takes all rows, and both have the answers that they have alone", async () => {
    const loop = new EngineLoop([llama], roomyLimits);
    const many = withPrompt("llama", 30, { n: 64, maxTokens: 40 });
    const busy = start(loop, many);
    while (loop.stats().decodeSteps < 3) await new Promise((resolve) => setImmediate(resolve));
    for (let round = 0; round < 5; round++) {
      const one = withPrompt("llama", 40, { maxTokens: 1 });
      const stepsBefore = loop.stats().decodeSteps;
      const { cachedTokens: _, ...answer } = await run(loop, one);
      // One that was under way, and its own, in which the 63 other rows step too.
      assert.ok(loop.stats().decodeSteps - stepsBefore <= 2);
      const { cachedTokens: __, ...alone } = await run(new EngineLoop([llama], roomyLimits), one);
      assert.deepEqual(answer, alone);
    }
    assert.ok(loop.stats().runningSequences > 0, "the request for 64 answers was over");
    assert.deepEqual(await busy.done, await run(new EngineLoop([llama], roomyLimits), many));
  });

  test("has its equal share where many ask for many", async () => {
    const loop = new EngineLoop([llama], { ...roomyLimits, maxSequences: 8 });
    const greedy = [1, 2, 3].map((seed) => start(loop, withPrompt("llama", 30, { n: 8, maxTokens: 30, seed })));
    const few = await run(loop, withPrompt("llama", 30, { n: 2, maxTokens: 20 }));
    assert.equal(few.ended, true);
    // Two of the eight rows are its own in every step; the others have two each.
    assert.ok(loop.stats().decodeRows <= 8 * loop.stats().decodeSteps && loop.stats().generatedTokens < 8 * 26);
    for (const { done } of greedy) assert.equal((await done).ended, true);
  });
});

describe("a reader that is behind", () => {
  /** Starts a request whose reader has no room from its third token on, until it is let go. */
  function startBehind(loop: EngineLoop, request: GenerateRequest): { resume(): void; tokens(): number; done: Promise<Answer> } {
    let [tokens, isBehind] = [0, true];
    const { done } = start(
      loop,
      request,
      (event) => void (event.type === "delta" && tokens++),
      () => isBehind && tokens >= 3,
    );
    const resume = (): void => {
      isBehind = false;
      loop.wake();
    };
    return { resume, tokens: () => tokens, done };
  }

  for (const n of [1, 5]) {
    test(`pauses its own request of ${n} and no other that decodes beside it, and then has the bytes of one that keeps up`, async () => {
      const loop = new EngineLoop([llama], roomyLimits);
      const slow = withPrompt("llama", 20, { n, maxTokens: 30 });
      const behind = startBehind(loop, slow);
      const others = [20, 70, 20].map((tokens) => withPrompt("llama", tokens, { maxTokens: 40 }));
      const answers = await Promise.all(others.map((request) => start(loop, request).done));
      assert.ok(behind.tokens() < 3 + n);
      behind.resume();
      const alone = (request: GenerateRequest): Promise<Answer> => run(new EngineLoop([llama], roomyLimits), request);
      assert.deepEqual(await behind.done, await alone(slow));
      for (const [at, request] of others.entries()) assert.deepEqual(answers[at], await alone(request));
    });
  }
});
