/**
 * @file The engine behind its worker: the same answers, errors with their codes, and what happens when either side
 * goes.
 */

import assert from "node:assert/strict";
import { setMaxListeners } from "node:events";
import { renameSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { ChildProcess } from "node:child_process";
import { EngineLoop } from "../../../src/engine/scheduling/engine-loop.ts";
import type { Engine, EngineStats, GenerateEvent, GenerateRequest } from "../../../src/engine/contract/request.ts";
import { startEngine, type EngineOptions } from "../../../src/engine/worker/start-engine.ts";
import { bytesOf, windowBytes } from "../../../src/engine/worker/read-window.ts";
import { restartDelayMs } from "../../../src/engine/worker/supervisor.ts";
import { BonsaiError } from "../../../src/errors/bonsai-error.ts";
import { crash, endOf, nextComputeWorker } from "../../fixtures/compute-worker.ts";
import { temporaryFolder } from "../../fixtures/temporary-folder.ts";
import { writeTinyModel } from "../../fixtures/tiny-model.ts";
import { AnswerCollector, greedySampling, requestFor, roomyLimits, run, type Answer } from "../answers.ts";
import { load } from "../tiny-engine.ts";

const folder = temporaryFolder();
const path = join(folder, "model");
const cacheDir = join(folder, "cache");
writeTinyModel(path, { contextLength: 4096 });

const lines: string[] = [];
const options: EngineOptions = {
  ...roomyLimits,
  models: [{ id: "tiny", path }],
  quantization: "q8",
  cacheDir,
  threads: 1,
  log: (line) => lines.push(line),
};

/** Starts an engine and hands out its worker too. */
async function startWithWorker(): Promise<{ engine: Engine; worker: ChildProcess }> {
  const started = nextComputeWorker();
  const engine = await startEngine(options);
  return { engine, worker: await started };
}

async function collect(engine: Engine, request: GenerateRequest): Promise<Answer> {
  const collector = new AnswerCollector(request.n);
  for await (const event of engine.generate(request)) collector.add(event);
  return collector.answer;
}

const isCode =
  (code: string) =>
  (error: unknown): boolean =>
    error instanceof BonsaiError && error.code === code;

/** Hours of tokens, unless something ends them. */
const endless = requestFor("tiny", { maxTokens: 4000, ignoreEos: true, n: 4 });

/** Reads a stream until it fails; resolves to the error once the first token has come. */
function failureOf(engine: Engine, request = endless, signal?: AbortSignal): { begun: Promise<void>; failure: Promise<unknown> } {
  let begin = (): void => {};
  const begun = new Promise<void>((resolve) => (begin = resolve));
  const read = async (): Promise<unknown> => {
    try {
      for await (const event of engine.generate(request, signal)) if (event.type === "delta") begin();
      return undefined;
    } catch (error) {
      begin();
      return error;
    }
  };
  return { begun, failure: read() };
}

async function ready(engine: Engine): Promise<void> {
  while (engine.unavailable !== undefined) await sleep(2);
}

async function until(engine: Engine, condition: (stats: EngineStats) => boolean): Promise<void> {
  while (!condition(engine.stats())) await sleep(2);
}

describe("an engine", () => {
  let engine: Engine;
  before(async () => {
    engine = await startEngine(options);
  });
  after(async () => engine.close());

  test("answers from its worker what the loop answers in this thread, many at once", async () => {
    const loop = new EngineLoop([await load(path, cacheDir, { quantization: "q8", threads: 1 })], roomyLimits);
    const requests = Array.from({ length: 8 }, (_, seed) =>
      requestFor("tiny", {
        seed,
        n: 1 + (seed % 3),
        maxTokens: 30,
        logprobs: 2,
        sampling: { ...greedySampling, temperature: 1 },
        prompt: { kind: "messages", messages: [{ role: "user", content: `Hello ${seed}` }] },
      }),
    );
    const answers = await Promise.all(requests.map((request) => collect(engine, request)));
    for (const [at, request] of requests.entries())
      assert.deepEqual({ ...answers[at], cachedTokens: 0 }, { ...(await run(loop, request)), cachedTokens: 0 });
  });

  test("tokenises as it answers", async () => {
    const ids = await engine.tokenize("tiny", { kind: "text", text: "Hello world" });
    assert.deepEqual(
      await collect(engine, requestFor("tiny")),
      await collect(engine, requestFor("tiny", { prompt: { kind: "tokens", ids } })),
    );
    await assert.rejects(engine.tokenize("other", { kind: "text", text: "x" }), isCode("model_not_found"));
    await assert.rejects(engine.tokenize("tiny", { kind: "tokens", ids: [-1] }), isCode("invalid_request"));
  });

  test("passes errors on with their code and field", async () => {
    const { failure } = failureOf(engine, requestFor("tiny", { maxTokens: 5000 }));
    const error = await failure;
    assert.ok(error instanceof BonsaiError);
    assert.deepEqual([error.code, error.param], ["context_length_exceeded", "max_tokens"]);
    assert.ok(error.cause instanceof Error);
  });

  test("frees what an aborted request held, and says so at once", async () => {
    const abort = new AbortController();
    const { begun, failure } = failureOf(engine, endless, abort.signal);
    await begun;
    await until(engine, ({ runningSequences }) => runningSequences === 4);
    abort.abort();
    assert.ok(isCode("cancelled")(await failure));
    await until(engine, ({ runningSequences, kvTokensReserved }) => runningSequences === 0 && kvTokensReserved === 0);
    const { decodeRows } = engine.stats();
    await collect(engine, requestFor("tiny", { maxTokens: 3, ignoreEos: true }));
    assert.equal(engine.stats().decodeRows, decodeRows + 3);
  });

  test("frees what a reader held who has left the loop", async () => {
    for await (const event of engine.generate(endless)) if (event.type === "delta") break;
    await until(engine, ({ runningSequences }) => runningSequences === 0);
  });

  test("does not begin for a client that has left already", async () => {
    const { promptTokens } = engine.stats();
    await assert.rejects(async () => {
      for await (const event of engine.generate(endless, AbortSignal.abort())) assert.fail(event.type);
    }, isCode("cancelled"));
    await collect(engine, requestFor("tiny", { prompt: { kind: "tokens", ids: [5] } }));
    assert.equal(engine.stats().promptTokens, promptTokens + 1);
  });

  test("counts the sequences that have no row and the requests that have no place while others run", async () => {
    const { maxSequences } = roomyLimits;
    for (const [n, requests, waiting] of [
      [4, maxSequences / 4 + 2, { sequences: 8, requests: 0 }],
      [1, maxSequences + 2, { sequences: 2, requests: 2 }],
    ] as const) {
      const abort = new AbortController();
      setMaxListeners(0, abort.signal);
      const streams = Array.from({ length: requests }, () => failureOf(engine, { ...endless, n }, abort.signal));
      await until(
        engine,
        ({ runningSequences, waitingSequences, waitingRequests }) =>
          runningSequences === maxSequences && waitingSequences === waiting.sequences && waitingRequests === waiting.requests,
      );
      abort.abort();
      for (const { failure } of streams) assert.ok(isCode("cancelled")(await failure));
      await until(engine, ({ runningSequences, waitingSequences }) => runningSequences === 0 && waitingSequences === 0);
    }
  });

  test("streams: the first token arrives before the last is computed", async () => {
    const seen: GenerateEvent["type"][] = [];
    let stepsAtFirst = 0;
    for await (const event of engine.generate(requestFor("tiny", { maxTokens: 300, ignoreEos: true }))) {
      if (event.type === "delta" && !seen.includes("delta")) stepsAtFirst = engine.stats().decodeSteps;
      seen.push(event.type);
    }
    assert.equal(seen.filter((type) => type === "delta").length, 300);
    assert.ok(engine.stats().decodeSteps > stepsAtFirst);
  });
});

describe("a reader that does not read", () => {
  const wide = requestFor("tiny", {
    n: 64,
    maxTokens: 60,
    ignoreEos: true,
    logprobs: 20,
    sampling: { ...greedySampling, temperature: 1 },
  });

  test("pauses its request alone, and reads what a fast reader does", async () => {
    const engine = await startEngine({ ...options, maxSequences: 128 });
    const expected: GenerateEvent[] = [];
    for await (const event of engine.generate(wide)) expected.push(event);
    const tokensBefore = engine.stats().generatedTokens;
    const slow = engine.generate(wide)[Symbol.asyncIterator]();
    const events = [(await slow.next()).value as GenerateEvent];
    let others = 0;
    const answerAnother = async (): Promise<void> => {
      others += 300;
      assert.equal((await collect(engine, requestFor("tiny", { maxTokens: 300, ignoreEos: true }))).sequences[0]!.tokenIds.length, 300);
    };
    await answerAnother();
    // Three hundred steps of another request later, what waits is a window and what one more step adds.
    const waiting = engine.stats().generatedTokens - tokensBefore - others;
    const stepBytes = expected
      .filter((event) => event.type === "delta")
      .slice(0, wide.n)
      .reduce((sum, event) => sum + bytesOf(event), 0);
    assert.ok(waiting > 0 && waiting <= wide.n * Math.ceil(windowBytes / stepBytes), `${waiting} tokens wait`);
    assert.equal(engine.stats().runningSequences, wide.n);
    await answerAnother();
    assert.equal(engine.stats().generatedTokens - tokensBefore - others, waiting);
    for (let next = await slow.next(); next.done !== true; next = await slow.next()) events.push(next.value);
    const withoutTimes = (list: GenerateEvent[]) => list.filter(({ type }) => type !== "start" && type !== "end");
    assert.deepEqual(withoutTimes(events), withoutTimes(expected));
    await engine.close();
  });

  test("frees what it holds when it leaves, though nothing else runs", async () => {
    const engine = await startEngine(options);
    const leave = new AbortController();
    const slow = engine.generate({ ...wide, maxTokens: 4000 }, leave.signal)[Symbol.asyncIterator]();
    await slow.next();
    await until(engine, ({ decodeSteps }) => decodeSteps > 0);
    let steps = -1;
    while (steps !== engine.stats().decodeSteps) {
      steps = engine.stats().decodeSteps;
      await sleep(500);
    }
    leave.abort();
    await until(engine, ({ runningSequences, kvTokensReserved }) => runningSequences === 0 && kvTokensReserved === 0);
    await engine.close();
  });
});

describe("an engine that closes", () => {
  test("fails what runs and what comes with draining, and its worker leaves", async () => {
    const { engine, worker } = await startWithWorker();
    const { begun, failure } = failureOf(engine);
    await begun;
    const tokenizing = engine.tokenize("tiny", { kind: "text", text: "x" });
    const closed = engine.close();
    await assert.rejects(tokenizing, isCode("draining"));
    assert.ok(isCode("draining")(await failure));
    await closed;
    assert.equal(await endOf(worker), 0, "the worker was killed");
    assert.ok(isCode("draining")(await failureOf(engine).failure));
    await assert.rejects(engine.tokenize("tiny", { kind: "text", text: "x" }), isCode("draining"));
    await engine.close();
  });
});

describe("an engine whose worker dies", () => {
  test("fails what ran with engine_failed, starts another, and gives the same answers", async (t) => {
    const { engine, worker } = await startWithWorker();
    const request = requestFor("tiny", { maxTokens: 20, n: 2 });
    const answer = await collect(engine, request);
    const { begun, failure } = failureOf(engine);
    await begun;
    // The worker has lived long enough to be replaced at once.
    const now = performance.now.bind(performance);
    t.mock.method(performance, "now", () => now() + 60_000);
    const replacement = nextComputeWorker();
    crash(worker);
    await assert.rejects(engine.tokenize("tiny", { kind: "text", text: "x" }), isCode("engine_failed"));
    const error = await failure;
    assert.ok(error instanceof BonsaiError && error.code === "engine_failed");
    assert.equal(engine.stats().runningSequences, 0);
    assert.ok(engine.models.length > 0);
    const refused = async (): Promise<void> => {
      const meanwhile = await failureOf(engine).failure;
      assert.ok(meanwhile instanceof BonsaiError && meanwhile.code === "loading" && meanwhile.retryAfterSeconds! > 0);
      assert.equal(engine.unavailable?.code, "loading");
    };
    await refused();
    // The new worker is not ready when it starts.
    await replacement;
    await refused();
    await ready(engine);
    assert.deepEqual({ ...(await collect(engine, request)), cachedTokens: 0 }, answer);
    assert.ok(lines.some((line) => /compute worker stopped .* started again/.test(line)));
    await engine.close();
  });

  test("right after its start does not start another at once, and can still be closed", async () => {
    const { engine, worker } = await startWithWorker();
    crash(worker);
    await endOf(worker);
    await assert.rejects(collect(engine, requestFor("tiny")), isCode("loading"));
    await engine.close();
    await assert.rejects(collect(engine, requestFor("tiny")), isCode("draining"));
  });

  test("whose model has gone is tried again, each time later, until the model is back", { timeout: 60_000 }, async () => {
    const own = join(folder, "moving");
    writeTinyModel(own);
    const told: string[] = [];
    const started = nextComputeWorker();
    const engine = await startEngine({ ...options, models: [{ id: "tiny", path: own }], log: (line) => told.push(line) });
    renameSync(own, `${own}.away`);
    crash(await started);
    const attempts = (): string[] => told.flatMap((line) => /is started again in (\S+ s)/.exec(line)?.slice(1) ?? []);
    while (attempts().length < 2) await sleep(10);
    assert.deepEqual(attempts(), ["1 s", "2 s"]);
    assert.match(told.at(-1)!, /moving/);
    assert.equal(engine.unavailable?.code, "loading");
    renameSync(`${own}.away`, own);
    await ready(engine);
    await collect(engine, requestFor("tiny"));
    await engine.close();
  });

  test("is replaced after a delay that doubles up to a minute", () => {
    assert.deepEqual([0, 1, 2, 3, 6, 7, 50, 2000].map(restartDelayMs), [0, 1000, 2000, 4000, 32_000, 60_000, 60_000, 60_000]);
  });
});

test("an engine that cannot load a model says why, and leaves no worker", async () => {
  const started = nextComputeWorker();
  await assert.rejects(startEngine({ ...options, models: [{ id: "tiny", path: join(folder, "nowhere") }] }), isCode("file_not_found"));
  await endOf(await started);
});

test("a model is prepared once, which the log tells, and then loaded as it is", async () => {
  const count = (): number => lines.filter((line) => line.startsWith("Preparing")).length;
  assert.equal(count(), 1);
  const again = await startEngine(options);
  assert.equal(count(), 1);
  await again.close();
});
