/** @file Browser pages of other origins may call the server only when they are listed. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { startFixture } from "./fixture.ts";

const preflight = (origin: string) =>
  ({
    method: "OPTIONS",
    url: "/v1/chat/completions",
    headers: { origin, "access-control-request-method": "POST", "access-control-request-headers": "authorization,content-type" },
  }) as const;

test("by default no answer carries a CORS header", async (t) => {
  const { fastify } = await startFixture(t);
  for (const request of [preflight("https://evil.example"), { url: "/v1/models", headers: { origin: "https://evil.example" } }]) {
    const { headers } = await fastify.inject(request);
    assert.equal(headers["access-control-allow-origin"], undefined);
  }
});

test("a listed origin passes the preflight without a key, and another does not get its name back", async (t) => {
  const { fastify } = await startFixture(t, { corsOrigin: ["https://app.example"], apiKey: ["k"] });
  const allowed = await fastify.inject(preflight("https://app.example"));
  assert.deepEqual([allowed.statusCode, allowed.headers["access-control-allow-origin"]], [204, "https://app.example"]);
  assert.match(allowed.headers["access-control-allow-headers"] as string, /authorization/);
  assert.equal(allowed.headers["access-control-allow-credentials"], undefined);
  const other = await fastify.inject(preflight("https://evil.example"));
  assert.equal(other.headers["access-control-allow-origin"], undefined);
  const call = await fastify.inject({ url: "/v1/models", headers: { origin: "https://app.example", authorization: "Bearer k" } });
  assert.equal(call.headers["access-control-allow-origin"], "https://app.example");
});

test("paths and methods that do not exist are told apart as without --cors-origin", async (t) => {
  for (const corsOrigin of [[], ["*"], ["https://app.example"]]) {
    const { fastify } = await startFixture(t, { corsOrigin });
    for (const [method, url, status] of [
      ["GET", "/v1/unknown", 404],
      ["POST", "/unknown", 404],
      ["DELETE", "/", 405],
      ["GET", "/v1/rewards", 405],
    ] as const)
      assert.equal((await fastify.inject({ method, url })).statusCode, status, `${method} ${url} with ${String(corsOrigin)}`);
  }
});

test("a refused call is still marked for the listed origin, so that the page can read why", async (t) => {
  const { fastify } = await startFixture(t, { corsOrigin: ["https://app.example"], apiKey: ["k"] });
  const refused = await fastify.inject({ url: "/v1/models", headers: { origin: "https://app.example" } });
  assert.deepEqual([refused.statusCode, refused.headers["access-control-allow-origin"]], [401, "https://app.example"]);
});
