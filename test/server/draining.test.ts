/**
 * @file A server that is told to stop refuses new work, lets running work finish within the grace period, and cuts the
 * rest.
 */

import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { startEngine } from "../../src/engine/worker/start-engine.ts";
import type { ErrorBody } from "../../src/protocol/wire/errors.ts";
import { roomyLimits } from "../engine/answers.ts";
import { temporaryFolder } from "../fixtures/temporary-folder.ts";
import { writeTinyModel } from "../fixtures/tiny-model.ts";
import { dataOf, hello, listen, startFixture, startServer } from "./fixture.ts";

const post = async (base: string, body: object) =>
  fetch(`${base}/v1/chat/completions`, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });

test("while draining, new work gets 503 and running work finishes", async (t) => {
  let release!: () => void;
  const held = new Promise<void>((resolve) => (release = resolve));
  const fixture = await startFixture(t, { shutdownGraceSeconds: 600 }, { beforeToken: () => held });
  const base = await listen(fixture);
  const whole = post(base, hello);
  const stream = await post(base, { ...hello, stream: true });
  while (fixture.engine.stats().runningSequences < 2) await new Promise((resolve) => setTimeout(resolve, 5));
  const shutDown = fixture.shutDown();
  assert.equal((await fetch(`${base}/health/live`)).status, 200);
  for (const response of [await fetch(`${base}/health/ready`), await post(base, hello)]) {
    assert.equal(response.status, 503);
    assert.equal(((await response.json()) as ErrorBody).error.code, "draining");
  }
  release();
  assert.equal((await whole).status, 200);
  assert.equal(dataOf(await stream.text()).at(-1), "[DONE]");
  assert.equal(await shutDown, true);
  await assert.rejects(fetch(`${base}/health/live`), "the port is closed");
});

test("what runs beyond the grace period is cut: streams by an error event, others by 503", async (t) => {
  const fixture = await startFixture(t, { shutdownGraceSeconds: 0 }, { contextLength: 10_000_000 });
  const base = await listen(fixture);
  const endless = { ...hello, max_tokens: 9_000_000, ignore_eos: true };
  const whole = post(base, endless);
  const stream = await post(base, { ...endless, stream: true });
  while (fixture.engine.stats().runningSequences < 2) await new Promise((resolve) => setTimeout(resolve, 5));
  const [complete, text, answer] = await Promise.all([fixture.shutDown(), stream.text(), whole]);
  assert.equal(complete, false);
  assert.equal((JSON.parse(dataOf(text).at(-1)!) as ErrorBody).error.code, "draining");
  assert.equal(answer.status, 503);
  assert.equal(((await answer.json()) as ErrorBody).error.code, "draining");
  assert.equal(fixture.engine.stats().runningSequences, 0);
});

test("on every route the compute worker's requests that are cut end with 503 draining", async (t) => {
  const folder = temporaryFolder();
  const path = join(folder, "tiny");
  writeTinyModel(path, { contextLength: 4096 });
  const engine = await startEngine({
    ...roomyLimits,
    models: [{ id: "tiny", path }],
    quantization: "fp32",
    cacheDir: join(folder, "cache"),
    threads: 1,
    log: () => {},
  });
  t.after(() => engine.close());
  const server = await startServer(t, { shutdownGraceSeconds: 0 }, Promise.resolve(engine));
  const long = { model: "tiny", max_tokens: 4000, ignore_eos: true };
  const messages = [{ role: "user", content: "Hi" }];
  const requests: [route: string, body: object, sequences: number][] = [
    ["/v1/chat/completions", { ...long, messages }, 1],
    ["/v1/chat/completions", { ...long, messages, best_of: 4, best_of_options: { strategy: "logprob" } }, 4],
    ["/v1/completions", { ...long, prompt: ["a", "b"], n: 2 }, 4],
    ["/v1/responses", { model: "tiny", max_output_tokens: 4000, ignore_eos: true, input: "Hi" }, 1],
  ];
  const answers = requests.map(async ([url, payload]) => server.fastify.inject({ method: "POST", url, payload }));
  const sequences = requests.reduce((sum, [, , count]) => sum + count, 0);
  while (engine.stats().runningSequences < sequences) await new Promise((resolve) => setTimeout(resolve, 1));
  assert.equal(await server.shutDown(), false);
  for (const { statusCode, json } of await Promise.all(answers))
    assert.deepEqual([statusCode, json<ErrorBody>().error.code], [503, "draining"]);
});

test("a server without work stops at once, even with idle connections", async (t) => {
  const fixture = await startFixture(t, { shutdownGraceSeconds: 600 });
  const base = await listen(fixture);
  await (await fetch(`${base}/health/live`)).text();
  assert.equal(await fixture.shutDown(), true);
});
