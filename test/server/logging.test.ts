/** @file The log tells of every answer and never of prompts, answers or keys, unless prompts are asked for. */

import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import type { Config } from "../../src/config/options.ts";
import { startFixture } from "./fixture.ts";
import type { ScriptedEngineOptions } from "./scripted-engine.ts";

/** All that the server writes while some requests with a secret in every place run. */
async function logOf(t: TestContext, config: Partial<Config>, engine: ScriptedEngineOptions = {}): Promise<string> {
  const lines: string[] = [];
  const log = { write: (line: string) => void lines.push(line) };
  const { fastify } = await startFixture(t, { logLevel: "trace", apiKey: ["sk-SECRET"], ...config }, engine, log);
  const headers = { authorization: "Bearer sk-SECRET", "content-type": "application/json" };
  const body = { model: "scripted", messages: [{ role: "user", content: "SECRET" }], seed: 1 };
  for (const payload of [
    body,
    { ...body, stream: true },
    { ...body, SECRETS: 1 },
    { ...body, temperature: "SECRET" },
    { ...body, model: "SECRET" },
  ].map((value) => JSON.stringify(value))) {
    await fastify.inject({ method: "POST", url: "/v1/chat/completions", headers, payload });
  }
  await fastify.inject({ method: "POST", url: "/v1/chat/completions", headers, payload: '{"SECRET" SECRET' });
  await fastify.inject({ url: "/v1/models?key=SECRET", headers: { authorization: "Bearer sk-SECRET-2" } });
  await fastify.inject({ url: "/unknown/SECRET", headers });
  return lines.join("");
}

test("no line holds a prompt, an answer, a query or a key, at any level", async (t) => {
  const log = await logOf(t, {});
  assert.match(log, /"route":"\/v1\/chat\/completions","status":200/);
  assert.match(log, /"code":"unsupported_field"/);
  // The name of an unknown field is told, since it is what was wrong with the request.
  assert.deepEqual(
    [...log.matchAll(/\S*SECRET\S*/g)].filter(([text]) => !text.includes('"param":"SECRETS"')),
    [],
  );
  assert.doesNotMatch(log, /bear|little one/);
});

test("a bug is logged with its stack and without the prompt", async (t) => {
  const log = await logOf(t, {}, { failure: { position: 1, error: new Error("broken") } });
  assert.match(log, /"code":"internal".*broken/);
  assert.deepEqual(
    [...log.matchAll(/\S*SECRET\S*/g)].filter(([text]) => !text.includes('"param":"SECRETS"')),
    [],
  );
});

test("prompts are logged when asked for, keys not even then", async (t) => {
  const log = await logOf(t, { logPrompts: true });
  assert.match(log, /"content":"SECRET"/);
  assert.doesNotMatch(log, /sk-SECRET/);
});
