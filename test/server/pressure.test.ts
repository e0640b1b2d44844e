/** @file While the event loop lags, new generations are refused and everything else is answered. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { ErrorBody } from "../../src/protocol/wire/errors.ts";
import { hello, startFixture } from "./fixture.ts";

/** Keeps the event loop busy, as a bug would. */
function block(milliseconds: number): void {
  const end = performance.now() + milliseconds;
  while (performance.now() < end);
}

test("a lagging event loop refuses generations with 429 and Retry-After, and recovers", async (t) => {
  const { fastify } = await startFixture(t, { maxEventLoopDelayMs: 50 });
  const chat = async () => fastify.inject({ method: "POST", url: "/v1/chat/completions", payload: hello });
  let response = await chat();
  while (response.statusCode === 200) {
    block(200);
    await new Promise((resolve) => setTimeout(resolve, 1));
    response = await chat();
  }
  assert.equal(response.statusCode, 429);
  assert.equal(response.headers["retry-after"], "1");
  assert.equal(response.json<ErrorBody>().error.code, "overloaded");
  for (const url of ["/health/live", "/health/ready", "/metrics", "/v1/models"])
    assert.equal((await fastify.inject(url)).statusCode, 200, url);
  while ((await chat()).statusCode !== 200) await new Promise((resolve) => setTimeout(resolve, 20));
});
