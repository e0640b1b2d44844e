/** @file The promise of the project: same request and seed, same bytes, whatever else the engine serves. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { before, describe, test } from "node:test";
import { EngineLoop } from "../../../src/engine/scheduling/engine-loop.ts";
import type { Model } from "../../../src/engine/loading/model.ts";
import { candidateSeed } from "../../../src/random/philox.ts";
import type { GenerateRequest } from "../../../src/engine/contract/request.ts";
import { plainSampling } from "../../../src/engine/sampling/sampler.ts";
import { temporaryFolder } from "../../fixtures/temporary-folder.ts";
import { writeTinyGguf } from "../../fixtures/tiny-gguf.ts";
import type { TinyModelOptions } from "../../fixtures/tiny-model.ts";
import { assertAnsweredAsAlone } from "../answered-as-alone.ts";
import { roomyLimits, run, type Answer } from "../answers.ts";
import { RandomChoices, randomRequests } from "../random-requests.ts";
import { load, loadTiny } from "../tiny-engine.ts";

const folder = temporaryFolder();

const models: { shape: TinyModelOptions; quantization: "fp32" | "q8" | "w8a8"; seed: number }[] = [
  { shape: {}, quantization: "q8", seed: 1 },
  { shape: {}, quantization: "fp32", seed: 2 },
  { shape: {}, quantization: "w8a8", seed: 3 },
  // One key/value head, and one head at all: products that ONNX Runtime may fold into larger ones.
  { shape: { keyValueHeads: 1 }, quantization: "q8", seed: 4 },
  { shape: { keyValueHeads: 1 }, quantization: "fp32", seed: 5 },
  { shape: { heads: 1, keyValueHeads: 1, headDim: 64, vocabSize: 1001, tieWordEmbeddings: false }, quantization: "fp32", seed: 6 },
  { shape: { heads: 1, keyValueHeads: 1, headDim: 64, vocabSize: 1001, tieWordEmbeddings: false }, quantization: "w8a8", seed: 7 },
  { shape: { architecture: "gpt2" }, quantization: "q8", seed: 8 },
  { shape: { architecture: "qwen3", keyValueHeads: 4, hiddenSize: 96, headDim: 24 }, quantization: "q8", seed: 9 },
];

for (const { shape, quantization, seed } of models) {
  describe(`a tiny model ${JSON.stringify(shape)} in ${quantization}`, () => {
    let model: Model;
    before(async () => {
      model = await loadTiny(folder, { contextLength: 1024, ...shape }, { quantization });
    });

    test("answers 32 random requests that arrive, join, leave and are cancelled as it answers each alone", async () => {
      const requests = randomRequests(seed, 32, { model: "tiny", vocabSize: model.info.vocabSize, longestPrompt: 300, longestAnswer: 60 });
      await assertAnsweredAsAlone([model], requests, { ...roomyLimits, maxSequences: 24 });
    });
  });
}

test("a tiny model of Q4_1 blocks in q4 answers random requests under load as it answers each alone", async () => {
  const path = join(folder, "blocks.gguf");
  writeTinyGguf(path, { type: "Q4_1", contextLength: 1024, hiddenSize: 96, headDim: 24, intermediateSize: 160 });
  const model = await load(path, join(folder, "cache"), { quantization: "q4" });
  const requests = randomRequests(11, 32, { model: "tiny", vocabSize: model.info.vocabSize, longestPrompt: 300, longestAnswer: 60 });
  await assertAnsweredAsAlone([model], requests, { ...roomyLimits, maxSequences: 24 });
});

describe("an answer's bytes", () => {
  let model: Model;
  const choices = new RandomChoices(10);
  before(async () => {
    model = await loadTiny(folder, { contextLength: 1024 }, { quantization: "q8" });
  });

  const sampled = (promptTokens: number, parts: Partial<GenerateRequest> = {}): GenerateRequest => ({
    model: "tiny",
    prompt: { kind: "tokens", ids: choices.integers(promptTokens, 3, 290) },
    n: 1,
    maxTokens: 20,
    sampling: { ...plainSampling, temperature: 1.2, topP: 0.95 },
    seed: 99,
    stop: [],
    ignoreEos: true,
    logprobs: 5,
    echo: false,
    ...parts,
  });

  test("are the same for each of n as for one with that candidate's seed, in a model with one head too", async () => {
    const oneHead = { heads: 1, keyValueHeads: 1, headDim: 64, contextLength: 1024 };
    for (const served of [model, await loadTiny(folder, oneHead, { quantization: "fp32" })]) {
      for (const n of [2, 3, 4, 6]) {
        const request = sampled(90, { n });
        const together = await run(new EngineLoop([served], roomyLimits), request);
        for (const [index, sequence] of together.sequences.entries()) {
          const alone = await run(new EngineLoop([served], roomyLimits), { ...request, n: 1, seed: candidateSeed(request.seed, index) });
          assert.deepEqual(alone.sequences[0], sequence);
        }
        assert.equal(new Set(together.sequences.map(({ tokenIds }) => tokenIds.join())).size, n);
      }
    }
  });

  test("are the same with hits in the prefix cache, partial ones too, and without", async () => {
    const loop = new EngineLoop([model], roomyLimits);
    const long = sampled(300);
    const ids = long.prompt.kind === "tokens" ? long.prompt.ids : [];
    const requests = [300, 300, 193, 129, 65, 64, 300].map((length): GenerateRequest => ({
      ...long,
      prompt: { kind: "tokens", ids: ids.slice(0, length) },
    }));
    const cached: (number | undefined)[] = [];
    for (const request of requests) {
      const warm = await run(loop, request);
      const cold = await run(new EngineLoop([model], { ...roomyLimits, prefixCacheBytes: 0 }), request);
      cached.push(warm.cachedTokens);
      assert.deepEqual({ ...warm, cachedTokens: 0 }, cold);
    }
    // The last token of a prompt is fed by the first step, and only full chunks of what comes before are kept.
    assert.deepEqual(cached, [0, 256, 192, 128, 64, 0, 256]);
  });

  test("are the same when the prefix cache evicts under them", async () => {
    const chunkBytes = model.device.chunkTokens * model.device.bytesPerToken;
    const loop = new EngineLoop([model], { ...roomyLimits, prefixCacheBytes: 3 * chunkBytes });
    const requests = [sampled(200), sampled(200), sampled(130)];
    const answers: Answer[] = [];
    for (let round = 0; round < 3; round++) for (const request of requests) answers.push(await run(loop, request));
    answers.forEach((answer, at) => assert.deepEqual(answer.sequences, answers[at % 3]!.sequences));
    assert.ok(loop.stats().prefixCacheBytes <= 3 * chunkBytes);
  });

  test("change with the seed, the prompt and the temperature", async () => {
    const loop = new EngineLoop([model], roomyLimits);
    const request = sampled(20);
    const others = [request, { ...request, seed: 100 }, { ...request, sampling: { ...request.sampling, temperature: 0 } }, sampled(20)];
    const texts = await Promise.all(others.map(async (other) => (await run(loop, other)).sequences[0]!.tokenIds.join()));
    assert.equal(new Set(texts).size, others.length);
  });
});
