/** @file POST /v1/chat/completions: answers, refusals and reproducibility, without a network. */

import assert from "node:assert/strict";
import { after, test } from "node:test";
import type { ChatCompletion } from "../../src/protocol/wire/chat/response.ts";
import type { ErrorBody } from "../../src/protocol/wire/errors.ts";
import { hello, startFixture, type Fixture } from "./fixture.ts";

const ask = (fixture: Fixture, body: object) => fixture.fastify.inject({ method: "POST", url: "/v1/chat/completions", payload: body });

test("a conversation is answered in OpenAI's shape", async (t) => {
  const response = await ask(await startFixture(t), { ...hello, seed: 1 });
  assert.equal(response.statusCode, 200);
  assert.match(response.headers["content-type"] as string, /^application\/json/);
  const { id, created, choices, usage, ...rest } = response.json<ChatCompletion>();
  assert.match(id, /^chatcmpl-/);
  assert.ok(Number.isInteger(created));
  assert.deepEqual(rest, { object: "chat.completion", model: "scripted", system_fingerprint: "fp_scripted" });
  assert.equal(choices.length, 1);
  assert.equal(choices[0]!.finish_reason, "stop");
  assert.ok(choices[0]!.message.content.length > 0);
  assert.equal(usage.total_tokens, usage.prompt_tokens + usage.completion_tokens);
});

test("one seed gives one answer, another gives another", async (t) => {
  const fixture = await startFixture(t);
  const text = async (seed: number) => (await ask(fixture, { ...hello, seed })).json<ChatCompletion>().choices[0]!.message.content;
  assert.equal(await text(5), await text(5));
  assert.notEqual(await text(5), await text(6));
});

test("without a seed the server draws one for each request", async (t) => {
  const fixture = await startFixture(t);
  await ask(fixture, hello);
  await ask(fixture, hello);
  assert.notEqual(fixture.engine.requests[0]!.seed, fixture.engine.requests[1]!.seed);
});

test("n answers come in order, with log-probabilities when asked for", async (t) => {
  const response = await ask(await startFixture(t), { ...hello, n: 3, max_tokens: 4, logprobs: true, top_logprobs: 2 });
  const { choices } = response.json<ChatCompletion>();
  assert.deepEqual(
    choices.map((choice) => choice.index),
    [0, 1, 2],
  );
  for (const choice of choices) {
    assert.equal(choice.finish_reason, "length");
    assert.equal(choice.logprobs!.content.length, 4);
    assert.ok(choice.logprobs!.content.every((token) => token.top_logprobs.length === 2));
  }
});

test("an assistant's answer can be sent back as it came", async (t) => {
  const fixture = await startFixture(t);
  const { choices } = (await ask(fixture, hello)).json<ChatCompletion>();
  const response = await ask(fixture, {
    ...hello,
    messages: [...hello.messages, choices[0]!.message, { role: "user", content: "And then?" }],
  });
  assert.equal(response.statusCode, 200);
});

test("fields that ask for nothing, or for what is so anyway, are taken", async (t) => {
  const fixture = await startFixture(t);
  const harmless = {
    user: "u",
    metadata: { a: "b" },
    store: true,
    service_tier: "auto",
    safety_identifier: "s",
    prompt_cache_key: "k",
    parallel_tool_calls: true,
    tools: [],
    tool_choice: "none",
    functions: [],
    modalities: ["text"],
    audio: null,
    prediction: null,
    reasoning_effort: null,
    verbosity: "medium",
    response_format: { type: "text" },
    stream: false,
    best_of: 1,
  };
  assert.equal((await ask(fixture, { ...hello, ...harmless })).statusCode, 200);
});

const refused: [what: string, fields: object, code: string, param: string | null][] = [
  ["an unknown field", { tempratur: 1 }, "unsupported_field", "tempratur"],
  ["tools", { tools: [{ type: "function", function: { name: "f" } }] }, "unsupported_field", "tools"],
  ["a tool choice", { tool_choice: "required" }, "unsupported_field", "tool_choice"],
  ["functions", { functions: [{ name: "f" }] }, "unsupported_field", "functions"],
  ["JSON output", { response_format: { type: "json_object" } }, "unsupported_field", "response_format.type"],
  ["a JSON schema", { response_format: { type: "json_schema", json_schema: { name: "x" } } }, "unsupported_field", "response_format"],
  ["audio output", { modalities: ["text", "audio"] }, "unsupported_field", "modalities"],
  [
    "an image",
    {
      messages: [
        {
          role: "user",
          content: [
            { type: "text", text: "see" },
            { type: "image_url", image_url: { url: "https://x" } },
          ],
        },
      ],
    },
    "unsupported_field",
    "messages[0].content[1]",
  ],
  [
    "sound",
    { messages: [{ role: "user", content: [{ type: "input_audio", input_audio: {} }] }] },
    "unsupported_field",
    "messages[0].content[0]",
  ],
  [
    "a tool call",
    { messages: [{ role: "assistant", content: "x", tool_calls: [{ id: "1" }] }] },
    "unsupported_field",
    "messages[0].tool_calls",
  ],
  ["an unknown role", { messages: [{ role: "wizard", content: "x" }] }, "invalid_request", "messages[0].role"],
  ["an unknown field of a message", { messages: [{ role: "user", content: "x", mood: "good" }] }, "unsupported_field", "messages[0].mood"],
  ["no messages", { messages: [] }, "invalid_request", "messages"],
  ["a temperature that is too high", { temperature: 2.1 }, "invalid_request", "temperature"],
  ["a number as text", { temperature: "1" }, "invalid_request", "temperature"],
  ["too many answers", { n: 65 }, "invalid_request", "n"],
  ["no answers", { n: 0 }, "invalid_request", "n"],
  ["too many stop strings", { stop: Array.from({ length: 17 }, (_, index) => `s${index}`) }, "invalid_request", "stop"],
  ["an empty stop string", { stop: ["a", ""] }, "invalid_request", "stop[1]"],
  ["a bias that is no number", { logit_bias: { "1": "x" } }, "invalid_request", "logit_bias.1"],
  ["a bias for no token id", { logit_bias: { hello: 1 } }, "invalid_request", "logit_bias"],
  ["a bias beyond the vocabulary", { logit_bias: { "99999": 1 } }, "invalid_request", "logit_bias.99999"],
  [
    "too many biases",
    { logit_bias: Object.fromEntries(Array.from({ length: 1025 }, (_, id) => [id, 0])) },
    "invalid_request",
    "logit_bias",
  ],
  ["too many alternatives", { logprobs: true, top_logprobs: 21 }, "invalid_request", "top_logprobs"],
  ["stream options without a stream", { stream_options: { include_usage: true } }, "invalid_request", "stream_options"],
  ["a seed that is no integer", { seed: 1.5 }, "invalid_request", "seed"],
  ["a seed beyond exact integers", { seed: 2 ** 60 }, "invalid_request", "seed"],
  ["another model", { model: "gpt-4" }, "model_not_found", "model"],
  ["a model that scores", { model: "reward" }, "invalid_request", "model"],
  ["a model without a chat template", { model: "no-template" }, "invalid_request", "model"],
  ["a prompt beyond the context", { messages: [{ role: "user", content: "x".repeat(5000) }] }, "context_length_exceeded", "messages"],
];

const shared = startFixture({ after });

for (const [what, fields, code, param] of refused) {
  test(`${what} is refused by name`, async () => {
    const fixture = await shared;
    const response = await ask(fixture, { ...hello, ...fields });
    const { error } = response.json<ErrorBody>();
    assert.equal(response.statusCode, code === "model_not_found" ? 404 : 400, response.body);
    assert.deepEqual([error.code, error.param], [code, param], response.body);
    assert.equal(fixture.engine.stats().runningSequences, 0);
  });
}

test("a field that is missing is named", async (t) => {
  const fixture = await startFixture(t);
  for (const [body, param] of [
    [{ messages: hello.messages }, "model"],
    [{ model: "scripted" }, "messages"],
  ] as const) {
    const response = await ask(fixture, body);
    assert.deepEqual([response.statusCode, response.json<ErrorBody>().error.param], [400, param]);
  }
});

test("a full queue answers 429 with Retry-After, and the request passes later", async (t) => {
  let release!: () => void;
  const held = new Promise<void>((resolve) => (release = resolve));
  const fixture = await startFixture(t, {}, { maxSequences: 1, maxQueuedSequences: 0, beforeToken: () => held });
  const running = ask(fixture, hello);
  while (fixture.engine.stats().runningSequences === 0) await new Promise((resolve) => setImmediate(resolve));
  const refusal = await ask(fixture, hello);
  assert.equal(refusal.statusCode, 429);
  assert.equal(refusal.headers["retry-after"], "1");
  assert.equal(refusal.json<ErrorBody>().error.code, "overloaded");
  release();
  assert.equal((await running).statusCode, 200);
  assert.equal((await ask(fixture, hello)).statusCode, 200);
});

test("a bug in the engine answers 500 without telling its message", async (t) => {
  const fixture = await startFixture(t, {}, { failure: { position: 2, error: new Error("private detail") } });
  const response = await ask(fixture, hello);
  assert.equal(response.statusCode, 500);
  assert.equal(response.json<ErrorBody>().error.code, "internal");
  assert.doesNotMatch(response.body, /private/);
});
