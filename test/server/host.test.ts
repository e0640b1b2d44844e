/** @file A request for another host is refused on every route, so that no page reaches the server by DNS rebinding. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { connect as connectSocket } from "node:net";
import { test } from "node:test";
import { loadConfig } from "../../src/config/load.ts";
import type { ErrorBody } from "../../src/protocol/wire/errors.ts";
import { isAllowedHost, originForm } from "../../src/server/plugins/host.ts";
import { hello, listen, startFixture } from "./fixture.ts";
import { connect } from "./socket-client.ts";

const names = ["localhost", "*.localhost", "0.0.0.0", "bonsai", "*.Example.com"];

test("IP addresses, localhost and the names that were given are allowed, with any port, case and final dot", () => {
  for (const authority of [
    "127.0.0.1",
    "127.0.0.1:8000",
    "127.0.0.1.:8000",
    "192.168.1.20:80",
    "[::1]",
    "[::1]:8000",
    "[fe80::1%25eth0]:8000",
    "[::ffff:127.0.0.1]",
    "localhost",
    "LocalHost:1",
    "localhost.",
    "localhost.:8000",
    "bonsai.localhost:8000",
    "a.b.localhost",
    "BONSAI:8000",
    "bonsai.",
    "chat.example.com",
    "localhost:",
  ])
    assert.ok(isAllowedHost(authority, names), authority);
});

test("other names are not, whatever they look like", () => {
  for (const authority of [
    "",
    ":8000",
    ".",
    "evil.example",
    "evil.example:8000",
    "localhost.evil.example",
    "127.0.0.1.evil.example",
    "evil.example#localhost",
    "localhost@evil.example",
    "evil.example:8000@localhost",
    "notlocalhost",
    ".localhost.evil.example",
    "example.com",
    "example.com.evil.example",
    "bonsai.evil.example",
    "localhost:80:80",
    "localhost:x",
    "localhost..",
    "[evil.example]",
    "[::1",
    "::1",
    "[::1].evil.example",
    "0x7f.1.evil.example",
    "localhost,evil.example",
    "localhost evil.example",
    "locаlhost",
  ])
    assert.ok(!isAllowedHost(authority, names), authority);
  assert.ok(isAllowedHost("evil.example", ["*"]));
});

const routes = [
  ["GET", "/"],
  ["GET", "/v1/models"],
  ["GET", "/v1/models/scripted"],
  ["GET", "/metrics"],
  ["GET", "/health"],
  ["GET", "/health/live"],
  ["GET", "/docs"],
  ["GET", "/docs/static/index.html"],
  ["GET", "/docs/json"],
  ["GET", "/openapi.json"],
  ["POST", "/v1/chat/completions"],
  ["GET", "/v1/chat/completions"],
  ["POST", "/v1/rewards"],
  ["GET", "/unknown"],
  ["PUT", "/v1/models"],
  ["OPTIONS", "/v1/chat/completions"],
  ["HEAD", "/metrics"],
  ["GET", "/%zz"],
  ["GET", `/v1/models/${"x".repeat(2000)}`],
] as const;

for (const config of [{}, { corsOrigin: ["*"] }, { apiKey: ["key"] }]) {
  test(`every route refuses another host with 421 and names the option (${JSON.stringify(config)})`, async (t) => {
    const { fastify } = await startFixture(t, config);
    for (const [method, url] of routes) {
      const headers = { host: "evil.example", origin: "http://evil.example", "access-control-request-method": "POST" };
      const { statusCode, body } = await fastify.inject({ method, url, headers, ...(method === "POST" ? { payload: hello } : {}) });
      assert.equal(statusCode, 421, `${method} ${url}`);
      if (method === "HEAD") continue;
      const { error } = JSON.parse(body) as ErrorBody;
      assert.deepEqual([error.code, error.param], ["host_not_allowed", "Host"]);
      assert.match(error.message, /"evil\.example".*--allowed-host/);
    }
  });
}

test("names of --allowed-host and --host are answered", async (t) => {
  const { fastify } = await startFixture(t, { host: "Models.lan", allowedHost: ["bonsai", "*.svc.cluster.local"] });
  for (const host of ["models.lan:8000", "bonsai:8000", "bonsai.chat.svc.cluster.local", "10.0.0.7:8000", "[::1]:8000"])
    assert.equal((await fastify.inject({ url: "/metrics", headers: { host } })).statusCode, 200, host);
  assert.equal((await fastify.inject({ url: "/metrics", headers: { host: "svc.cluster.local" } })).statusCode, 421);
});

test("a name with a scheme or a port is refused on the command line, with an example", () => {
  for (const name of ["http://bonsai", "bonsai:8000", "", "a*.example.com"])
    assert.throws(() => loadConfig(["--allowed-host", name], {}), /--allowed-host must be a name without scheme and port/, name);
});

test("an upgrade to WebSocket from another host is refused", async (t) => {
  const base = await listen(await startFixture(t, { corsOrigin: ["*"] }));
  for (const path of ["/v1/chat/completions", "/v1/responses", "/unknown"])
    await assert.rejects(connect(base, { path, headers: { host: "evil.example" } }), /421/);
  (await connect(base, { headers: { host: "bonsai.localhost" } })).socket.terminate();
});

test("the target's own host counts too; two Host headers are refused, and none but in HTTP/1.0", async (t) => {
  const base = await listen(await startFixture(t));
  const statusOf = async (head: string): Promise<string> => {
    const socket = connectSocket(Number(new URL(base).port), "127.0.0.1");
    let received = "";
    socket.setEncoding("utf8").on("data", (text: string) => (received += text));
    socket.write(`${head}\r\nConnection: close\r\n\r\n`);
    await once(socket, "close");
    return received.slice("HTTP/1.1 ".length, "HTTP/1.1 200".length);
  };
  for (const [head, status] of [
    ["GET /v1/models HTTP/1.1\r\nHost: localhost:1", "200"],
    ["GET http://localhost/v1/models?x=1 HTTP/1.1\r\nHost: localhost", "200"],
    ["GET http://localhost HTTP/1.1\r\nHost: localhost", "200"],
    ["GET http://evil.example/v1/models HTTP/1.1\r\nHost: localhost", "421"],
    ["GET http://localhost/v1/models HTTP/1.1\r\nHost: evil.example", "421"],
    ["GET http://evil.example HTTP/1.0", "421"],
    ["GET /v1/models HTTP/1.0", "200"],
    ["GET /v1/models HTTP/1.0\r\nHost: evil.example", "421"],
    ["GET /v1/models HTTP/1.1", "400"],
    ["GET /v1/models HTTP/1.1\r\nHost:", "421"],
    ["GET /v1/models HTTP/1.1\r\nHost: localhost\r\nHost: evil.example", "400"],
    ["OPTIONS * HTTP/1.1\r\nHost: evil.example", "421"],
    ["GET /docs HTTP/1.1\r\nHost: evil.example\r\nX-Forwarded-Host: localhost", "421"],
  ] as const)
    assert.equal(await statusOf(head), status, head);
  assert.deepEqual(["/a?b", "http://h", "http://h/a?b", "http://h?b", "*"].map(originForm), ["/a?b", "/", "/a?b", "/?b", "*"]);
});
