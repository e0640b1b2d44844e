/** @file A server whose compute worker dies: it refuses requests until the models are loaded again. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { startEngine } from "../../src/engine/worker/start-engine.ts";
import type { ErrorBody } from "../../src/protocol/wire/errors.ts";
import { roomyLimits } from "../engine/answers.ts";
import { crash, nextComputeWorker } from "../fixtures/compute-worker.ts";
import { temporaryFolder } from "../fixtures/temporary-folder.ts";
import { writeTinyModel } from "../fixtures/tiny-model.ts";
import { startServer } from "./fixture.ts";

const folder = temporaryFolder();
const path = join(folder, "tiny");
writeTinyModel(path);

test("after a crash requests get 503 and Retry-After, and readiness is 503, until the new worker is ready", async (t) => {
  const started = nextComputeWorker();
  const engine = await startEngine({
    ...roomyLimits,
    maxSequences: 2,
    maxQueuedSequences: 2,
    models: [{ id: "tiny", path }],
    quantization: "fp32",
    cacheDir: join(folder, "cache"),
    threads: 1,
    log: () => {},
  });
  t.after(() => engine.close());
  const { fastify } = await startServer(t, {}, Promise.resolve(engine));
  const payload = { model: "tiny", prompt: "Hello", max_tokens: 4 };
  const complete = async () => fastify.inject({ method: "POST", url: "/v1/completions", payload });
  assert.equal((await complete()).statusCode, 200);
  const replacement = nextComputeWorker();
  crash(await started);
  while (engine.unavailable === undefined) await new Promise((resolve) => setTimeout(resolve, 1));

  const refused = async (): Promise<void> => {
    const answers = await Promise.all([
      fastify.inject("/health/ready"),
      fastify.inject("/health"),
      ...Array.from({ length: 250 }, complete),
    ]);
    for (const { statusCode, headers, json } of answers) {
      assert.deepEqual([statusCode, json<ErrorBody>().error.code], [503, "loading"]);
      assert.ok(Number(headers["retry-after"]) >= 1);
    }
    assert.match((await fastify.inject("/metrics")).body, /^bonsai_ready 0$/m);
  };
  await refused();
  // The worker that takes its place still loads.
  await replacement;
  await refused();
  assert.equal((await fastify.inject("/health/live")).statusCode, 200);

  while (engine.unavailable !== undefined) await new Promise((resolve) => setTimeout(resolve, 1));
  assert.equal((await fastify.inject("/health/ready")).statusCode, 200);
  assert.equal((await complete()).statusCode, 200);
});
