/**
 * @file A client that does not read, over the real engine: its request pauses, what waits for it is bounded, and it
 * misses nothing.
 */

import assert from "node:assert/strict";
import { once } from "node:events";
import { request as httpRequest, type IncomingMessage } from "node:http";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { WebSocket } from "ws";
import type { Engine } from "../../src/engine/contract/request.ts";
import { startEngine } from "../../src/engine/worker/start-engine.ts";
import { roomyLimits } from "../engine/answers.ts";
import { temporaryFolder } from "../fixtures/temporary-folder.ts";
import { writeTinyModel } from "../fixtures/tiny-model.ts";
import { dataOf, listen, startServer } from "./fixture.ts";
import type { Frame } from "./socket-client.ts";

const folder = temporaryFolder();
const path = join(folder, "tiny");
writeTinyModel(path, { contextLength: 1024 });

let engine: Engine;
let base: string;
/** The whole event stream of `wide`. */
let streamed: string;
const closers: (() => Promise<void>)[] = [];
before(async () => {
  engine = await startEngine({
    ...roomyLimits,
    maxSequences: 128,
    models: [{ id: "tiny", path }],
    quantization: "fp32",
    cacheDir: join(folder, "cache"),
    threads: 1,
    log: () => {},
  });
  base = await listen(
    await startServer({ after: (action) => closers.push(action) }, { streamStallTimeoutSeconds: 3600 }, Promise.resolve(engine)),
  );
});
after(async () => {
  for (const close of [...closers, () => engine.close()]) await close();
});

const wide = {
  model: "tiny",
  messages: [{ role: "user", content: "Hello" }],
  seed: 7,
  n: 64,
  logprobs: true,
  top_logprobs: 20,
  max_tokens: 120,
  ignore_eos: true,
};
const wideTokens = 64 * 120;

/** Text of an answer without what differs from one to the next. */
const comparable = (text: string): string => text.replaceAll(/"(id|created)":("[^"]*"|\d+)/g, '"$1":0');

/**
 * Runs others' requests until the slow one has paused: it takes no step during a whole answer. Resolves to its tokens.
 */
async function tokensWhenPaused(startTokens: number): Promise<number> {
  for (let others = 0, previous = -1; ;) {
    const tokens = engine.stats().generatedTokens - startTokens - others;
    if (tokens === previous) return tokens;
    previous = tokens;
    const response = await fetch(`${base}/v1/completions`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ model: "tiny", prompt: "Hello", max_tokens: 200, ignore_eos: true }),
    });
    assert.equal(response.status, 200);
    others += 200;
  }
}

test("an event stream that is not read pauses its request, and has the bytes of one that is read", { timeout: 240_000 }, async () => {
  const open = (): Promise<IncomingMessage> =>
    new Promise((resolve, reject) => {
      const request = httpRequest(
        `${base}/v1/chat/completions`,
        { method: "POST", headers: { "content-type": "application/json" }, agent: false },
        resolve,
      );
      request.on("error", reject);
      request.end(JSON.stringify({ ...wide, stream: true }));
    });
  const read = async (response: IncomingMessage): Promise<string> => {
    let text = "";
    for await (const part of response.setEncoding("utf8")) text += part;
    return text;
  };
  streamed = await read(await open());
  const startTokens = engine.stats().generatedTokens;
  const response = await open();
  const waiting = await tokensWhenPaused(startTokens);
  assert.ok(waiting > 0 && waiting < wideTokens, `${waiting} tokens wait`);
  assert.equal(engine.stats().runningSequences, wide.n);
  assert.equal(comparable(await read(response)), comparable(streamed));
  assert.equal(engine.stats().runningSequences, 0);
});

test("over WebSocket too, whose frames are the chunks of the event stream", { timeout: 240_000 }, async () => {
  const startTokens = engine.stats().generatedTokens;
  const socket = new WebSocket(`${base.replace("http", "ws")}/v1/chat/completions`);
  await once(socket, "open");
  const choices: unknown[] = [];
  const done = new Promise<void>((resolve, reject) => {
    socket.on("close", () => reject(new Error("The connection closed before the answer was complete.")));
    socket.on("message", (data: Buffer) => {
      const frame = JSON.parse(data.toString()) as Frame;
      if (frame.type === "chat.completion.chunk") choices.push(frame["choices"]);
      else if (frame.type === "chat.completion.done") resolve();
      else reject(new Error(data.toString()));
    });
  });
  socket.send(JSON.stringify({ type: "chat.completion.create", stream_id: "wide", ...wide }));
  socket.pause();
  const waiting = await tokensWhenPaused(startTokens);
  assert.ok(waiting > 0 && waiting < wideTokens, `${waiting} tokens wait`);
  socket.resume();
  await done;
  socket.close();
  const chunks = dataOf(streamed).slice(0, -1);
  assert.deepEqual(
    choices,
    chunks.map((chunk) => (JSON.parse(chunk) as { choices: unknown }).choices),
  );
});
