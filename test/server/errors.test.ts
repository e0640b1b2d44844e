/** @file Every refusal has OpenAI's error body, whatever refuses: router, parser, schema or Node itself. */

import assert from "node:assert/strict";
import { connect } from "node:net";
import { after, test, type TestContext } from "node:test";
import type { InjectOptions } from "fastify";
import { registry } from "../../src/errors/registry.ts";
import type { ErrorBody } from "../../src/protocol/wire/errors.ts";
import { hello, listen, startFixture } from "./fixture.ts";

const chat = { method: "POST", url: "/v1/chat/completions" } as const;
const json = { "content-type": "application/json" };

const refused: [what: string, request: InjectOptions, status: number, code: string][] = [
  ["an unknown route", { method: "GET", url: "/v2/chat" }, 404, "not_found"],
  ["a method that the route does not know", { method: "DELETE", url: "/v1/chat/completions" }, 405, "method_not_allowed"],
  ["a body that is no JSON", { ...chat, headers: json, payload: "{" }, 400, "invalid_request"],
  ["an empty body", { ...chat, headers: json, payload: "" }, 400, "invalid_request"],
  ["no body at all", { ...chat }, 400, "invalid_request"],
  ["a body that is a list", { ...chat, headers: json, payload: "[]" }, 400, "invalid_request"],
  ["a body that is null", { ...chat, headers: json, payload: "null" }, 400, "invalid_request"],
  ["plain text", { ...chat, headers: { "content-type": "text/plain" }, payload: "hi" }, 415, "unsupported_media_type"],
  ["a form", { ...chat, headers: { "content-type": "application/x-www-form-urlencoded" }, payload: "a=b" }, 415, "unsupported_media_type"],
  ["a content type that is none", { ...chat, headers: { "content-type": "\t;;" }, payload: "{}" }, 415, "unsupported_media_type"],
  ["a prototype in the body", { ...chat, headers: json, payload: '{"__proto__": {"x": 1}, "model": "scripted"}' }, 400, "invalid_request"],
  ["a constructor in the body", { ...chat, headers: json, payload: '{"constructor": {"prototype": {"x": 1}}}' }, 400, "invalid_request"],
  [
    "a body beyond the limit",
    { ...chat, headers: json, payload: JSON.stringify({ ...hello, user: "x".repeat(3000) }) },
    413,
    "body_too_large",
  ],
  ["a path that is not well encoded", { method: "GET", url: "/v1/models/%zz" }, 400, "invalid_request"],
];

const shared = startFixture({ after }, { bodyLimitBytes: 2048 });

for (const [what, request, status, code] of refused) {
  test(`${what} is answered ${status} ${code}`, async () => {
    const { fastify } = await shared;
    const response = await fastify.inject(request);
    assert.equal(response.statusCode, status, response.body);
    const { error } = response.json<ErrorBody>();
    assert.deepEqual(Object.keys(error).toSorted(), ["code", "message", "param", "type"]);
    assert.equal(error.code, code);
    assert.equal(error.type, registry[code as keyof typeof registry].type);
    assert.match(response.headers["content-type"] as string, /^application\/json/);
    assert.ok(response.headers["x-request-id"] !== undefined || what.includes("encoded"));
  });
}

test("a wrong method is told the right ones, and OPTIONS asks for them", async (t) => {
  const { fastify } = await startFixture(t);
  assert.equal((await fastify.inject({ method: "DELETE", url: "/v1/models/scripted" })).headers.allow, "GET, HEAD, OPTIONS");
  const options = await fastify.inject({ method: "OPTIONS", url: "/v1/chat/completions" });
  assert.deepEqual([options.statusCode, options.headers.allow, options.body], [204, "GET, HEAD, OPTIONS, POST", ""]);
});

test("HEAD answers as GET does, without a body", async (t) => {
  const { fastify } = await startFixture(t);
  const response = await fastify.inject({ method: "HEAD", url: "/v1/models" });
  assert.deepEqual([response.statusCode, response.body], [200, ""]);
});

test("a body that is not UTF-8, or is nested too deeply, is refused on every route that takes one", async (t) => {
  const { fastify, engine } = await startFixture(t);
  const headers = { "content-type": "application/json" };
  const latin = Buffer.from(JSON.stringify({ ...hello, messages: [{ role: "user", content: "Grüße" }] }), "latin1");
  const utf16 = Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from(JSON.stringify(hello), "utf16le")]);
  const deep = JSON.stringify(hello).replace("{", `{"metadata":${"[".repeat(500_000)}${"]".repeat(500_000)},`);
  for (const url of ["chat/completions", "completions", "responses", "rewards", "rerank"].map((name) => `/v1/${name}`)) {
    for (const [payload, message] of [
      [latin, /not UTF-8/],
      [utf16, /not UTF-8/],
      [deep, /nested more than/],
    ] as const) {
      const response = await fastify.inject({ method: "POST", url, headers, payload });
      const { error } = response.json<ErrorBody>();
      assert.deepEqual([response.statusCode, error.code], [400, "invalid_request"], url);
      assert.match(error.message, message);
    }
  }
  assert.equal(engine.requests.length, 0);
  const marked = Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), Buffer.from(JSON.stringify(hello))]);
  const answer = await fastify.inject({ method: "POST", url: "/v1/chat/completions", headers, payload: marked });
  assert.equal(answer.statusCode, 200, "a byte order mark is not part of the text");
});

/** Writes bytes to the server and gives all that comes back until it closes. */
async function exchange(t: TestContext, base: string, text: string): Promise<string> {
  const socket = connect(Number(new URL(base).port), "127.0.0.1");
  t.after(() => socket.destroy());
  socket.write(text);
  let answer = "";
  for await (const chunk of socket) answer += String(chunk);
  return answer;
}

test("what is no HTTP, and a head beyond the limit, are answered by the parser in the same shape", async (t) => {
  const base = await listen(await startFixture(t, { headerLimitBytes: 2048 }));
  for (const [text, status] of [
    ["hello\r\n\r\n", 400],
    [`GET / HTTP/1.1\r\nHost: localhost\r\nX-Long: ${"x".repeat(4096)}\r\n\r\n`, 431],
  ] as const) {
    const answer = await exchange(t, base, text);
    assert.ok(answer.startsWith(`HTTP/1.1 ${status} `), answer);
    assert.equal((JSON.parse(answer.slice(answer.indexOf("\r\n\r\n") + 4)) as ErrorBody).error.code, "invalid_request");
  }
});

test("a request that does not arrive in time is answered 408", async (t) => {
  const fixture = await startFixture(t, { requestTimeoutSeconds: 1 });
  const base = await listen(fixture);
  const answer = await exchange(
    t,
    base,
    "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{",
  );
  assert.ok(answer.startsWith("HTTP/1.1 408 "), answer);
  assert.match(answer, /"code":"request_timeout"/);
});

test("a request id of the client comes back, unless it could harm the log", async (t) => {
  const { fastify } = await startFixture(t);
  const id = async (given: string) =>
    (await fastify.inject({ url: "/health/live", headers: { "x-request-id": given } })).headers["x-request-id"];
  assert.equal(await id("trace-1.a_B"), "trace-1.a_B");
  for (const bad of ["a b", "x".repeat(129), '{"a":1}']) assert.match(String(await id(bad)), /^[0-9a-f-]{36}$/);
});
