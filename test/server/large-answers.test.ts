/** @file While a large answer is written, the server goes on with other work. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { fastify } from "fastify";
import type { BonsaiError } from "../../src/errors/bonsai-error.ts";
import { pieceLength } from "../../src/protocol/wire/json-pieces.ts";
import { sendJson } from "../../src/server/generation/json-answer.ts";
import { eventStreamText } from "../../src/server/generation/server-sent-events.ts";
import { hello, listen, startFixture } from "./fixture.ts";
import { connect } from "./socket-client.ts";

const large = { list: Array.from({ length: 20_000 }, (_, index) => ({ index, text: "x".repeat(100) })) };
const pieces = Math.floor(JSON.stringify(large).length / (2 * pieceLength));

/** Runs something and counts the turns of the event loop until it is done. */
async function turnsDuring(action: () => Promise<void>): Promise<number> {
  let turns = 0;
  let isDone = false;
  const count = (): void => {
    turns += 1;
    if (!isDone) setImmediate(count);
  };
  setImmediate(count);
  await action();
  isDone = true;
  return turns;
}

test("JSON leaves a turn of the event loop between its pieces", async () => {
  const server = fastify();
  server.get("/large", (_, reply) => sendJson(reply, large));
  server.get("/small", (_, reply) => sendJson(reply, { small: 1 }));
  const turns = await turnsDuring(async () => {
    const { body, headers } = await server.inject("/large");
    assert.equal(body, JSON.stringify(large));
    assert.equal(headers["content-type"], "application/json; charset=utf-8");
  });
  assert.ok(turns >= pieces, `${turns} turns`);
  const small = await server.inject("/small");
  assert.deepEqual([small.body, small.headers["content-length"]], ['{"small":1}', "11"]);
});

test("an event does too", async () => {
  const iterator = [large][Symbol.iterator]();
  const events = { next: async () => iterator.next() } as AsyncIterator<object, void>;
  const options = {
    controller: new AbortController(),
    keepAliveMs: 60_000,
    stallTimeoutMs: 60_000,
    reportFailure: (failure: unknown) => failure as BonsaiError,
  };
  let text = "";
  const turns = await turnsDuring(async () => {
    for await (const piece of eventStreamText(events, events.next(), (event) => [event], options)) text += piece;
  });
  assert.ok(turns >= pieces, `${turns} turns`);
  assert.equal(text, `data: ${JSON.stringify(large)}\n\ndata: [DONE]\n\n`);
});

test("answers with many log-probabilities are the same whole, as a stream and over WebSocket", async (t) => {
  const base = await listen(await startFixture(t));
  const fields = { ...hello, logprobs: true, top_logprobs: 20, seed: 3, max_tokens: 150, ignore_eos: true };
  const bestOf = { best_of: 4, best_of_options: { strategy: "logprob", return_candidates: true } };
  const post = async (path: string, body: object): Promise<string> =>
    (await fetch(`${base}${path}`, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) })).text();
  interface Answer {
    choices: { logprobs: { content: object[] } }[];
  }
  const whole = JSON.parse(await post("/v1/chat/completions", { ...fields, n: 8 })) as Answer;
  assert.equal(JSON.stringify(whole).length > 8 * pieceLength, true);
  const alone = JSON.parse(await post("/v1/chat/completions", { ...fields, ...bestOf })) as Answer;
  const client = await connect(base);
  client.send({ type: "chat.completion.create", stream_id: "a", ...fields, ...bestOf });
  const frames = (await client.until(({ type }) => type === "chat.completion.done")) as unknown as Partial<Answer>[];
  client.socket.terminate();
  const streamed = frames.flatMap(({ choices = [] }) => choices).flatMap(({ logprobs }) => logprobs?.content ?? []);
  assert.deepEqual(streamed, alone.choices[0]!.logprobs.content);
});
