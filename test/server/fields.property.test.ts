/** @file Whatever JSON a field holds, the server answers 2xx or 4xx in OpenAI's shape, and goes on serving. */

import assert from "node:assert/strict";
import { after, test } from "node:test";
import fc from "fast-check";
import { chatCompletionRequest } from "../../src/protocol/wire/chat/request.ts";
import { completionRequest } from "../../src/protocol/wire/completions/request.ts";
import type { ErrorBody } from "../../src/protocol/wire/errors.ts";
import { responseRequest } from "../../src/protocol/wire/responses/request.ts";
import { rerankRequest } from "../../src/protocol/wire/rerank.ts";
import { rewardsRequest } from "../../src/protocol/wire/rewards.ts";
import { startFixture } from "./fixture.ts";

const limits = { maxN: 64, maxStopSequences: 16, maxInputs: 256 };
const shared = startFixture({ after }, {}, { contextLength: 256, maxSequences: 256 });

/** Random JSON, and values at the edges of what fields take. */
const anyValue = fc.oneof(
  { weight: 3, arbitrary: fc.jsonValue({ maxDepth: 3, noUnicodeString: false }) },
  {
    weight: 3,
    arbitrary: fc.constantFrom<unknown>(
      0,
      -0,
      -1,
      1,
      2,
      64,
      65,
      0.5,
      1e308,
      -1e308,
      2 ** 53,
      2 ** 31,
      "",
      "a",
      "\u0000",
      "\uD800",
      "🧵",
      [],
      {},
      [""],
      [[]],
      [null],
      { type: "text" },
      { type: "text", valueOf: 1 },
      { valueOf: null, toString: 0, hasOwnProperty: "x", constructor: {} },
      null,
      true,
      false,
    ),
  },
  { weight: 1, arbitrary: fc.array(fc.integer(), { maxLength: 40 }) },
  { weight: 1, arbitrary: fc.dictionary(fc.oneof(fc.nat().map(String), fc.string()), fc.double()) },
  {
    weight: 1,
    arbitrary: fc.array(
      fc.record(
        { role: fc.constantFrom("user", "assistant", "system", "tool", "x"), content: fc.oneof(fc.string(), fc.jsonValue()) },
        { requiredKeys: [] },
      ),
      { maxLength: 3 },
    ),
  },
);

async function answersInShape(url: string, payload: string): Promise<void> {
  const { fastify } = await shared;
  const response = await fastify.inject({ method: "POST", url, headers: { "content-type": "application/json" }, payload });
  assert.ok(response.statusCode >= 200 && response.statusCode < 500, `${response.statusCode} ${response.body} for ${payload}`);
  if (response.statusCode < 300) return;
  const { error } = response.json<ErrorBody>();
  assert.deepEqual(Object.keys(error).toSorted(), ["code", "message", "param", "type"]);
  assert.ok(error.message.length > 0 && error.message.length < 400, error.message);
}

const routes = [
  [
    "/v1/chat/completions",
    Object.keys(chatCompletionRequest(limits).properties),
    { model: "scripted", messages: [{ role: "user", content: "Hi" }], max_tokens: 8 },
  ],
  ["/v1/responses", Object.keys(responseRequest(limits).properties), { model: "scripted", input: "Hi", max_output_tokens: 8 }],
  ["/v1/completions", Object.keys(completionRequest(limits).properties), { model: "scripted", prompt: "Hi", max_tokens: 8 }],
  [
    "/v1/rewards",
    Object.keys(rewardsRequest(limits).properties),
    { model: "reward", input: [{ messages: [{ role: "assistant", content: "Hi" }] }] },
  ],
  ["/v1/rerank", Object.keys(rerankRequest(limits).properties), { model: "reward", query: "Hi", documents: ["Hello", { text: "Bye" }] }],
] as const;

for (const [url, fields, base] of routes) {
  for (const field of fields) {
    test(`any value of ${field} in ${url} is taken or refused`, async () => {
      await fc.assert(
        fc.asyncProperty(anyValue, async (value) => answersInShape(url, JSON.stringify({ ...base, [field]: value }))),
        { numRuns: 40 },
      );
    });
  }

  test(`any mixture of fields in ${url} is taken or refused`, async () => {
    const mixture = fc.dictionary(fc.oneof(fc.constantFrom(...fields), fc.string()), anyValue, { maxKeys: 5 });
    await fc.assert(
      fc.asyncProperty(mixture, async (values) => answersInShape(url, JSON.stringify({ ...base, ...values }))),
      { numRuns: 150 },
    );
  });

  test(`any text as the body of ${url} is refused, never a failure`, async () => {
    const body = JSON.stringify({ ...base, stream: true });
    const damaged = fc
      .tuple(fc.nat({ max: body.length - 1 }), fc.string({ maxLength: 3 }))
      .map(([place, text]) => body.slice(0, place) + text + body.slice(place + text.length));
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.string(), fc.json(), damaged), async (text) => answersInShape(url, text)),
      { numRuns: 150 },
    );
  });
}

test("valid sampling fields are taken, however they are combined", async () => {
  const valid = fc.record(
    {
      n: fc.integer({ min: 1, max: 4 }),
      stop: fc.oneof(
        fc.string({ minLength: 1 }),
        fc.array(fc.string({ minLength: 1, maxLength: 20 }), { maxLength: 16 }),
        fc.constant(null),
      ),
      seed: fc.maxSafeInteger(),
      temperature: fc.float({ min: 0, max: 2, noNaN: true }),
      top_p: fc.float({ min: 0, max: 1, noNaN: true }),
      top_k: fc.integer({ min: -1, max: 1000 }),
      min_p: fc.float({ min: 0, max: 1, noNaN: true }),
      presence_penalty: fc.float({ min: -2, max: 2, noNaN: true }),
      frequency_penalty: fc.float({ min: -2, max: 2, noNaN: true }),
      repetition_penalty: fc.float({ min: Math.fround(0.1), max: 2, noNaN: true }),
      logit_bias: fc.dictionary(fc.integer({ min: 0, max: 256 }).map(String), fc.float({ min: -100, max: 100, noNaN: true })),
      max_tokens: fc.integer({ min: 1, max: 20 }),
      logprobs: fc.boolean(),
      stream: fc.boolean(),
      ignore_eos: fc.boolean(),
      user: fc.string(),
    },
    { requiredKeys: [] },
  );
  const { fastify } = await shared;
  await fc.assert(
    fc.asyncProperty(valid, async (fields) => {
      const payload = {
        model: "scripted",
        messages: [{ role: "user", content: "Hi" }],
        max_completion_tokens: fields.max_tokens ?? 20,
        ...fields,
      };
      const response = await fastify.inject({ method: "POST", url: "/v1/chat/completions", payload });
      assert.equal(response.statusCode, 200, `${response.body} for ${JSON.stringify(payload)}`);
    }),
    { numRuns: 150 },
  );
});

test("after all of that nothing is left running", async () => {
  const { engine, lifecycle } = await shared;
  assert.deepEqual([engine.stats().runningSequences, engine.stats().waitingSequences, lifecycle.running], [0, 0, 0]);
});
