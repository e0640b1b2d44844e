/** @file With keys configured every route asks for one, but for the health routes; without, none does. */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import type { ErrorBody } from "../../src/protocol/wire/errors.ts";
import { isKnownKey, presentedKey } from "../../src/server/plugins/authentication.ts";
import { hello, startFixture } from "./fixture.ts";

const config = { apiKey: ["sk-first", "sk-second"] };
const bearer = (key: string) => ({ authorization: `Bearer ${key}` });

test("every route but health refuses a request without a key, unknown ones too", async (t) => {
  const { fastify, engine } = await startFixture(t, config);
  const routes = [
    "/v1/models",
    "/v1/models/scripted",
    "/v1/models/org/scripted",
    "/metrics",
    "/docs",
    "/docs/static/index.html",
    "/docs/json",
    "/openapi.json",
    "/unknown",
  ];
  for (const url of routes) {
    const response = await fastify.inject(url);
    assert.deepEqual([response.statusCode, response.json<ErrorBody>().error.code], [401, "invalid_api_key"], url);
    assert.match(response.headers["www-authenticate"] as string, /^(Bearer|Basic) realm=/);
  }
  for (const url of ["/v1/chat/completions", "/v1/completions"]) {
    assert.equal((await fastify.inject({ method: "POST", url, payload: hello })).statusCode, 401);
    assert.equal(
      (await fastify.inject({ method: "POST", url, payload: "{", headers: { "content-type": "application/json" } })).statusCode,
      401,
      "refused before the body is read",
    );
  }
  for (const url of ["/health/live", "/health/ready", "/health"]) assert.equal((await fastify.inject(url)).statusCode, 200);
  assert.equal(engine.requests.length, 0);
});

test("each of the keys opens, and nothing near them does", async (t) => {
  const { fastify } = await startFixture(t, config);
  const status = async (headers: Record<string, string>) => (await fastify.inject({ url: "/v1/models", headers })).statusCode;
  for (const key of config.apiKey) assert.equal(await status(bearer(key)), 200);
  assert.equal(await status({ authorization: "bearer sk-first" }), 200);
  for (const authorization of [
    "Bearer sk-firs",
    "Bearer sk-firstt",
    "Bearer SK-FIRST",
    "Bearer",
    "Bearer ",
    "sk-first",
    "Basic c2stZmlyc3Q=",
    `Basic ${btoa("user:sk-first")}`,
    "Bearer sk-first sk-first",
  ]) {
    assert.equal(await status({ authorization }), 401, authorization);
  }
  assert.equal(await status({ "x-api-key": "sk-first" }), 401);
});

test("a browser opens the documentation with the key as password", async (t) => {
  const { fastify } = await startFixture(t, config);
  const headers = { authorization: `Basic ${btoa("anyone:sk-second")}` };
  for (const url of ["/docs", "/openapi.json", "/docs/json"]) assert.equal((await fastify.inject({ url, headers })).statusCode, 200, url);
  assert.equal((await fastify.inject({ url: "/v1/models", headers })).statusCode, 401);
  assert.equal((await fastify.inject({ url: "/docsy", headers })).statusCode, 401);
});

test("without keys nothing is asked for", async (t) => {
  const { fastify } = await startFixture(t);
  assert.equal((await fastify.inject("/v1/models")).statusCode, 200);
  assert.equal((await fastify.inject({ url: "/v1/models", headers: bearer("anything") })).statusCode, 200);
});

test("a key is known exactly when it is one of the keys", () => {
  const digest = (key: string) => createHash("sha256").update(key).digest();
  fc.assert(
    fc.property(fc.array(fc.string(), { maxLength: 5 }), fc.string(), (keys, key) => {
      assert.equal(
        isKnownKey(key, keys.map(digest)),
        keys.map((other) => digest(other).toString("hex")).includes(digest(key).toString("hex")),
      );
      for (const known of keys) assert.equal(isKnownKey(known, keys.map(digest)), true);
    }),
  );
});

test("no Authorization header makes its reader fail", () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.string().map((text) => `Basic ${text}`),
      ),
      fc.boolean(),
      (header, allowsBasic) => {
        const key = presentedKey(header, allowsBasic);
        assert.ok(key === undefined || typeof key === "string");
      },
    ),
  );
});
