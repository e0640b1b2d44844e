/** @file Several backends as one engine: two real ones, each with a worker and a model of its own. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { ChildProcess } from "node:child_process";
import type { Backend } from "../../src/engine/contract/request.ts";
import type { Engine, GenerateRequest, ModelInfo } from "../../src/engine/contract/request.ts";
import { Router } from "../../src/engine/router.ts";
import { startWorkerBackend } from "../../src/engine/worker/start-engine.ts";
import { BonsaiError } from "../../src/errors/bonsai-error.ts";
import { readRewardConfig } from "../../src/reward/reward-config.ts";
import { goldenPath } from "../architectures/goldens.ts";
import { rewardPath } from "../best-of-n/serving.ts";
import { crash, nextComputeWorker } from "../fixtures/compute-worker.ts";
import { temporaryFolder } from "../fixtures/temporary-folder.ts";
import { writeTinyModel } from "../fixtures/tiny-model.ts";
import { startServer } from "../server/fixture.ts";
import { AnswerCollector, requestFor, roomyLimits, type Answer } from "./answers.ts";
import { scoreInputs } from "./score-inputs.ts";

const folder = temporaryFolder();
const path = join(folder, "tiny");
writeTinyModel(path);
const shared = { ...roomyLimits, quantization: "fp32" as const, cacheDir: join(folder, "cache"), threads: 1, log: () => {} };

async function collect(engine: Pick<Engine, "generate">, request: GenerateRequest): Promise<Answer> {
  const collector = new AnswerCollector(request.n);
  for await (const event of engine.generate(request)) collector.add(event);
  return { ...collector.answer, cachedTokens: 0 };
}

const isCode =
  (code: string) =>
  (error: unknown): boolean =>
    error instanceof BonsaiError && error.code === code;

describe("a router over two backends", () => {
  let first: Backend;
  let second: Backend;
  let secondWorker: ChildProcess;
  let router: Router;

  before(async () => {
    first = await startWorkerBackend({ ...shared, models: [{ id: "tiny", path }] });
    const started = nextComputeWorker();
    second = await startWorkerBackend({
      ...shared,
      models: [
        { id: "llama", path: goldenPath("llama") },
        { id: "reward", path: rewardPath, reward: readRewardConfig(rewardPath) },
      ],
    });
    secondWorker = await started;
    router = new Router([first, second], [{ id: "ensemble", members: ["reward"], rule: { kind: "mean" } }]);
  });
  after(async () => router.close());

  test("lists the models of both, each with what its backend promises, and ensembles over them", () => {
    assert.deepEqual(
      router.models.map(({ id }) => id),
      ["tiny", "llama", "reward", "ensemble"],
    );
    for (const { capabilities } of router.models) assert.deepEqual(capabilities, first.capabilities);
    assert.equal(router.models, router.models);
  });

  test("sends a request to the backend of its model", async () => {
    for (const [backend, model] of [
      [first, "tiny"],
      [second, "llama"],
    ] as const) {
      const request = requestFor(model, { n: 2, maxTokens: 12 });
      assert.deepEqual(await collect(router, request), await collect(backend, request));
      const prompt = { kind: "text", text: "Hello" } as const;
      assert.deepEqual(await router.tokenize(model, prompt), await backend.tokenize!(model, prompt));
    }
    const messages = [
      { role: "user", content: "Hello" },
      { role: "assistant", content: "Hello to you" },
    ];
    const asked = { model: "reward", inputs: scoreInputs([messages]), truncate: true };
    assert.deepEqual((await router.score(asked)).scores[0]!.raw, (await second.score!(asked)).scores[0]!.raw);
  });

  test("refuses a model that no backend has", async () => {
    await assert.rejects(collect(router, requestFor("none")), isCode("model_not_found"));
    await assert.rejects(router.tokenize("none", { kind: "text", text: "x" }), isCode("model_not_found"));
    await assert.rejects(router.score({ model: "none", inputs: [], truncate: true }), isCode("model_not_found"));
  });

  test("adds up what the backends count", async () => {
    const sum = (): number => first.stats().generatedTokens + second.stats().generatedTokens;
    await collect(router, requestFor("tiny"));
    assert.ok(first.stats().generatedTokens > 0 && second.stats().generatedTokens > 0);
    assert.equal(router.stats().generatedTokens, sum());
  });

  test("refuses two models of one name, and an ensemble over none of its models", () => {
    assert.throws(() => new Router([first, first]), /Two models are called tiny/);
    assert.throws(() => new Router([first], [{ id: "ensemble", members: ["rewrad"], rule: { kind: "mean" } }]), isCode("usage"));
    assert.throws(() => new Router([first], [{ id: "tiny", members: ["tiny"], rule: { kind: "mean" } }]), isCode("usage"));
  });

  test("does without what a backend cannot do, and says so in /v1/models", async (t) => {
    const capabilities = { exactSeeds: false, tokenIds: false, exactCounts: false, drop: false };
    const remote: Backend = {
      models: first.models.map((model): ModelInfo => ({ ...model, id: "remote" })),
      capabilities,
      unavailable: undefined,
      generate: (request, signal) => first.generate({ ...request, model: "tiny" }, signal),
      stats: () => first.stats(),
      close: async () => {},
    };
    const mixed = new Router([second, remote]);
    await assert.rejects(mixed.tokenize("remote", { kind: "text", text: "x" }), isCode("invalid_request"));
    await assert.rejects(mixed.score({ model: "remote", inputs: [], truncate: true }), isCode("invalid_request"));
    const { fastify } = await startServer(t, {}, Promise.resolve(mixed));
    const promised = async (id: string) =>
      (await fastify.inject(`/v1/models/${id}`)).json<{ card: { capabilities: object } }>().card.capabilities;
    assert.deepEqual(await promised("remote"), { exact_seeds: false, token_ids: false, exact_counts: false, drop: false });
    assert.deepEqual(await promised("llama"), { exact_seeds: true, token_ids: true, exact_counts: true, drop: true });
  });

  test("goes on with one backend when the other is down, and is unavailable when both are", async (t) => {
    const { fastify } = await startServer(t, {}, Promise.resolve(router));
    const complete = async (model: string) =>
      fastify.inject({ method: "POST", url: "/v1/completions", payload: { model, prompt: "Hello", max_tokens: 4 } });
    assert.equal((await complete("llama")).statusCode, 200);
    crash(secondWorker);
    while (second.unavailable === undefined) await sleep(2);
    const refused = await complete("llama");
    assert.deepEqual([refused.statusCode, refused.json<{ error: { code: string } }>().error.code], [503, "loading"]);
    assert.ok(Number(refused.headers["retry-after"]) >= 1);
    assert.equal((await complete("tiny")).statusCode, 200);
    assert.equal(router.unavailable, undefined);
    assert.equal((await fastify.inject("/health/ready")).statusCode, 200);
    assert.equal((await fastify.inject("/v1/models")).json<{ data: object[] }>().data.length, 4);
    assert.equal(new Router([second]).unavailable?.code, "loading");
    while (second.unavailable !== undefined) await sleep(2);
    assert.equal((await complete("llama")).statusCode, 200);
  });
});
