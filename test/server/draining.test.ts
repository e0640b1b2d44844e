/**
 * @file A server that is told to stop refuses new work, lets running work finish within the grace period, and cuts the
 * rest.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { ErrorBody } from "../../src/protocol/wire/errors.ts";
import { dataOf, hello, listen, startFixture } from "./fixture.ts";

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

test("a server without work stops at once, even with idle connections", async (t) => {
  const fixture = await startFixture(t, { shutdownGraceSeconds: 600 });
  const base = await listen(fixture);
  await (await fetch(`${base}/health/live`)).text();
  assert.equal(await fixture.shutDown(), true);
});
