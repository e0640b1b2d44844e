/**
 * @file Event streams over real sockets: their form, back-pressure, errors on the way, and clients that leave or stall.
 */

import assert from "node:assert/strict";
import { request as httpRequest, type IncomingMessage } from "node:http";
import { test } from "node:test";
import { BonsaiError } from "../../src/errors/bonsai-error.ts";
import type { ChatCompletionChunk } from "../../src/protocol/wire/chat/response.ts";
import type { ErrorBody } from "../../src/protocol/wire/errors.ts";
import { eventStreamText } from "../../src/server/generation/server-sent-events.ts";
import { dataOf, hello, listen, startFixture } from "./fixture.ts";

const post = async (base: string, body: object, signal?: AbortSignal) =>
  fetch(`${base}/v1/chat/completions`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
    ...(signal === undefined ? {} : { signal }),
  });

/** Opens a stream and hands over the response without reading it. */
async function openStream(base: string, body: object): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(
      `${base}/v1/chat/completions`,
      { method: "POST", headers: { "content-type": "application/json" } },
      resolve,
    );
    request.on("error", reject);
    request.end(JSON.stringify(body));
  });
}

const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 5));

/** Waits, without a limit of its own, until something holds. */
async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await turn();
}

test("a stream is events of one line each and ends with [DONE]", async (t) => {
  const base = await listen(await startFixture(t));
  const response = await post(base, { ...hello, stream: true, seed: 2, stream_options: { include_usage: true } });
  assert.equal(response.headers.get("content-type"), "text/event-stream; charset=utf-8");
  assert.equal(response.headers.get("cache-control"), "no-cache");
  const text = await response.text();
  assert.ok(text.endsWith("\n\n"));
  for (const event of text.split("\n\n").slice(0, -1)) assert.match(event, /^data: [^\n]+$/);
  const data = dataOf(text);
  assert.equal(data.at(-1), "[DONE]");
  const chunks = data.slice(0, -1).map((line) => JSON.parse(line) as ChatCompletionChunk);
  assert.equal(new Set(chunks.map((chunk) => chunk.id)).size, 1);
  const whole = (await (await post(base, { ...hello, seed: 2 })).json()) as { choices: { message: { content: string } }[] };
  assert.equal(chunks.map((chunk) => chunk.choices[0]?.delta.content ?? "").join(""), whole.choices[0]!.message.content);
});

test("a refusal before the first event is an ordinary error answer", async (t) => {
  const base = await listen(await startFixture(t));
  const response = await post(base, { ...hello, stream: true, messages: [{ role: "user", content: "x".repeat(5000) }] });
  assert.equal(response.status, 400);
  assert.equal(((await response.json()) as ErrorBody).error.code, "context_length_exceeded");
});

test("a failure after the first event is an error event in place of [DONE]", async (t) => {
  for (const [error, code] of [
    [new Error("private detail"), "internal"],
    [new BonsaiError("engine_failed", "The compute worker stopped."), "engine_failed"],
  ] as const) {
    const base = await listen(await startFixture(t, {}, { failure: { position: 3, error } }));
    const response = await post(base, { ...hello, stream: true });
    assert.equal(response.status, 200);
    const data = dataOf(await response.text());
    assert.equal((JSON.parse(data.at(-1)!) as ErrorBody).error.code, code);
    assert.ok(!data.includes("[DONE]"));
    assert.doesNotMatch(data.join(""), /private/);
  }
});

test("a client that does not read pauses its generation, and what waits for it stays bounded", async (t) => {
  const fixture = await startFixture(t, {}, { contextLength: 10_000_000 });
  const base = await listen(fixture);
  const response = await openStream(base, { ...hello, stream: true, max_tokens: 1_000_000, ignore_eos: true, n: 4 });
  response.pause();
  const produced = (): number => fixture.engine.stats().generatedTokens;
  // Production has stopped when many turns of the loop bring no token.
  let before = -1;
  for (let quiet = 0; quiet < 40; quiet = produced() === before ? quiet + 1 : 0) {
    before = produced();
    await turn();
  }
  const paused = produced();
  assert.ok(paused < 1_000_000, `${paused} tokens were produced for a client that reads nothing`);
  // Another client is served meanwhile.
  assert.equal((await post(base, hello)).status, 200);
  const alone = produced();
  response.resume();
  await until(() => produced() > alone + 100);
  response.destroy();
  await until(() => fixture.engine.stats().runningSequences === 0);
});

test("a streaming client that leaves frees its sequences", async (t) => {
  const fixture = await startFixture(t, {}, { contextLength: 10_000_000 });
  const base = await listen(fixture);
  const abort = new AbortController();
  const response = await post(base, { ...hello, stream: true, n: 5, max_tokens: 1_000_000, ignore_eos: true }, abort.signal);
  await response.body!.getReader().read();
  assert.equal(fixture.engine.stats().runningSequences, 5);
  abort.abort();
  await until(() => fixture.engine.stats().runningSequences === 0);
  await until(() => fixture.lifecycle.running === 0);
  const counted = 'bonsai_requests_total{route="/v1/chat/completions",status="499"} 1';
  while (!(await fixture.fastify.inject("/metrics")).body.includes(counted)) await turn();
});

test("a client that waits for a whole answer and leaves frees its sequences", async (t) => {
  const fixture = await startFixture(t, {}, { contextLength: 10_000_000 });
  const base = await listen(fixture);
  const abort = new AbortController();
  const answer = post(base, { ...hello, n: 3, max_tokens: 1_000_000, ignore_eos: true }, abort.signal);
  await until(() => fixture.engine.stats().runningSequences === 3);
  abort.abort();
  await assert.rejects(answer);
  await until(() => fixture.engine.stats().runningSequences === 0);
});

test("a client that leaves while it waits in the queue leaves the queue", async (t) => {
  let release!: () => void;
  const held = new Promise<void>((resolve) => (release = resolve));
  const fixture = await startFixture(t, {}, { maxSequences: 1, beforeToken: () => held });
  const base = await listen(fixture);
  const running = post(base, hello);
  await until(() => fixture.engine.stats().runningSequences === 1);
  const abort = new AbortController();
  const waiting = post(base, { ...hello, stream: true }, abort.signal);
  await until(() => fixture.engine.stats().waitingSequences === 1);
  abort.abort();
  await assert.rejects(waiting);
  await until(() => fixture.engine.stats().waitingSequences === 0);
  release();
  assert.equal((await running).status, 200);
});

test("a client that takes nothing for the stall timeout is dropped and its sequences freed", async (t) => {
  const fixture = await startFixture(t, { streamStallTimeoutSeconds: 1 }, { contextLength: 10_000_000 });
  const base = await listen(fixture);
  const response = await openStream(base, { ...hello, stream: true, max_tokens: 1_000_000, ignore_eos: true, n: 8 });
  response.on("error", () => undefined);
  response.pause();
  await until(() => fixture.engine.stats().runningSequences === 0 && fixture.engine.requests.length === 1);
});

test("silence is filled with comments, and the events that follow arrive whole", async () => {
  let release!: () => void;
  const held = new Promise<void>((resolve) => (release = resolve));
  async function* events() {
    yield { text: "one" };
    await held;
    yield { text: "two" };
  }
  const iterator = events();
  const texts: string[] = [];
  const options = {
    controller: new AbortController(),
    keepAliveMs: 5,
    stallTimeoutMs: 60_000,
    reportFailure: (failure: unknown) => failure as BonsaiError,
  };
  for await (const text of eventStreamText(iterator, iterator.next(), (event) => [event], options)) {
    texts.push(text);
    if (texts.length === 4) release();
  }
  assert.equal(texts[0], 'data: {"text":"one"}\n\n');
  assert.deepEqual(texts.slice(1, 4), Array(3).fill(": keep-alive\n\n"));
  assert.deepEqual(
    texts.filter((text) => !text.startsWith(":")),
    ['data: {"text":"one"}\n\n', 'data: {"text":"two"}\n\n', "data: [DONE]\n\n"],
  );
});

test("many clients at once each get the answer that they get alone", async (t) => {
  const base = await listen(await startFixture(t, {}, { maxSequences: 8 }));
  const answer = async (seed: number, stream: boolean): Promise<string> => {
    const response = await post(base, { ...hello, seed, stream });
    if (!stream) return ((await response.json()) as { choices: { message: { content: string } }[] }).choices[0]!.message.content;
    const data = dataOf(await response.text()).slice(0, -1);
    return data.map((line) => (JSON.parse(line) as ChatCompletionChunk).choices[0]!.delta.content ?? "").join("");
  };
  const together = await Promise.all(Array.from({ length: 24 }, (_, seed) => answer(seed, seed % 2 === 0)));
  for (const [seed, text] of together.entries()) assert.equal(text, await answer(seed, seed % 2 === 1));
});
