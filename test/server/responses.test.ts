/**
 * @file POST /v1/responses: the chat that a response is, the order of its events, and the conversations that are kept.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { BonsaiError } from "../../src/errors/bonsai-error.ts";
import type { ChatCompletion } from "../../src/protocol/wire/chat/response.ts";
import type { ErrorBody } from "../../src/protocol/wire/errors.ts";
import type { ResponseEvent } from "../../src/protocol/wire/responses/events.ts";
import type { ResponseObject } from "../../src/protocol/wire/responses/response.ts";
import { ResponseStore } from "../../src/server/responses/response-store.ts";
import { listen, startFixture, type Fixture } from "./fixture.ts";
import { connect } from "./socket-client.ts";

const asked = { model: "scripted", input: "Hello" };

const answer = async (fixture: Fixture, fields: object = {}) =>
  fixture.fastify.inject({ method: "POST", url: "/v1/responses", payload: { ...asked, ...fields } });
const respond = async (fixture: Fixture, fields: object = {}): Promise<ResponseObject> => {
  const response = await answer(fixture, fields);
  assert.equal(response.statusCode, 200, response.body);
  return response.json<ResponseObject>();
};
const refusal = async (fixture: Fixture, fields: object): Promise<[number, string, string | null]> => {
  const response = await answer(fixture, fields);
  const { error } = response.json<ErrorBody>();
  return [response.statusCode, error.code, error.param];
};
const chat = async (fixture: Fixture, messages: object[], fields: object = {}): Promise<ChatCompletion> =>
  (
    await fixture.fastify.inject({ method: "POST", url: "/v1/chat/completions", payload: { model: "scripted", messages, ...fields } })
  ).json<ChatCompletion>();

const textOf = (response: ResponseObject): string => response.output[0]!.content[0]!.text;
const contentOf = (completion: ChatCompletion): string => completion.choices[0]!.message.content;

/** Events of a stream by their lines, each under its own name. */
function eventsOf(stream: string): ResponseEvent[] {
  return stream
    .split("\n\n")
    .filter((block) => block !== "")
    .map((block) => {
      const [name, data] = block.split("\n");
      const event = JSON.parse(data!.slice("data: ".length)) as ResponseEvent;
      assert.equal(name, `event: ${event.type}`);
      return event;
    });
}

test("a text, messages and text parts are the chat that they come to", async (t) => {
  const fixture = await startFixture(t);
  const user = { role: "user", content: "Hello" };
  for (const [fields, messages] of [
    [{}, [user]],
    [{ input: [user] }, [user]],
    [
      {
        input: [
          {
            type: "message",
            role: "user",
            content: [
              { type: "input_text", text: "Hel" },
              { type: "input_text", text: "lo" },
            ],
          },
        ],
      },
      [user],
    ],
    [{ instructions: "Be kind." }, [{ role: "system", content: "Be kind." }, user]],
    [
      {
        input: [
          { role: "developer", content: "Short." },
          user,
          {
            id: "msg_1",
            type: "message",
            role: "assistant",
            status: "completed",
            content: [{ type: "output_text", text: "Hi", annotations: [], logprobs: [] }],
          },
          user,
        ],
      },
      [{ role: "developer", content: "Short." }, user, { role: "assistant", content: "Hi" }, user],
    ],
  ] as const) {
    const response = await respond(fixture, { ...fields, seed: 5 });
    const completion = await chat(fixture, [...messages], { seed: 5 });
    assert.equal(textOf(response), contentOf(completion));
    const { usage } = completion;
    assert.deepEqual(response.usage, {
      input_tokens: usage.prompt_tokens,
      input_tokens_details: { cached_tokens: usage.prompt_tokens_details.cached_tokens, cache_write_tokens: 0 },
      output_tokens: usage.completion_tokens,
      output_tokens_details: { reasoning_tokens: 0 },
      total_tokens: usage.total_tokens,
    });
    const [first, second] = fixture.engine.requests.slice(-2);
    assert.deepEqual(first, second, "the engine is asked the same");
  }
});

test("a response says what was asked for and how it ended", async (t) => {
  const fixture = await startFixture(t);
  const whole = await respond(fixture, { seed: 1, temperature: 0.5, top_p: 0.9, metadata: { a: "b" }, instructions: "Be kind." });
  assert.deepEqual([whole.status, whole.incomplete_details, whole.error], ["completed", null, null]);
  assert.deepEqual([whole.temperature, whole.top_p, whole.metadata, whole.instructions], [0.5, 0.9, { a: "b" }, "Be kind."]);
  assert.match(whole.id, /^resp_[0-9a-f]{48}$/);
  const cut = await respond(fixture, { seed: 1, max_output_tokens: 3 });
  assert.deepEqual(
    [cut.status, cut.incomplete_details, cut.output[0]!.status],
    ["incomplete", { reason: "max_output_tokens" }, "incomplete"],
  );
  assert.equal(cut.usage!.output_tokens, 3);
});

test("events come in the documented order, numbered from 0, and add up to the response without a stream", async (t) => {
  const fixture = await startFixture(t);
  for (const fields of [
    { seed: 3 },
    { seed: 3, max_output_tokens: 4 },
    { seed: 3, include: ["message.output_text.logprobs"], top_logprobs: 2 },
  ]) {
    const whole = await respond(fixture, fields);
    const response = await answer(fixture, { ...fields, stream: true });
    assert.match(String(response.headers["content-type"]), /^text\/event-stream/);
    const events = eventsOf(response.body);
    assert.deepEqual(
      events.map((event) => event.sequence_number),
      events.map((_, index) => index),
    );
    const order = events.map((event) => event.type).filter((type, index, types) => type !== types[index - 1]);
    assert.deepEqual(order, [
      "response.created",
      "response.in_progress",
      "response.output_item.added",
      "response.content_part.added",
      "response.output_text.delta",
      "response.output_text.done",
      "response.content_part.done",
      "response.output_item.done",
      "max_output_tokens" in fields ? "response.incomplete" : "response.completed",
    ]);
    const deltas = events.filter((event) => event.type === "response.output_text.delta");
    assert.equal(deltas.map(({ delta }) => delta).join(""), textOf(whole));
    assert.deepEqual(
      deltas.flatMap(({ logprobs }) => logprobs),
      whole.output[0]!.content[0]!.logprobs,
    );
    const last = events.at(-1)!;
    assert.ok(last.type === "response.completed" || last.type === "response.incomplete");
    // Ids are random, and times may differ by a second.
    const bare = (given: ResponseObject): object => {
      const output = given.output.map((item) => ({ ...item, id: "" }));
      return { ...given, id: "", created_at: 0, completed_at: 0, output };
    };
    assert.deepEqual(bare(last.response), bare(whole));
    const first = events[0]!;
    assert.ok(first.type === "response.created");
    assert.deepEqual([first.response.status, first.response.output, first.response.usage], ["in_progress", [], undefined]);
    assert.equal(first.response.id, last.response.id);
    const ids = new Set(events.flatMap((event) => ("item_id" in event ? [event.item_id] : "item" in event ? [event.item.id] : [])));
    assert.deepEqual([...ids], [last.response.output[0]!.id]);
  }
});

test("previous_response_id continues the conversation, without the instructions of before", async (t) => {
  const fixture = await startFixture(t);
  const first = await respond(fixture, { seed: 1, instructions: "Be kind." });
  const events = eventsOf((await answer(fixture, { seed: 2, input: "And then?", previous_response_id: first.id, stream: true })).body);
  const last = events.at(-1)!;
  assert.ok(last.type === "response.completed");
  const second = last.response;
  assert.equal(second.previous_response_id, first.id);
  const third = await respond(fixture, { seed: 3, input: "Why?", previous_response_id: second.id, instructions: "Be brief." });
  const completion = await chat(
    fixture,
    [
      { role: "system", content: "Be brief." },
      { role: "user", content: "Hello" },
      { role: "assistant", content: textOf(first) },
      { role: "user", content: "And then?" },
      { role: "assistant", content: textOf(second) },
      { role: "user", content: "Why?" },
    ],
    { seed: 3 },
  );
  assert.equal(textOf(third), contentOf(completion));
  const branch = await respond(fixture, { seed: 3, input: "Why?", previous_response_id: first.id });
  assert.notEqual(textOf(branch), textOf(third), "an earlier response can be continued again, on its own");
});

test("what was not stored, or went because others came, cannot be continued", async (t) => {
  const fixture = await startFixture(t, { responseStoreBytes: 4096 });
  const unstored = await respond(fixture, { store: false });
  assert.equal(unstored.store, false);
  const missing = [400, "previous_response_not_found", "previous_response_id"] as const;
  assert.deepEqual(await refusal(fixture, { previous_response_id: unstored.id }), missing);
  assert.deepEqual(await refusal(fixture, { previous_response_id: "resp_none" }), missing);
  const oldest = await respond(fixture, { input: "x".repeat(500) });
  for (let count = 0; count < 4; count++) await respond(fixture, { input: "x".repeat(500) });
  assert.deepEqual(await refusal(fixture, { previous_response_id: oldest.id }), missing);
});

test("a stored response is continued by the key that it was made with, and is as unknown as any other to another key", async (t) => {
  const fixture = await startFixture(t, { apiKey: ["sk-first", "sk-second"] });
  const ask = async (key: string, fields: object): Promise<{ status: number; body: string }> => {
    const headers = { authorization: `Bearer ${key}` };
    const { statusCode: status, body } = await fixture.fastify.inject({
      method: "POST",
      url: "/v1/responses",
      headers,
      payload: { ...asked, ...fields },
    });
    return { status, body };
  };
  const { id } = JSON.parse((await ask("sk-first", { seed: 1 })).body) as ResponseObject;
  const [own, others, unknown] = [
    await ask("sk-first", { previous_response_id: id }),
    await ask("sk-second", { previous_response_id: id }),
    await ask("sk-second", { previous_response_id: "resp_none" }),
  ];
  assert.equal(own.status, 200);
  assert.equal(others.status, 400);
  const { error } = JSON.parse(others.body) as ErrorBody;
  assert.deepEqual([error.code, error.param], ["previous_response_not_found", "previous_response_id"]);
  assert.deepEqual(JSON.parse(unknown.body), JSON.parse(others.body), "nobody learns which ids there are");
  // Over WebSocket the key of the handshake counts, in the header or in the subprotocol.
  const base = await listen(fixture);
  for (const [options, ends] of [
    [{ headers: { authorization: "Bearer sk-first" } }, "response.completed"],
    [{ headers: { authorization: "Bearer sk-second" } }, "error"],
    [{ protocols: ["openai-insecure-api-key.sk-first"] }, "response.completed"],
    [{ protocols: ["openai-insecure-api-key.sk-second"] }, "error"],
  ] as const) {
    const client = await connect(base, {
      path: "/v1/responses",
      ...options,
      protocols: "protocols" in options ? [...options.protocols] : [],
    });
    client.send({ type: "response.create", ...asked, previous_response_id: id });
    const frames = await client.until(({ type }) => type === "response.completed" || type === "error");
    assert.equal(frames.at(-1)!.type, ends);
    client.socket.close();
    await client.ended;
  }
});

test("the store holds at most its bytes, given comes, and forgets after the lifetime", async () => {
  const store = new ResponseStore({ maxBytes: 10_000, lifetimeMs: 60_000 });
  for (let size = 0; size < 12_000; size += 50) {
    store.keep(`resp_${size}`, [{ role: "user", content: "x".repeat(size) }], "");
    assert.ok(store.bytes <= 10_000);
  }
  assert.equal(store.find("resp_11950", ""), undefined, "one that is larger than the store is not kept");
  assert.equal(new ResponseStore({ maxBytes: 0, lifetimeMs: 1 }).find("none", ""), undefined);
  const brief = new ResponseStore({ maxBytes: 10_000, lifetimeMs: 1 });
  brief.keep("resp", [], "");
  while (brief.find("resp", "") !== undefined) await new Promise((resolve) => setTimeout(resolve, 1));
});

test("Best-of-N tells its progress in events that clients know, and its cost in the response", async (t) => {
  const fixture = await startFixture(t);
  const fields = { seed: 2, best_of: 6 };
  const events = eventsOf((await answer(fixture, { ...fields, stream: true })).body);
  const [created, begun, progress] = events;
  assert.deepEqual([created!.type, begun!.type], ["response.created", "response.in_progress"]);
  assert.ok(progress?.type === "response.in_progress" && progress.best_of?.candidates.length === 6);
  const last = events.at(-1)!;
  assert.ok(last.type === "response.completed");
  const completion = await chat(fixture, [{ role: "user", content: "Hello" }], fields);
  assert.equal(textOf(last.response), contentOf(completion));
  const { timings_ms: _, ...report } = last.response.best_of!;
  const { timings_ms: __, ...expected } = completion.best_of!;
  assert.deepEqual(report, expected);
  assert.equal(last.response.usage!.output_tokens, completion.usage.completion_tokens);
});

test("what a response cannot do is refused by the name of its field", async (t) => {
  const fixture = await startFixture(t);
  const unsupported = "unsupported_field";
  for (const [fields, code, param] of [
    [{ input: undefined }, "invalid_request", "input"],
    [{ input: [] }, "invalid_request", "input"],
    [{ input: [{ type: "item_reference", id: "x" }] }, "invalid_request", undefined],
    [{ input: [{ role: "user", content: [{ type: "input_image", image_url: "x" }] }] }, undefined, undefined],
    [{ input: "x".repeat(5000) }, "context_length_exceeded", "input"],
    [{ max_output_tokens: 0 }, "invalid_request", "max_output_tokens"],
    [{ tools: [{ type: "web_search" }] }, unsupported, "tools"],
    [{ tool_choice: "required" }, unsupported, "tool_choice"],
    [{ text: { format: { type: "json_object" } } }, unsupported, "text.format.type"],
    [{ background: true }, unsupported, "background"],
    [{ truncation: "auto" }, unsupported, "truncation"],
    [{ conversation: "conv_1" }, unsupported, "conversation"],
    [{ reasoning: { effort: "high" } }, unsupported, "reasoning"],
    [{ include: ["file_search_call.results"] }, "invalid_request", "include[0]"],
    [{ top_logprobs: 2 }, "invalid_request", "top_logprobs"],
    [{ stream_options: {} }, "invalid_request", "stream_options"],
    [{ n: 2 }, unsupported, "n"],
    [{ messages: [] }, unsupported, "messages"],
    [{ best_of: 4, best_of_options: { stream: "candidates" }, stream: true }, "invalid_request", "best_of_options.stream"],
    [{ metadata: { a: 1 } }, "invalid_request", "metadata.a"],
    [{ model: "none" }, "model_not_found", "model"],
  ] as const) {
    const [status, saidCode, saidParam] = await refusal(fixture, fields);
    assert.ok(status === 400 || status === 404, JSON.stringify(fields));
    if (code !== undefined) assert.equal(saidCode, code, JSON.stringify(fields));
    if (param !== undefined) assert.equal(saidParam, param, JSON.stringify(fields));
    else assert.match(String(saidParam), /^(input|max_output_tokens)/, JSON.stringify(fields));
  }
  await respond(fixture, {
    tools: [],
    tool_choice: "auto",
    text: { format: { type: "text" } },
    truncation: "disabled",
    background: false,
    reasoning: null,
    top_logprobs: 0,
    parallel_tool_calls: true,
    service_tier: "auto",
    user: "me",
  });
});

test("a stream that breaks off ends with response.failed, which tells no secrets", async (t) => {
  for (const error of [new Error("private detail"), new BonsaiError("engine_failed", "private detail")]) {
    const fixture = await startFixture(t, {}, { failure: { position: 3, error } });
    const events = eventsOf((await answer(fixture, { stream: true })).body);
    const last = events.at(-1)!;
    assert.ok(last.type === "response.failed");
    assert.deepEqual([last.response.status, last.response.error!.code], ["failed", "server_error"]);
    assert.match(last.response.error!.message, /request id/);
    assert.doesNotMatch(last.response.error!.message, /private/);
    assert.equal(last.sequence_number, events.length - 1);
    assert.equal((await answer(fixture)).statusCode, error instanceof BonsaiError ? 503 : 500);
  }
});

test("a client that leaves frees its rows, and leaves nothing to continue", async (t) => {
  const fixture = await startFixture(t, {}, { contextLength: 10_000_000 });
  const base = await listen(fixture);
  const abort = new AbortController();
  const response = await fetch(`${base}/v1/responses`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      ...asked,
      stream: true,
      ignore_eos: true,
      max_output_tokens: 9_000_000,
      best_of: 4,
      best_of_options: { strategy: "mbr" },
    }),
    signal: abort.signal,
  });
  const reader = response.body!.getReader();
  const { value } = await reader.read();
  const created = eventsOf(
    new TextDecoder()
      .decode(value as Uint8Array)
      .split("\n\n")
      .slice(0, 1)
      .join(""),
  )[0]!;
  assert.ok(created.type === "response.created");
  abort.abort();
  while (fixture.engine.stats().runningSequences > 0 || fixture.lifecycle.running > 0)
    await new Promise((resolve) => setTimeout(resolve, 5));
  assert.equal((await refusal(fixture, { previous_response_id: created.response.id }))[1], "previous_response_not_found");
});
