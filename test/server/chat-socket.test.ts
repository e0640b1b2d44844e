/**
 * @file Chats over WebSocket: what is streamed, side by side and cancelled, and that every failure ends what it should
 * and nothing else.
 */

import assert from "node:assert/strict";
import { connect as connectTcp, type Socket } from "node:net";
import { test } from "node:test";
import type { ChatCompletion } from "../../src/protocol/wire/chat/response.ts";
import { hello, listen, startFixture } from "./fixture.ts";
import { connect, isDone, refusal, textOf, type Frame } from "./socket-client.ts";

const create = (streamId: string, fields: object = {}) => ({ type: "chat.completion.create", stream_id: streamId, ...hello, ...fields });
const cancel = (streamId: string) => ({ type: "chat.completion.cancel", stream_id: streamId });
const endless = { max_tokens: 9_000_000, ignore_eos: true };
const long = { contextLength: 10_000_000 };
const errorOf = (frame: Frame) => frame["error"] as { code: string; param: string | null; message: string };

const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 5));
async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await turn();
}

async function post(base: string, fields: object): Promise<ChatCompletion> {
  const response = await fetch(`${base}/v1/chat/completions`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ ...hello, ...fields }),
  });
  return (await response.json()) as ChatCompletion;
}

test("a stream is the answer that HTTP gives for the same seed, and ends with its usage", async (t) => {
  const base = await listen(await startFixture(t));
  const client = await connect(base);
  for (const fields of [{ seed: 3 }, { seed: 4, n: 3 }, { seed: 5, logprobs: true, top_logprobs: 2 }]) {
    const whole = await post(base, fields);
    client.send(create("a", fields));
    const frames = await client.until(isDone("a"));
    for (const choice of whole.choices) assert.equal(textOf(frames, "a", choice.index), choice.message.content);
    const done = frames.at(-1)!;
    assert.equal(done.type, "chat.completion.done");
    assert.deepEqual(done["usage"], whole.usage);
    const reasons = frames.flatMap((frame) => (frame["choices"] as { finish_reason: string | null }[] | undefined) ?? []);
    assert.deepEqual(reasons.map(({ finish_reason: reason }) => reason).filter((reason) => reason !== null).length, whole.choices.length);
    assert.equal(new Set(frames.map((frame) => frame["id"])).size, 1);
  }
  client.socket.close();
  assert.equal((await client.ended).code, 1005);
});

test("streams of one connection run side by side, each as it runs alone", async (t) => {
  const base = await listen(await startFixture(t));
  const client = await connect(base);
  const ids = Array.from({ length: 8 }, (_, seed) => `stream ${seed}`);
  for (const [seed, id] of ids.entries()) client.send(create(id, { seed }));
  const open = new Set(ids);
  const frames = await client.until((frame) => {
    if (frame.type === "chat.completion.done") open.delete(frame.stream_id!);
    return open.size === 0;
  });
  const ends = frames.flatMap(({ type }, place) => (type === "chat.completion.done" ? [place] : []));
  const starts = ids.map((id) => frames.findIndex((frame) => frame.stream_id === id));
  assert.ok(Math.max(...starts) < Math.min(...ends), "all had begun before the first ended");
  for (const [seed, id] of ids.entries()) assert.equal(textOf(frames, id), (await post(base, { seed })).choices[0]!.message.content);
});

test("Best-of-N tells how far its candidates are, then the winner that HTTP gives, then what it cost", async (t) => {
  const base = await listen(await startFixture(t));
  const client = await connect(base);
  const fields = { best_of: 6, seed: 2, best_of_options: { return_candidates: true } };
  const whole = await post(base, fields);
  client.send(create("b", fields));
  const frames = await client.until(isDone("b"));
  const progress = frames.filter(({ type }) => type === "chat.completion.progress");
  assert.ok(progress.length > 0);
  assert.equal((progress[0]!["best_of"] as { candidates: unknown[] }).candidates.length, 6);
  const types = frames.map(({ type }) => type);
  assert.ok(types.lastIndexOf("chat.completion.progress") < types.indexOf("chat.completion.chunk"));
  assert.equal(textOf(frames, "b"), whole.choices[0]!.message.content);
  const { timings_ms: _, ...report } = frames.at(-1)!["best_of"] as NonNullable<ChatCompletion["best_of"]>;
  const { timings_ms: __, ...expected } = whole.best_of!;
  assert.deepEqual(report, expected);
  assert.deepEqual(frames.at(-1)!["usage"], whole.usage);
});

test("cancelling a stream frees its rows, confirms it, and leaves the others as they are", async (t) => {
  const fixture = await startFixture(t, {}, long);
  const base = await listen(fixture);
  const client = await connect(base);
  client.send(create("endless", { ...endless, n: 5 }));
  await client.next();
  assert.equal(fixture.engine.stats().runningSequences, 5);
  client.send(create("other", { seed: 3 }));
  client.send(cancel("endless"));
  const frames = await client.until(isDone("endless"));
  assert.equal(errorOf(frames.at(-1)!).code, "cancelled");
  if (!frames.some(isDone("other"))) frames.push(...(await client.until(isDone("other"))));
  assert.equal(textOf(frames, "other"), (await post(base, { seed: 3 })).choices[0]!.message.content);
  await until(() => fixture.engine.stats().runningSequences === 0);
  client.send(cancel("endless"));
  client.send(create("endless", { seed: 4 }));
  const again = await client.until(isDone("endless"));
  assert.equal(again.at(-1)!.type, "chat.completion.done", "the name is free again, and cancelling what has ended does nothing");
});

test("frames that cannot be read are refused one by one, without a stream, and the connection goes on", async (t) => {
  const base = await listen(await startFixture(t, {}, long));
  const client = await connect(base);
  client.send(create("running", endless));
  const refused: [string, string | null][] = [
    ["{", null],
    ["[]", null],
    ['"text"', null],
    ["{}", "type"],
    [JSON.stringify({ type: 7 }), "type"],
    [JSON.stringify({ type: "chat.completion.steer", stream_id: "a" }), "type"],
    [JSON.stringify({ type: "chat.completion.create", ...hello }), "stream_id"],
    [JSON.stringify({ type: "chat.completion.cancel" }), "stream_id"],
    [JSON.stringify(create("")), "stream_id"],
    [JSON.stringify(create("x".repeat(129))), "stream_id"],
    [JSON.stringify(create("running")), "stream_id"],
  ];
  for (const [text, param] of refused) {
    client.socket.send(text);
    const frame = (await client.until(({ type }) => type === "error")).at(-1)!;
    assert.deepEqual([errorOf(frame).code, errorOf(frame).param, frame.stream_id], ["invalid_request", param, undefined], text);
  }
  client.send(create("other", { seed: 1 }));
  assert.equal((await client.until(isDone("other"))).at(-1)!.type, "chat.completion.done");
});

test("a request that does not hold ends its own stream with the error that HTTP gives", async (t) => {
  const base = await listen(await startFixture(t));
  const client = await connect(base);
  for (const fields of [
    { messages: [] },
    { temperature: 3 },
    { model: "none" },
    { best_of: 2, n: 3 },
    { tools: [{}] },
    { messages: [{ role: "user", content: "x".repeat(5000) }] },
    { messages: [{ role: "user", content: [{ type: "image_url" }] }] },
    { top_logprobs: 2 },
  ]) {
    const expected = (await post(base, fields)) as unknown as { error: object };
    client.send(create("a", fields));
    const frame = await client.next();
    assert.deepEqual(frame, { type: "error", stream_id: "a", ...expected });
  }
  client.send(create("a", { stream: false }));
  assert.equal(errorOf(await client.next()).param, "stream");
  client.send(create("a", { stream: true, stream_options: { include_usage: true } }));
  assert.equal((await client.until(isDone("a"))).at(-1)!.type, "chat.completion.done");
});

test("more streams than a connection may have are refused until one ends", async (t) => {
  const base = await listen(await startFixture(t, { maxWebsocketStreams: 2 }, long));
  const client = await connect(base);
  client.send(create("a", endless));
  client.send(create("b", endless));
  client.send(create("c"));
  assert.equal(errorOf((await client.until(({ type }) => type === "error")).at(-1)!).code, "overloaded");
  client.send(cancel("a"));
  await client.until(isDone("a"));
  client.send(create("c"));
  assert.equal((await client.until(isDone("c"))).at(-1)!.type, "chat.completion.done");
});

test("a binary frame closes with 1003, one that is too large with 1009, one that is no UTF-8 with 1007, and their streams are freed", async (t) => {
  const fixture = await startFixture(t, { bodyLimitBytes: 4096 }, long);
  const base = await listen(fixture);
  const offences: [number, (socket: Awaited<ReturnType<typeof connect>>["socket"]) => void][] = [
    [1003, (socket) => socket.send(Buffer.from("{}"), { binary: true })],
    [1009, (socket) => socket.send(JSON.stringify(create("b", { user: "x".repeat(5000) })))],
    [1007, (socket) => socket.send(Buffer.from([0xff, 0xfe]), { binary: false })],
  ];
  for (const [code, offend] of offences) {
    const client = await connect(base);
    client.send(create("a", endless));
    await client.next();
    offend(client.socket);
    assert.equal((await client.ended).code, code);
    await until(() => fixture.engine.stats().runningSequences === 0 && fixture.lifecycle.running === 0);
  }
});

test("the upgrade asks for a key: in the header, or as a subprotocol from browsers", async (t) => {
  const base = await listen(await startFixture(t, { apiKey: ["sk-first"] }));
  for (const options of [
    {},
    { headers: { authorization: "Bearer sk-other" } },
    { protocols: ["bonsai", "openai-insecure-api-key.sk-other"] },
    { protocols: ["sk-first"] },
  ]) {
    const { status, body } = await refusal(base, options);
    assert.deepEqual([status, (JSON.parse(body) as { error: { code: string } }).error.code], [401, "invalid_api_key"]);
  }
  for (const [options, protocol] of [
    [{ headers: { authorization: "Bearer sk-first" } }, ""],
    [{ protocols: ["bonsai", "openai-insecure-api-key.sk-first"] }, "bonsai"],
    [{ protocols: ["openai-insecure-api-key.sk-first", "realtime"] }, "realtime"],
    [{ protocols: ["openai-insecure-api-key.sk-first"] }, "openai-insecure-api-key.sk-first"],
  ] as const) {
    const client = await connect(base, { ...options, protocols: [...("protocols" in options ? options.protocols : [])] });
    assert.equal(client.socket.protocol, protocol);
    client.send(create("a"));
    assert.equal((await client.until(isDone("a"))).at(-1)!.type, "chat.completion.done");
  }
});

test("a page of another origin may connect only when it is on the list, and no page when there is none", async (t) => {
  const closed = await listen(await startFixture(t));
  const listed = await listen(await startFixture(t, { corsOrigin: ["https://app.example.com"] }));
  const everyone = await listen(await startFixture(t, { corsOrigin: ["*"] }));
  for (const [base, origin] of [
    [closed, "https://app.example.com"],
    [closed, closed],
    [listed, "https://app.example.com.evil.org"],
    [listed, "http://app.example.com"],
    [listed, "null"],
  ] as const) {
    const { status, body } = await refusal(base, { origin });
    assert.deepEqual([status, (JSON.parse(body) as { error: { code: string } }).error.code], [403, "origin_not_allowed"], origin);
  }
  for (const [base, origin] of [
    [listed, "https://app.example.com"],
    [everyone, "https://anyone.example"],
  ] as const) {
    const client = await connect(base, { origin });
    client.send(create("a"));
    assert.equal((await client.until(isDone("a"))).at(-1)!.type, "chat.completion.done");
  }
});

test("a plain GET is told to upgrade, and an upgrade to something else is refused", async (t) => {
  const base = await listen(await startFixture(t));
  const plain = await fetch(`${base}/v1/chat/completions`);
  assert.deepEqual([plain.status, plain.headers.get("upgrade")], [426, "websocket"]);
  assert.equal(((await plain.json()) as { error: { code: string } }).error.code, "upgrade_required");
  const answer = await raw(base, "GET /v1/models HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n");
  assert.match(answer.text(), /^HTTP\/1\.1 400 [^]*invalid_request/);
});

test("connections beyond the limit are closed with 1013, and their place is free when one leaves", async (t) => {
  const fixture = await startFixture(t, { maxWebsockets: 2 });
  const base = await listen(fixture);
  const [first] = [await connect(base), await connect(base)];
  const third = await connect(base);
  assert.equal((await third.ended).code, 1013);
  first.socket.close();
  await first.ended;
  while (!(await fixture.fastify.inject("/metrics")).body.includes("\nbonsai_websockets 1\n")) await turn();
  const fourth = await connect(base);
  fourth.send(create("a"));
  assert.equal((await fourth.until(isDone("a"))).at(-1)!.type, "chat.completion.done");
});

/** A peer that speaks for itself, and reads only when it is told to. */
async function raw(base: string, text: string): Promise<{ socket: Socket; text: () => string; ended: Promise<void> }> {
  const socket = connectTcp(Number(new URL(base).port), "127.0.0.1");
  let received = "";
  socket.on("data", (part) => (received += part.toString("latin1")));
  socket.on("error", () => undefined);
  const ended = new Promise<void>((resolve) => socket.on("close", () => resolve()));
  socket.write(text);
  await until(() => received.includes("\r\n\r\n"));
  return { socket, text: () => received, ended };
}

const handshake =
  "GET /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/** A masked text frame with a mask of zeros (RFC 6455, section 5.2). */
function textFrame(text: string): Buffer {
  const payload = Buffer.from(text);
  const head = Buffer.from([0x81, 0x80 | 126, payload.length >> 8, payload.length & 255, 0, 0, 0, 0]);
  return Buffer.concat([head, payload]);
}

test("a peer that answers no ping is dropped and its rows freed, one that answers stays", async (t) => {
  // Its one answer is held, so that only pings travel.
  const fixture = await startFixture(
    t,
    { websocketPingIntervalSeconds: 1 },
    {
      beforeToken: (signal) =>
        new Promise((_, reject) => signal?.addEventListener("abort", () => reject(signal.reason as Error), { once: true })),
    },
  );
  const base = await listen(fixture);
  const alive = await connect(base);
  let pings = 0;
  alive.socket.on("ping", () => (pings += 1));
  const dead = await raw(base, handshake);
  dead.socket.write(textFrame(JSON.stringify(create("a", { n: 4 }))));
  await until(() => fixture.engine.stats().runningSequences === 4);
  await dead.ended;
  await until(() => fixture.engine.stats().runningSequences === 0 && fixture.lifecycle.running === 0);
  const before = pings;
  await until(() => pings > before + 1);
  assert.equal(alive.socket.readyState, alive.socket.OPEN);
});

test("a connection on which nothing runs is closed with 1000 after the idle timeout, and not while something does", async (t) => {
  let release!: () => void;
  const held = new Promise<void>((resolve) => (release = resolve));
  const base = await listen(await startFixture(t, { websocketIdleTimeoutSeconds: 1 }, { beforeToken: () => held }));
  const busy = await connect(base);
  busy.send(create("a"));
  const idle = await connect(base);
  assert.equal((await idle.ended).code, 1000);
  const later = await connect(base);
  assert.equal((await later.ended).code, 1000);
  assert.equal(busy.socket.readyState, busy.socket.OPEN, "it had no frame for two timeouts, but an answer that runs");
  release();
  await busy.until(isDone("a"));
  assert.equal((await busy.ended).code, 1000);
});

test("a slow reader pauses its own streams with a bounded buffer, and no others", async (t) => {
  const fixture = await startFixture(t, {}, long);
  const base = await listen(fixture);
  const slow = await connect(base);
  const produced = (): number => fixture.engine.stats().generatedTokens;
  slow.send(create("a", { ...endless, n: 4 }));
  slow.send(create("b", endless));
  await slow.next();
  slow.socket.pause();
  let before = -1;
  for (let quiet = 0; quiet < 40; quiet = produced() === before ? quiet + 1 : 0) {
    before = produced();
    await turn();
  }
  assert.ok(produced() < 1_000_000, "production stopped");
  for (const socket of fixture.fastify.websocketServer.clients)
    assert.ok(socket.bufferedAmount < 128 * 1024, `${socket.bufferedAmount} bytes wait`);
  const other = await connect(base);
  other.send(create("c", { seed: 3 }));
  assert.equal(textOf(await other.until(isDone("c")), "c"), (await post(base, { seed: 3 })).choices[0]!.message.content);
  const paused = produced();
  slow.socket.resume();
  await until(() => produced() > paused + 100);
  slow.socket.terminate();
  await until(() => fixture.engine.stats().runningSequences === 0 && fixture.lifecycle.running === 0);
});

test("a reader that takes nothing for the stall timeout is dropped, and its rows freed", async (t) => {
  const fixture = await startFixture(t, { streamStallTimeoutSeconds: 1 }, long);
  const client = await connect(await listen(fixture));
  client.send(create("a", { ...endless, n: 8 }));
  await client.next();
  client.socket.pause();
  await until(() => fixture.engine.stats().runningSequences === 0 && fixture.lifecycle.running === 0);
});

test("a client that sends what is refused and reads nothing is cut off before the answers pile up", async (t) => {
  const fixture = await startFixture(t);
  const base = await listen(fixture);
  const client = await connect(base);
  client.socket.pause();
  const [served] = fixture.fastify.websocketServer.clients;
  let most = 0;
  const measure = setInterval(() => (most = Math.max(most, served!.bufferedAmount)), 1);
  const send = (): void => {
    if (client.socket.readyState !== client.socket.OPEN) return;
    for (let count = 0; count < 500; count++) client.socket.send("{");
    setImmediate(send);
  };
  send();
  await until(() => fixture.fastify.websocketServer.clients.size === 0);
  clearInterval(measure);
  assert.ok(most < 256 * 1024, `${most} bytes waited`);
  client.socket.terminate();
});

test("a client that vanishes in the middle of Best-of-16 frees all rows within one step", async (t) => {
  const fixture = await startFixture(t, {}, long);
  const client = await connect(await listen(fixture));
  client.send(create("a", { ...endless, best_of: 16, best_of_options: { strategy: "mbr" } }));
  await client.next();
  await until(() => fixture.engine.stats().runningSequences === 16);
  let stepsAtEnd = Infinity;
  const [served] = fixture.fastify.websocketServer.clients;
  served!.on("close", () => (stepsAtEnd = fixture.engine.stats().decodeSteps));
  client.socket.terminate();
  await until(() => fixture.engine.stats().runningSequences === 0);
  const { decodeSteps } = fixture.engine.stats();
  assert.ok(decodeSteps <= stepsAtEnd + 1, `${decodeSteps - stepsAtEnd} steps after the client had left`);
  assert.equal(fixture.lifecycle.running, 0);
});

test("a server that drains closes idle connections with 1001, lets streams finish, refuses new ones, and then closes", async (t) => {
  let release!: () => void;
  const held = new Promise<void>((resolve) => (release = resolve));
  const fixture = await startFixture(t, { shutdownGraceSeconds: 600 }, { beforeToken: () => held });
  const base = await listen(fixture);
  const [idle, busy] = [await connect(base), await connect(base)];
  busy.send(create("a", { seed: 3 }));
  await until(() => fixture.engine.stats().runningSequences === 1);
  const shutDown = fixture.shutDown();
  assert.equal((await idle.ended).code, 1001);
  assert.equal((await refusal(base)).status, 503);
  busy.send(create("b"));
  const frames = await busy.until(isDone("b"));
  assert.equal(errorOf(frames.at(-1)!).code, "draining");
  release();
  frames.push(...(await busy.until(isDone("a"))));
  assert.equal(frames.at(-1)!.type, "chat.completion.done");
  assert.equal((await busy.ended).code, 1001);
  assert.equal(await shutDown, true);
});

test("what streams beyond the grace period is cut by an error frame, and a client that does not read cannot keep the server", async (t) => {
  const fixture = await startFixture(t, { shutdownGraceSeconds: 0 }, long);
  const base = await listen(fixture);
  const [reader, sleeper] = [await connect(base), await connect(base)];
  for (const client of [reader, sleeper]) {
    client.send(create("a", { ...endless, n: 4 }));
    await client.next();
  }
  sleeper.socket.pause();
  const shutDown = fixture.shutDown();
  const frames = await reader.until(({ type }) => type === "error");
  assert.equal(errorOf(frames.at(-1)!).code, "draining");
  assert.equal((await reader.ended).code, 1001);
  assert.equal(await shutDown, false);
  assert.equal(fixture.engine.stats().runningSequences, 0);
  sleeper.socket.terminate();
});

test("answers over WebSocket are counted by their outcome, and the connection as one request", async (t) => {
  const fixture = await startFixture(t);
  const client = await connect(await listen(fixture));
  client.send(create("a"));
  await client.until(isDone("a"));
  client.send(create("b", { temperature: 7 }));
  await client.until(isDone("b"));
  client.socket.close();
  await client.ended;
  const metrics = async (): Promise<string> => (await fixture.fastify.inject("/metrics")).body;
  while (!(await metrics()).includes('bonsai_requests_total{route="/v1/chat/completions",status="101"} 1')) await turn();
  const text = await metrics();
  for (const outcome of ["done", "invalid_request"])
    assert.ok(text.includes(`bonsai_websocket_answers_total{route="/v1/chat/completions",outcome="${outcome}"} 1`), outcome);
  assert.ok(text.includes("\nbonsai_websockets 0\n"));
});
