/** @file Models, health, metrics, the OpenAPI document and the pages of /docs. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { Router } from "../../src/engine/router.ts";
import type { Engine } from "../../src/engine/contract/request.ts";
import type { ErrorBody } from "../../src/protocol/wire/errors.ts";
import type { Model, ModelList } from "../../src/protocol/wire/models.ts";
import { hello, startFixture, startServer } from "./fixture.ts";

test("models are listed and found by id, with slashes encoded or not", async (t) => {
  const { fastify } = await startFixture(t);
  const list = (await fastify.inject("/v1/models")).json<ModelList>();
  assert.deepEqual(
    list.data.map((model) => model.id),
    ["scripted", "org/scripted", "no-template", "reward"],
  );
  for (const url of ["/v1/models/org/scripted", "/v1/models/org%2Fscripted"]) {
    assert.equal((await fastify.inject(url)).json<Model>().id, "org/scripted");
  }
  const missing = await fastify.inject("/v1/models/none");
  assert.deepEqual([missing.statusCode, missing.json<ErrorBody>().error.code], [404, "model_not_found"]);
  assert.equal((await fastify.inject(`/v1/models/${"x".repeat(900)}`)).statusCode, 404);
});

test("until the models have loaded, all but liveness answers 503 with Retry-After", async (t) => {
  let load!: (engine: Engine) => void;
  const { fastify } = await startServer(t, {}, new Promise<Engine>((resolve) => (load = resolve)));
  assert.equal((await fastify.inject("/health/live")).statusCode, 200);
  for (const request of [
    { method: "GET", url: "/health/ready" },
    { method: "GET", url: "/health" },
    { method: "GET", url: "/v1/models" },
    { method: "POST", url: "/v1/chat/completions", payload: hello },
  ] as const) {
    const response = await fastify.inject(request);
    assert.deepEqual([response.statusCode, response.json<ErrorBody>().error.code], [503, "loading"]);
    assert.equal(response.headers["retry-after"], "2");
  }
  assert.match((await fastify.inject("/metrics")).body, /^bonsai_ready 0$/m);
  const { engine } = await startFixture(t);
  load(new Router([engine]));
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual((await fastify.inject("/health/ready")).json(), { status: "ready" });
});

test("when the models cannot be loaded readiness says so", async (t) => {
  const { fastify } = await startServer(t, {}, Promise.reject(new Error("no model")));
  const response = await fastify.inject("/health");
  assert.deepEqual([response.statusCode, response.json<ErrorBody>().error.code], [503, "engine_failed"]);
});

test("metrics count answers by route and status, latencies and the engine's own counters", async (t) => {
  const { fastify, engine } = await startFixture(t);
  await fastify.inject({ method: "POST", url: "/v1/chat/completions", payload: { ...hello, n: 2, max_tokens: 10 } });
  await fastify.inject({ method: "POST", url: "/v1/chat/completions", payload: { ...hello, n: 0 } });
  await fastify.inject("/v1/models/none");
  await fastify.inject("/unknown/path");
  const { body, headers } = await fastify.inject("/metrics");
  assert.match(headers["content-type"] as string, /^text\/plain; version=0\.0\.4/);
  const stats = engine.stats();
  for (const line of [
    'bonsai_requests_total{route="/v1/chat/completions",status="200"} 1',
    'bonsai_requests_total{route="/v1/chat/completions",status="400"} 1',
    'bonsai_requests_total{route="/v1/models/:id",status="404"} 1',
    'bonsai_requests_total{route="unmatched",status="404"} 1',
    'bonsai_time_to_first_token_seconds_count{model="scripted"} 1',
    'bonsai_inter_token_seconds_count{model="scripted"} 18',
    `bonsai_generated_tokens_total ${stats.generatedTokens}`,
    `bonsai_decode_rows_total ${stats.decodeRows}`,
    `bonsai_prompt_tokens_total ${stats.promptTokens}`,
    "bonsai_sequences_running 0",
    "bonsai_ready 1",
  ]) {
    assert.ok(body.includes(`${line}\n`), `${line} in\n${body}`);
  }
  assert.match(body, /^process_resident_memory_bytes \d/m);
  assert.match(body, /^nodejs_eventloop_lag_seconds \d/m);
});

test("the OpenAPI document states every route and the configured limits", async (t) => {
  const { fastify } = await startFixture(t, { maxN: 7 });
  const document = (await fastify.inject("/openapi.json")).json<{
    openapi: string;
    paths: Record<
      string,
      Record<string, { requestBody?: { content: Record<string, { schema: { properties: Record<string, { maximum?: number }> } }> } }>
    >;
  }>();
  assert.match(document.openapi, /^3\.1/);
  assert.deepEqual(Object.keys(document.paths).toSorted(), [
    "/",
    "/health",
    "/health/live",
    "/health/ready",
    "/metrics",
    "/v1/chat/completions",
    "/v1/completions",
    "/v1/models",
    "/v1/models/{id}",
    "/v1/rerank",
    "/v1/responses",
    "/v1/rewards",
  ]);
  assert.equal(
    document.paths["/v1/chat/completions"]!["post"]!.requestBody!.content["application/json"]!.schema.properties["n"]!.maximum,
    7,
  );
});

test("Swagger UI loads nothing from elsewhere", async (t) => {
  const { fastify } = await startFixture(t);
  const page = await fastify.inject("/docs");
  assert.equal(page.statusCode, 200);
  const sources = [...page.body.matchAll(/(?:src|href)="([^"]+)"/g)].map((match) => match[1]!);
  assert.ok(sources.length > 3);
  for (const source of sources) {
    assert.ok(source.startsWith("/docs/"), source);
    assert.equal((await fastify.inject(source)).statusCode, 200, source);
  }
  assert.match(page.headers["content-security-policy"] as string, /default-src 'self'/);
});

test("the root tells programs and people where to go on, and nothing of the version where a key is asked for", async (t) => {
  const open = (await startFixture(t)).fastify;
  const root = (await open.inject("/")).json<{ name: string; version: string; try: string }>();
  assert.deepEqual([root.name, root.version], ["Bonsai", "0.0.0-test"]);
  assert.match(root.try, /^curl http:\/\/localhost:80\/v1\/models$/);
  const anyName = (await startFixture(t, { allowedHost: ["*"] })).fastify;
  const page = await anyName.inject({ url: "/", headers: { accept: "text/html,*/*", host: "<script>" } });
  assert.match(page.headers["content-type"] as string, /^text\/html/);
  assert.match(page.body, /href="\/docs"/);
  assert.doesNotMatch(page.body, /<script>/);
  const guarded = await (await startFixture(t, { apiKey: ["secret"] })).fastify.inject("/");
  assert.equal(guarded.statusCode, 200);
  assert.doesNotMatch(guarded.body, /0\.0\.0-test|scripted|secret/);
});
