/** @file No connection keeps a server that stops: idle ones are closed at once, the others when the grace ends. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { connect as connectSocket, type Socket } from "node:net";
import { test } from "node:test";
import type { ErrorBody } from "../../src/protocol/wire/errors.ts";
import { listen as listenAt } from "../../src/server/listen.ts";
import { hello, listen, startFixture, type Cleanup } from "./fixture.ts";
import { connect } from "./socket-client.ts";

interface RawConnection {
  socket: Socket;
  /** All that the server sent. */
  received: () => string;
  closed: Promise<unknown>;
}

/** A connection on which these bytes have been sent. */
async function openConnection(t: Cleanup, base: string, sent = ""): Promise<RawConnection> {
  const { hostname, port } = new URL(base);
  const socket = connectSocket({ host: hostname.replaceAll(/[[\]]/g, ""), port: Number(port) });
  let received = "";
  socket.setEncoding("utf8").on("data", (text: string) => (received += text));
  socket.on("error", () => undefined);
  t.after(async () => void socket.destroy());
  const closed = new Promise((resolve) => socket.once("close", resolve));
  await once(socket, "connect");
  socket.write(sent);
  return { socket, received: () => received, closed };
}

const until = async (holds: () => boolean): Promise<void> => {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 5));
};

const post = (body: object, length = JSON.stringify(body).length): string =>
  `POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: ${length}\r\n\r\n${JSON.stringify(body)}`;
const getLive = "GET /health/live HTTP/1.1\r\nhost: localhost\r\n\r\n";

test("idle connections are closed at once, and half a request is refused, while running work finishes", async (t) => {
  let release!: () => void;
  const held = new Promise<void>((resolve) => (release = resolve));
  const fixture = await startFixture(t, { shutdownGraceSeconds: 600 }, { beforeToken: () => held });
  const base = await listen(fixture);
  const running = await openConnection(t, base, post(hello));
  const silent = await openConnection(t, base);
  const afterAnAnswer = await openConnection(t, base, getLive);
  const halfAHead = await openConnection(t, base, getLive.slice(0, -5));
  const halfASecondHead = await openConnection(t, base, getLive);
  const halfABody = await openConnection(t, base, post(hello, 10_000));
  const webSocket = await connect(base);
  await until(() => fixture.engine.stats().runningSequences === 1);
  await until(() => afterAnAnswer.received().endsWith("}") && halfASecondHead.received().endsWith("}"));
  halfASecondHead.socket.write(getLive.slice(0, 30));
  await until(() => halfASecondHead.socket.bytesWritten > getLive.length);
  await (await fetch(`${base}/health/live`)).text();

  const shutDown = fixture.shutDown();
  await Promise.all([silent, afterAnAnswer, halfAHead, halfABody, halfASecondHead].map(({ closed }) => closed));
  await webSocket.ended;
  assert.equal(silent.received(), "");
  assert.equal(afterAnAnswer.received().match(/HTTP\/1\.1/g)?.length, 1);
  for (const { received } of [halfAHead, halfABody]) {
    const [head, body] = received().split("\r\n\r\n");
    assert.match(head!, /^HTTP\/1\.1 503 [^]*\r\nretry-after: 2$/);
    assert.equal((JSON.parse(body!) as ErrorBody).error.code, "draining");
  }
  release();
  assert.equal(await shutDown, true);
  await running.closed;
  assert.match(running.received(), /^HTTP\/1\.1 200 /);
});

test("connections that say nothing while the server drains are closed with it", async (t) => {
  const fixture = await startFixture(t, { shutdownGraceSeconds: 0 }, { contextLength: 10_000_000 });
  const base = await listen(fixture);
  const endless = await openConnection(t, base, post({ ...hello, max_tokens: 9_000_000, ignore_eos: true, stream: true }));
  await until(() => fixture.engine.stats().runningSequences === 1);
  const shutDown = fixture.shutDown();
  const late = await openConnection(t, base).catch(() => undefined);
  assert.equal(await shutDown, false);
  await Promise.all([endless.closed, late?.closed]);
});

test("a client that takes nothing, and half a request, end with a server that closes because its models cannot be loaded", async (t) => {
  const fixture = await startFixture(t);
  const base = await listen(fixture);
  const connections = [await openConnection(t, base), await openConnection(t, base, getLive.slice(0, 9))];
  await fixture.fastify.close();
  await Promise.all(connections.map(({ closed }) => closed));
});

test("localhost is one server at each of its addresses, all of whose connections end with it", async (t) => {
  const fixture = await startFixture(t, { shutdownGraceSeconds: 600 });
  await listenAt(fixture.fastify, "localhost", 0);
  const { port } = fixture.fastify.server.address() as { port: number };
  const closed: Promise<unknown>[] = [];
  for (const host of ["127.0.0.1", "[::1]"]) {
    const base = `http://${host}:${port}`;
    const answer = await fetch(`${base}/health/live`).catch(() => undefined);
    if (answer === undefined && host === "[::1]") continue;
    assert.equal(answer?.status, 200);
    closed.push((await openConnection(t, base)).closed, (await connect(base)).ended);
  }
  assert.equal(await fixture.shutDown(), true);
  await Promise.all(closed);
});

for (const stream of [false, true]) {
  test(`pipelined requests end with their client (stream: ${stream})`, async (t) => {
    const fixture = await startFixture(t, {}, { contextLength: 10_000_000 });
    const base = await listen(fixture);
    const endless = post({ ...hello, max_tokens: 9_000_000, ignore_eos: true, stream });
    const { socket } = await openConnection(t, base, endless.repeat(3));
    await until(() => fixture.engine.stats().runningSequences === 3);
    socket.destroy();
    await until(() => fixture.engine.stats().runningSequences === 0);
    assert.equal(fixture.lifecycle.running, 0);
    const metrics = (await fixture.fastify.inject("/metrics")).body;
    assert.match(metrics, /^bonsai_requests_total\{route="\/v1\/chat\/completions",status="499"\} 3$/m);
    assert.equal(await fixture.shutDown(), true);
  });
}
