/**
 * @file The engine loop over tiny models: what requests get, what they cost, and what becomes of them when they end
 * early, late or badly.
 */

import assert from "node:assert/strict";
import { join } from "node:path";
import { before, describe, test } from "node:test";
import { readDecoderConfig } from "../../../src/architectures/decoder/decoder-config.ts";
import { EngineLoop } from "../../../src/engine/scheduling/engine-loop.ts";
import type { Model } from "../../../src/engine/loading/model.ts";
import type { GenerateRequest } from "../../../src/engine/contract/request.ts";
import { BonsaiError } from "../../../src/errors/bonsai-error.ts";
import { openModel } from "../../../src/formats/open-model.ts";
import { goldenCases, goldenModels, goldenPath } from "../../architectures/goldens.ts";
import { NaiveDecoder } from "../../architectures/naive-decoder.ts";
import { temporaryFolder } from "../../fixtures/temporary-folder.ts";
import { writeTinyModel } from "../../fixtures/tiny-model.ts";
import { greedySampling, requestFor, roomyLimits, run, start } from "../answers.ts";
import { loadPoisoned } from "../poisoned-model.ts";
import { RandomChoices } from "../random-requests.ts";
import { load, loadTiny, loopWithin } from "../tiny-engine.ts";

const folder = temporaryFolder();
const choices = new RandomChoices(20);

const tokens = (ids: number[]): GenerateRequest["prompt"] => ({ kind: "tokens", ids });

async function refusal(loop: EngineLoop, request: GenerateRequest): Promise<BonsaiError> {
  const { error } = await start(loop, request).done;
  assert.ok(error instanceof BonsaiError, `not refused: ${String(error)}`);
  return error;
}

describe("greedy answers in fp32", () => {
  for (const name of goldenModels) {
    test(`are PyTorch's for ${name}, with its log-probabilities, all requests at once`, async () => {
      const model = await load(goldenPath(name), join(folder, "cache"), { id: name });
      const loop = new EngineLoop([model], roomyLimits);
      const cases = goldenCases(name);
      const answers = await Promise.all(
        cases.map(({ ids, greedy }) =>
          run(loop, requestFor(name, { prompt: tokens(ids), maxTokens: greedy.ids.length, ignoreEos: true, logprobs: 0 })),
        ),
      );
      answers.forEach(({ sequences: [answer] }, at) => {
        const { greedy } = cases[at]!;
        assert.deepEqual(answer!.tokenIds, greedy.ids);
        answer!.logprobs.forEach(({ logprob }, token) => assert.ok(Math.abs(logprob - greedy.logprobs[token]!) < 1e-4));
      });
    });
  }

  test("are the naive decoder's on a prompt past the length at which its cache grows, with the prompt's log-probabilities", async () => {
    const path = join(folder, "long");
    writeTinyModel(path, { contextLength: 700, layers: 1, hiddenSize: 32, heads: 2, keyValueHeads: 1, intermediateSize: 32 });
    const file = openModel(path);
    const config = readDecoderConfig(file.config, path);
    const naive = new NaiveDecoder(config, file.weights);
    const loop = new EngineLoop([await load(path, join(folder, "cache"))], roomyLimits);
    const ids = choices.integers(640, 0, config.vocabSize - 1);
    const answer = await run(loop, requestFor("tiny", { prompt: tokens(ids), maxTokens: 4, ignoreEos: true, logprobs: 3, echo: true }));
    assert.deepEqual(answer.sequences[0]!.tokenIds, naive.greedy(ids, 4));
    const logits = naive.logits([...ids, ...answer.sequences[0]!.tokenIds]);
    const expected = (position: number, tokenId: number): number => {
      const row = logits[position]!;
      return row[tokenId]! - Math.log(row.reduce((sum, value) => sum + Math.exp(value), 0));
    };
    assert.deepEqual([answer.echo!.tokens!.length, answer.echo!.tokens![0]!.logprob], [640, null]);
    answer
      .echo!.tokens!.slice(1)
      .forEach(({ logprob }, at) => assert.ok(Math.abs(logprob! - expected(at, ids[at + 1]!)) < 1e-4, `prompt token ${at + 1}`));
    answer.sequences[0]!.logprobs.forEach(({ logprob, top }, at) => {
      assert.ok(Math.abs(logprob - expected(639 + at, answer.sequences[0]!.tokenIds[at]!)) < 1e-4);
      assert.equal(top.length, 3);
      assert.equal(top[0]!.logprob, logprob);
      assert.ok(top[0]!.logprob >= top[1]!.logprob && top[1]!.logprob >= top[2]!.logprob);
    });
    file.weights.close();
  });
});

describe("a request", () => {
  let model: Model;
  before(async () => {
    model = await loadTiny(folder, { contextLength: 256 });
  });
  const fresh = (): EngineLoop => new EngineLoop([model], roomyLimits);

  test("fills the context to its last token, and not one beyond", async () => {
    for (const promptTokens of [1, 100, 255]) {
      const prompt = tokens(choices.integers(promptTokens, 3, 200));
      const left = 256 - promptTokens;
      for (const n of [1, 4]) {
        const { sequences } = await run(fresh(), requestFor("tiny", { prompt, n, maxTokens: left, ignoreEos: true }));
        for (const { tokenIds, finishReason } of sequences) assert.deepEqual([tokenIds.length, finishReason], [left, "length"]);
      }
      const error = await refusal(fresh(), requestFor("tiny", { prompt, maxTokens: left + 1 }));
      assert.deepEqual([error.code, error.param], ["context_length_exceeded", "max_tokens"]);
      assert.match(error.message, new RegExp(`256 tokens; the prompt takes ${promptTokens} and ${left + 1}`));
    }
  });

  test("of a prompt that leaves no room for an answer is refused", async () => {
    for (const promptTokens of [256, 300]) {
      const error = await refusal(
        fresh(),
        requestFor("tiny", { prompt: tokens(choices.integers(promptTokens, 3, 200)), maxTokens: undefined }),
      );
      assert.deepEqual([error.code, error.param], ["context_length_exceeded", "messages"]);
    }
  });

  test("that does not say how long gets the default, or what the context leaves", async () => {
    const loop = new EngineLoop([model], { ...roomyLimits, defaultMaxTokens: 10 });
    const lengthOf = async (promptTokens: number): Promise<number> => {
      const request = requestFor("tiny", { prompt: tokens(choices.integers(promptTokens, 3, 200)), maxTokens: undefined, ignoreEos: true });
      return (await run(loop, request)).sequences[0]!.tokenIds.length;
    };
    assert.equal(await lengthOf(5), 10);
    assert.equal(await lengthOf(252), 4);
  });

  test("of no tokens tells its prompt and ends", async () => {
    const answer = await run(fresh(), requestFor("tiny", { n: 2, maxTokens: 0, echo: true, logprobs: 0 }));
    assert.equal(answer.echo?.text, "Hello world");
    assert.equal(answer.echo?.tokens?.length, answer.promptTokens);
    for (const { finishReason, completionTokens, tokenIds } of answer.sequences)
      assert.deepEqual([finishReason, completionTokens, tokenIds], ["length", 0, []]);
  });

  test("tells of its prompt in tokens that make up its text", async () => {
    const text = "Hello world, über and over";
    const answer = await run(fresh(), requestFor("tiny", { prompt: { kind: "text", text }, echo: true, logprobs: 2 }));
    assert.equal(Buffer.from(answer.echo!.tokens!.flatMap(({ bytes }) => bytes)).toString(), text);
    const plain = await run(fresh(), requestFor("tiny", { prompt: { kind: "text", text }, echo: true }));
    assert.deepEqual(plain.echo, { text, tokens: undefined });
  });

  test("has one start, then deltas and a finish for each sequence, then one end", async () => {
    const types: string[] = [];
    const { done } = start(fresh(), requestFor("tiny", { n: 3, maxTokens: 3, ignoreEos: true }), (event) =>
      types.push("index" in event ? `${event.type}${event.index}` : event.type),
    );
    await done;
    assert.equal(types[0], "start");
    assert.equal(types.at(-1), "end");
    for (const index of [0, 1, 2]) {
      const own = types.filter((type) => type.endsWith(String(index)));
      assert.deepEqual(own, [`delta${index}`, `delta${index}`, `delta${index}`, `finish${index}`]);
    }
    assert.equal(types.length, 14);
  });

  test("for a model that is not there, or with a stop string of nothing, is refused", async () => {
    assert.equal((await refusal(fresh(), requestFor("other"))).code, "model_not_found");
    const error = await refusal(fresh(), requestFor("tiny", { stop: ["a", ""] }));
    assert.deepEqual([error.code, error.param], ["invalid_request", "stop"]);
  });

  test("that could never run is refused; one that finds the queue full is told to come again", async () => {
    const loop = new EngineLoop([model], { ...roomyLimits, maxSequences: 2, maxQueuedSequences: 1 });
    assert.equal((await refusal(loop, requestFor("tiny", { n: 3 }))).code, "request_too_large");
    const running = [start(loop, requestFor("tiny", { n: 2 })), start(loop, requestFor("tiny"))];
    const error = await refusal(loop, requestFor("tiny"));
    assert.equal(error.code, "overloaded");
    assert.ok(error.retryAfterSeconds! >= 1);
    for (const { done } of running) assert.equal((await done).ended, true);
  });

  test("reserves what its prompt and answers may take, and gives it back", async () => {
    const chunk = model.device.chunkTokens;
    // The prompt is copied for each of the three answers, and held once more while it is.
    const loop = new EngineLoop([model], { ...roomyLimits, kvCacheBytes: 7 * chunk * model.device.bytesPerToken });
    const request = requestFor("tiny", { n: 3, maxTokens: chunk - 1, ignoreEos: true });
    let reserved = 0;
    await start(loop, request, () => (reserved = Math.max(reserved, loop.stats().kvTokensReserved))).done;
    assert.equal(reserved, 7 * chunk);
    assert.deepEqual([loop.stats().kvTokensReserved, loop.stats().kvTokensCapacity], [0, 7 * chunk]);
    assert.equal((await refusal(loop, { ...request, maxTokens: chunk })).code, "request_too_large");
  });
});

describe("a cancelled request", () => {
  let model: Model;
  before(async () => {
    model = await loadTiny(folder, { contextLength: 1024 });
  });

  test("frees its rows before the next step, and the others go on", async () => {
    const loop = new EngineLoop([model], roomyLimits);
    const leaving = start(loop, requestFor("tiny", { n: 5, maxTokens: 100, ignoreEos: true }));
    let deltas = 0;
    const rowsOfSteps: number[] = [];
    let rowsBefore = loop.stats().decodeRows;
    const staying = start(loop, requestFor("tiny", { maxTokens: 20, ignoreEos: true }), (event) => {
      if (event.type !== "delta") return;
      const { decodeRows } = loop.stats();
      rowsOfSteps.push(decodeRows - rowsBefore);
      rowsBefore = decodeRows;
      if (++deltas === 10) loop.cancel(leaving.id);
    });
    const answer = await leaving.done;
    assert.ok(answer.error instanceof BonsaiError && answer.error.code === "cancelled");
    assert.equal((await staying.done).sequences[0]!.tokenIds.length, 20);
    assert.deepEqual(rowsOfSteps.slice(1), [...Array.from({ length: 9 }, () => 6), ...Array.from({ length: 10 }, () => 1)]);
  });

  test("leaves the queue, its prompt half filled, or before it has begun", async () => {
    const loop = new EngineLoop([model], { ...roomyLimits, maxSequences: 1 });
    const first = start(loop, requestFor("tiny", { prompt: tokens(choices.integers(900, 3, 200)), maxTokens: 50 }));
    const waiting = start(loop, requestFor("tiny", { maxTokens: 50 }));
    const last = start(loop, requestFor("tiny", { maxTokens: 2, ignoreEos: true }));
    const atOnce = start(loop, requestFor("tiny"));
    loop.cancel(atOnce.id);
    loop.cancel(waiting.id);
    while (loop.stats().prefillChunks < 3) await new Promise((resolve) => setImmediate(resolve));
    assert.equal(loop.stats().waitingRequests, 1);
    loop.cancel(first.id);
    for (const { done } of [first, waiting, atOnce]) {
      const { error, sequences, promptTokens } = await done;
      assert.ok(error instanceof BonsaiError && error.code === "cancelled");
      assert.deepEqual([sequences[0]!.tokenIds, promptTokens], [[], undefined]);
    }
    assert.equal((await last.done).ended, true);
    assert.ok(loop.stats().prefillChunks < 6, "a cancelled prompt was filled to its end");
    const { runningSequences, waitingSequences, kvTokensReserved } = loop.stats();
    assert.deepEqual([runningSequences, waitingSequences, kvTokensReserved], [0, 0, 0]);
  });

  test("that has ended already, or never was, changes nothing", async () => {
    const loop = new EngineLoop([model], roomyLimits);
    const ended = start(loop, requestFor("tiny"));
    await ended.done;
    loop.cancel(ended.id);
    loop.cancel(123_456_789);
    assert.equal((await run(loop, requestFor("tiny"))).ended, true);
  });
});

describe("rows", () => {
  test("outgrow the caches that they started in, at any number of rows and with no room to spare", async () => {
    const { model, loop } = await loopWithin(folder, { maxSequences: 4 }, { contextLength: 1024 });
    const request = requestFor("tiny", { maxTokens: 600, ignoreEos: true, sampling: { ...greedySampling, temperature: 1 } });
    const answers = await Promise.all([1, 2, 3, 4].map((seed) => run(loop, { ...request, seed })));
    for (const [at, answer] of answers.entries()) {
      assert.equal(answer.sequences[0]!.tokenIds.length, 600);
      if (at === 2) assert.deepEqual(await run(new EngineLoop([model], roomyLimits), { ...request, seed: 3 }), answer);
    }
  });

  test("that copy their prompt, and are padded to the longest of their batch, fit as well", async () => {
    const bytesPerToken = (await loadTiny(folder, { contextLength: 2048 })).device.bytesPerToken;
    const { loop } = await loopWithin(folder, { kvCacheBytes: 48 * 1024 * bytesPerToken }, { contextLength: 2048 });
    const request = (length: number, n: number): GenerateRequest =>
      requestFor("tiny", { n, maxTokens: 62, ignoreEos: true, prompt: tokens(choices.integers(length, 3, 200)) });
    const requests = [request(1000, 1), ...Array.from({ length: 13 }, () => request(258, 3))];
    let [most, rowsBefore] = [0, 0];
    const note = (): void => {
      const { decodeRows } = loop.stats();
      most = Math.max(most, decodeRows - rowsBefore);
      rowsBefore = decodeRows;
    };
    for (const { done } of requests.map((one) => start(loop, one, note))) assert.equal((await done).ended, true);
    assert.ok(most > 32, `only ${most} rows were together`);
  });
});

describe("a failure", () => {
  test("of one row's numbers ends its request and no other", async () => {
    const loop = new EngineLoop([await loadPoisoned(folder, 50)], roomyLimits);
    const request = requestFor("tiny", { maxTokens: 12, ignoreEos: true, prompt: tokens([60, 61, 62]), logprobs: 1 });
    const sampled = { ...request, n: 3, sampling: { ...greedySampling, temperature: 1, logitBias: [[50, -100]] as [number, number][] } };
    const alone = await run(loop, request);
    const requests = [request, { ...request, prompt: tokens([60, 61, 50]) }, { ...sampled, prompt: tokens([60, 61, 50]) }, sampled];
    const answers = await Promise.all(requests.map((one) => start(loop, one).done));
    assert.deepEqual(
      answers.map(({ error }) => (error instanceof BonsaiError ? error.code : error)),
      [undefined, "internal", "internal", undefined],
    );
    assert.deepEqual(answers[0], alone);
    const { runningSequences, kvTokensReserved } = loop.stats();
    assert.deepEqual([runningSequences, kvTokensReserved], [0, 0]);
    assert.deepEqual(await run(loop, request), alone);
  });

  test("of a prompt's logits ends its request and no other", async () => {
    const loop = new EngineLoop([await loadPoisoned(folder, 50)], roomyLimits);
    const bad = start(loop, requestFor("tiny", { prompt: tokens([60, 50, 62]), echo: true, logprobs: 0 }));
    const good = start(loop, requestFor("tiny", { prompt: tokens([60, 61, 62]) }));
    assert.equal(((await bad.done).error as BonsaiError).code, "internal");
    assert.equal((await good.done).ended, true);
  });
});

test("several models answer side by side, each as it does alone", async () => {
  const llama = await loadTiny(folder, {}, { id: "llama" });
  const gpt2 = await loadTiny(folder, { architecture: "gpt2" }, { id: "gpt2" });
  const loop = new EngineLoop([llama, gpt2], roomyLimits);
  const requests = ["llama", "gpt2", "llama"].map((model, seed) =>
    requestFor(model, { seed, maxTokens: 30, ignoreEos: true, sampling: { ...greedySampling, temperature: 1 } }),
  );
  const answers = await Promise.all(requests.map((request) => run(loop, request)));
  for (const [at, request] of requests.entries()) {
    const model = request.model === "gpt2" ? gpt2 : llama;
    assert.deepEqual(await run(new EngineLoop([model], roomyLimits), request), answers[at]);
  }
  assert.notDeepEqual(answers[0]!.sequences, answers[1]!.sequences);
});
