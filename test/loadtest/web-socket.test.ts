/** @file Tests the WebSocket driver of the load test against a socket that answers by a script. */

import assert from "node:assert/strict";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { after, describe, it } from "node:test";
import { WebSocketServer, type WebSocket } from "ws";
import { connectSocket } from "../../loadtest/drivers/web-socket.ts";

interface ClientFrame extends Record<string, unknown> {
  type: string;
  stream_id: string;
}

describe("the WebSocket driver", () => {
  let hear: (frame: ClientFrame, socket: WebSocket) => void = () => {};
  const server = new WebSocketServer({ port: 0, host: "127.0.0.1" });
  server.on("connection", (socket) => socket.on("message", (data: Buffer) => hear(JSON.parse(data.toString()) as ClientFrame, socket)));
  after(() => server.close());
  const url = async (): Promise<string> => {
    if (server.address() === null) await once(server, "listening");
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  };
  const never = new AbortController().signal;
  const send = (socket: WebSocket, frame: object): void => socket.send(JSON.stringify(frame));

  it("tells the answers of one connection apart, and asks without the fields of HTTP's streams", async () => {
    const asked: ClientFrame[] = [];
    hear = (frame, socket) => {
      asked.push(frame);
      if (asked.length < 2) return;
      // Answered in turns, the later request first.
      for (const piece of [" one", " two"])
        for (const { stream_id } of asked.toReversed())
          send(socket, { type: "chat.completion.chunk", stream_id, choices: [{ delta: { content: stream_id + piece } }] });
      for (const { stream_id } of asked)
        send(socket, {
          type: "chat.completion.done",
          stream_id,
          usage: { completion_tokens: 12 },
          best_of: { tokens_returned: 3, rewards: [{ reward: 0.5 }] },
        });
    };
    const { driver, close } = await connectSocket(await url());
    const body = { model: "a", stream: true, stream_options: { include_usage: true } };
    const seen = await Promise.all([
      driver("", body, performance.now(), never),
      driver("", { ...body, model: "b" }, performance.now(), never),
    ]);
    await close();
    for (const [index, { stream_id: id, model, stream, stream_options: options }] of asked.entries()) {
      const { text, tokensGenerated, tokensReturned, reward, status, failure, pieceMs } = seen[index]!;
      assert.deepEqual([model, stream, options], ["ab"[index], undefined, undefined]);
      assert.equal(text, `${id} one${id} two`);
      assert.deepEqual(
        { tokensGenerated, tokensReturned, reward, status, failure, pieces: pieceMs.length },
        { tokensGenerated: 12, tokensReturned: 3, reward: 0.5, status: 200, failure: undefined, pieces: 2 },
      );
    }
  });

  it("takes a full queue for a refusal, another error for a failure, and fails what a closed connection leaves", async () => {
    const { driver } = await connectSocket(await url());
    hear = ({ stream_id }, socket) =>
      send(socket, { type: "error", stream_id, error: { code: "overloaded", message: "the queue is full" } });
    const refused = await driver("", {}, performance.now(), never);
    assert.deepEqual([refused.status, refused.failure], [429, undefined]);
    hear = ({ stream_id }, socket) => send(socket, { type: "error", stream_id, error: { code: "engine_failed", message: "it failed" } });
    assert.equal((await driver("", {}, performance.now(), never)).failure, "it failed");
    hear = (_frame, socket) => socket.close(1011);
    assert.match((await driver("", {}, performance.now(), never)).failure ?? "", /closed with 1011/);
  });

  it("cancels its stream when the load is aborted", async () => {
    const controller = new AbortController();
    const { driver, close } = await connectSocket(await url());
    const types: string[] = [];
    hear = ({ type, stream_id }, socket) => {
      types.push(type);
      if (type === "chat.completion.create") controller.abort();
      else send(socket, { type: "error", stream_id, error: { code: "cancelled", message: "cancelled" } });
    };
    assert.equal((await driver("", {}, performance.now(), controller.signal)).failure, "cancelled");
    assert.deepEqual(types, ["chat.completion.create", "chat.completion.cancel"]);
    await close();
  });
});
