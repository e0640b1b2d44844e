/** @file POST /v1/completions: prompts of every kind, echo, legacy log-probabilities. */

import assert from "node:assert/strict";
import { after, test } from "node:test";
import type { Completion } from "../../src/protocol/wire/completions/response.ts";
import type { ErrorBody } from "../../src/protocol/wire/errors.ts";
import { dataOf, startFixture, type Fixture } from "./fixture.ts";

const complete = (fixture: Fixture, body: object) =>
  fixture.fastify.inject({ method: "POST", url: "/v1/completions", payload: { model: "scripted", ...body } });

test("a text is continued in OpenAI's shape", async (t) => {
  const response = await complete(await startFixture(t), { prompt: "Once", max_tokens: 5 });
  const { choices, usage, object } = response.json<Completion>();
  assert.equal(response.statusCode, 200);
  assert.equal(object, "text_completion");
  assert.deepEqual([choices.length, choices[0]!.finish_reason, choices[0]!.logprobs], [1, "length", null]);
  assert.deepEqual(usage, { prompt_tokens: 5, completion_tokens: 5, total_tokens: 10, prompt_tokens_details: { cached_tokens: 2 } });
});

test("several prompts with n answers each come in order, each as it comes alone", async (t) => {
  const fixture = await startFixture(t);
  const texts = async (prompt: unknown) =>
    (await complete(fixture, { prompt, n: 2, seed: 3, max_tokens: 30 })).json<Completion>().choices.map((choice) => choice.text);
  const together = (await complete(fixture, { prompt: ["one", "two", "three"], n: 2, seed: 3, max_tokens: 30 })).json<Completion>();
  assert.deepEqual(
    together.choices.map((choice) => choice.index),
    [0, 1, 2, 3, 4, 5],
  );
  assert.deepEqual(
    together.choices.map((choice) => choice.text),
    [...(await texts("one")), ...(await texts("two")), ...(await texts("three"))],
  );
  assert.equal(together.usage!.prompt_tokens, 4 + 4 + 6);
});

test("token ids are a prompt, alone and in lists", async (t) => {
  const fixture = await startFixture(t);
  assert.equal((await complete(fixture, { prompt: [72, 105] })).json<Completion>().usage!.prompt_tokens, 2);
  assert.equal((await complete(fixture, { prompt: [[72], [105, 33]] })).json<Completion>().choices.length, 2);
});

test("echo puts the prompt first, in text and in log-probabilities", async (t) => {
  const fixture = await startFixture(t);
  const { choices } = (await complete(fixture, { prompt: "Zoë", echo: true, logprobs: 1, max_tokens: 3, n: 2 })).json<Completion>();
  for (const { text, logprobs } of choices) {
    assert.ok(text.startsWith("Zoë"));
    assert.equal(logprobs!.tokens.length, 4 + 3);
    assert.deepEqual(logprobs!.text_offset, [0, 1, 2, 2, 3, 4, 5]);
    assert.equal(logprobs!.token_logprobs[0], null);
    assert.equal(logprobs!.top_logprobs[0], null);
  }
  const scored = (await complete(fixture, { prompt: "ab", echo: true, logprobs: 0, max_tokens: 0 })).json<Completion>();
  assert.deepEqual([scored.choices[0]!.text, scored.choices[0]!.logprobs!.tokens], ["ab", ["a", "b"]]);
});

test("a stream interleaves prompts and ends with one usage", async (t) => {
  const response = await complete(await startFixture(t), {
    prompt: ["a", "b"],
    max_tokens: 3,
    stream: true,
    stream_options: { include_usage: true },
  });
  const data = dataOf(response.body);
  assert.equal(data.at(-1), "[DONE]");
  const chunks = data.slice(0, -1).map((text) => JSON.parse(text) as Completion);
  assert.deepEqual(
    [...new Set(chunks.flatMap((chunk) => chunk.choices.map((choice) => choice.index)))].toSorted((left, right) => left - right),
    [0, 1],
  );
  assert.deepEqual(chunks.at(-1)!.choices, []);
  assert.deepEqual(chunks.at(-1)!.usage, {
    prompt_tokens: 4,
    completion_tokens: 6,
    total_tokens: 10,
    prompt_tokens_details: { cached_tokens: 2 },
  });
});

test("when one of several prompts fails, all are cancelled and the failure is told", async (t) => {
  const fixture = await startFixture(t);
  const response = await complete(fixture, { prompt: ["a", "x".repeat(5000), "b"], max_tokens: 3000, ignore_eos: true });
  assert.deepEqual([response.statusCode, response.json<ErrorBody>().error.code], [400, "context_length_exceeded"]);
  while (fixture.engine.stats().runningSequences > 0) await new Promise((resolve) => setImmediate(resolve));
});

const shared = startFixture({ after });

for (const [what, fields, code, param] of [
  ["an empty list", { prompt: [] }, "invalid_request", "prompt"],
  ["a mixed list", { prompt: ["a", 1] }, "invalid_request", "prompt[1]"],
  ["a negative token id", { prompt: [-1] }, "invalid_request", "prompt[0]"],
  ["a token id beyond the vocabulary", { prompt: [1, 257] }, "invalid_request", "prompt[1]"],
  ["an object", { prompt: {} }, "invalid_request", "prompt"],
  ["a suffix", { prompt: "a", suffix: "b" }, "unsupported_field", "suffix"],
  ["more sequences than a request may have", { prompt: ["a", "b"], n: 33 }, "request_too_large", "n"],
  ["more candidates than a request may have", { prompt: ["a", "b"], best_of: 33 }, "request_too_large", "best_of"],
  ["a field of chat", { prompt: "a", messages: [] }, "unsupported_field", "messages"],
] as const) {
  test(`${what} is refused by name`, async () => {
    const response = await complete(await shared, fields);
    const { error } = response.json<ErrorBody>();
    assert.equal(response.statusCode, 400);
    assert.deepEqual([error.code, error.param], [code, param], response.body);
  });
}
