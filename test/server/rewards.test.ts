/**
 * @file POST /v1/rewards and /v1/rerank at the HTTP edge: shapes, errors that name the field, limits, cancellation,
 * keys and metrics.
 */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import type { ErrorBody } from "../../src/protocol/wire/errors.ts";
import type { BonsaiServer } from "../../src/server/build-server.ts";
import { hello, listen, startFixture } from "./fixture.ts";

type Reply = Awaited<ReturnType<BonsaiServer["fastify"]["inject"]>>;

const post = ({ fastify }: BonsaiServer, url: string, payload: object, headers: Record<string, string> = {}): Promise<Reply> =>
  fastify.inject({ method: "POST", url, payload, headers });

const conversation = (answer: string): object => ({
  messages: [
    { role: "user", content: "Why?" },
    { role: "assistant", content: answer },
  ],
});
const rewards = (answers: readonly string[], rest: object = {}): object => ({ model: "reward", input: answers.map(conversation), ...rest });
const rerank = (rest: object = {}): object => ({
  model: "reward",
  query: "Why?",
  documents: ["four", "longest one", { text: "none!" }],
  ...rest,
});

function assertError(reply: Reply, status: number, code: string, param: string | null, message = /./): void {
  const { error } = reply.json<ErrorBody>();
  assert.deepEqual([reply.statusCode, error.code, error.param], [status, code, param], reply.body);
  assert.match(error.message, message);
}

describe("POST /v1/rewards", () => {
  test("gives each answer its reward, the raw one, and those of its dimensions by name", async (t) => {
    const server = await startFixture(t);
    const reply = await post(server, "/v1/rewards", rewards(["four", "longer!"]));
    assert.equal(reply.statusCode, 200, reply.body);
    // The scripted model's outputs are length and minus exclamation marks; holistic is (0.75 a + 0.25 b - 7) / 4.
    assert.deepEqual(reply.json(), {
      object: "list",
      model: "reward",
      data: [
        { object: "reward", index: 0, reward: -1, raw: 3, dimensions: { usefulness: -3, safety: 2 }, truncated: false },
        { object: "reward", index: 1, reward: -0.5, raw: 5, dimensions: { usefulness: -1.5, safety: 0 }, truncated: false },
      ],
      usage: { prompt_tokens: 10 + 13, total_tokens: 23, prompt_tokens_details: { cached_tokens: 2 }, truncated_tokens: 0 },
    });
  });

  test("takes whole conversations, with parts and every role", async (t) => {
    const server = await startFixture(t);
    const messages = [
      { role: "system", content: "Be a bear." },
      {
        role: "user",
        content: [
          { type: "text", text: "Hel" },
          { type: "text", text: "lo" },
        ],
      },
      { role: "assistant", content: "Hi", name: "bear" },
    ];
    assert.equal((await post(server, "/v1/rewards", { model: "reward", input: [{ messages }] })).statusCode, 200);
    const [read] = server.engine.scoreRequests[0]!.inputs;
    assert.deepEqual(
      [...read!.prompt, read!.answer],
      [
        { role: "system", content: "Be a bear." },
        { role: "user", content: "Hello" },
        { role: "assistant", content: "Hi", name: "bear" },
      ],
    );
  });

  test("hand answers to one question on with one prompt, which is tokenised once", async (t) => {
    const server = await startFixture(t);
    const asked = (question: string, answer: string): object => ({
      messages: [
        { role: "user", content: question },
        { role: "assistant", content: answer },
      ],
    });
    const body = { model: "reward", input: [asked("How?", "So."), asked("Why?", "So."), asked("How?", "With a needle.")] };
    assert.equal((await post(server, "/v1/rewards", body)).statusCode, 200);
    const [first, second, third] = server.engine.scoreRequests[0]!.inputs;
    assert.equal(first!.prompt, third!.prompt);
    assert.notEqual(first!.prompt, second!.prompt);
  });

  test("refuses with the place at fault what is no conversation with an answer", async (t) => {
    const server = await startFixture(t, { maxInputs: 2 });
    const input = (messages: unknown): object => ({ model: "reward", input: [conversation("good"), { messages }] });
    const cases: [body: object, param: string | null, message: RegExp][] = [
      [{ model: "reward" }, "input", /input is missing/],
      [{ model: "reward", input: [] }, "input", /must not be empty/],
      [rewards(["a", "b", "c"]), "input", /at most 2 entries/],
      [input([]), "input[1].messages", /must not be empty/],
      [input([{ role: "user", content: "Hi" }]), "input[1].messages", /must end with the answer/],
      [input([{ role: "assistant" }]), "input[1].messages[0].content", /is missing/],
      [input([{ role: "assistant", content: null }]), "input[1].messages[0].content", /is missing/],
      [input([{ role: "bear", content: "x" }]), "input[1].messages[0].role", /must be one of/],
      [rewards(["a"], { truncate: "yes" }), "truncate", /true or false/],
    ];
    for (const [body, param, message] of cases)
      assertError(await post(server, "/v1/rewards", body), 400, "invalid_request", param, message);
    assertError(await post(server, "/v1/rewards", rewards(["a"], { trunkate: true })), 400, "unsupported_field", "trunkate", /truncate/);
    const image = [{ role: "assistant", content: [{ type: "image_url", image_url: "x" }] }];
    assertError(
      await post(server, "/v1/rewards", input(image)),
      400,
      "unsupported_field",
      "input[1].messages[0].content[0]",
      /only text parts/,
    );
  });

  test("refuses what is too long unless it may be cut, and says what was", async (t) => {
    const server = await startFixture(t);
    const answers = ["short", "long ".repeat(80)];
    assertError(await post(server, "/v1/rewards", rewards(answers)), 400, "context_length_exceeded", "input[1]");
    const reply = await post(server, "/v1/rewards", rewards(answers, { truncate: true }));
    const { data, usage } = reply.json<{ data: { truncated: boolean }[]; usage: { truncated_tokens: number; prompt_tokens: number } }>();
    assert.deepEqual(
      data.map(({ truncated }) => truncated),
      [false, true],
    );
    assert.deepEqual([usage.truncated_tokens, usage.prompt_tokens], [406 - 256, 11 + 256]);
  });
});

describe("POST /v1/rerank", () => {
  test("gives the documents best first, in Jina's and Cohere's shape", async (t) => {
    const server = await startFixture(t);
    const reply = await post(server, "/v1/rerank", rerank());
    assert.equal(reply.statusCode, 200, reply.body);
    const { results, usage } = reply.json<{ results: { relevance_score: number }[]; usage: object }>();
    assert.deepEqual(results, [
      { index: 1, relevance_score: 0.3125, document: { text: "longest one" }, truncated: false },
      { index: 2, relevance_score: -0.875, document: { text: "none!" }, truncated: false },
      { index: 0, relevance_score: -1, document: { text: "four" }, truncated: false },
    ]);
    assert.deepEqual(usage, { prompt_tokens: 38, total_tokens: 38, prompt_tokens_details: { cached_tokens: 3 }, truncated_tokens: 0 });
    const top = await post(server, "/v1/rerank", rerank({ top_n: 1, return_documents: false }));
    assert.deepEqual(top.json<{ results: object[] }>().results, [{ index: 1, relevance_score: 0.3125, truncated: false }]);
  });

  test("orders any documents as their rewards are, those that are equal as they came", async (t) => {
    const server = await startFixture(t);
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.stringMatching(/^[a-z!]{0,12}$/), { minLength: 1, maxLength: 12 }),
        fc.integer({ min: 1, max: 15 }),
        async (documents, top) => {
          const ranked = await post(server, "/v1/rerank", rerank({ documents, top_n: top }));
          const scored = await post(server, "/v1/rewards", rewards(documents));
          const { results } = ranked.json<{ results: { index: number; relevance_score: number }[] }>();
          const expected = scored
            .json<{ data: { index: number; reward: number }[] }>()
            .data.map(({ index, reward }) => ({ index, relevance_score: reward }))
            .toSorted((one, other) => other.relevance_score - one.relevance_score || one.index - other.index);
          assert.deepEqual(
            results.map(({ index, relevance_score }) => ({ index, relevance_score })),
            expected.slice(0, top),
          );
        },
      ),
      { numRuns: 50 },
    );
  });

  test("refuses with the field at fault", async (t) => {
    const server = await startFixture(t, { maxInputs: 3 });
    const cases: [rest: object, code: string, param: string][] = [
      [{ query: "" }, "invalid_request", "query"],
      [{ documents: [] }, "invalid_request", "documents"],
      [{ documents: ["a", "b", "c", "d"] }, "invalid_request", "documents"],
      [{ documents: ["a", 1] }, "invalid_request", "documents[1]"],
      [{ documents: [{ title: "a" }] }, "invalid_request", "documents[0].text"],
      [{ documents: [{ text: "a", title: "b" }] }, "unsupported_field", "documents[0].title"],
      [{ top_n: 0 }, "invalid_request", "top_n"],
      [{ max_tokens_per_doc: 100 }, "unsupported_field", "max_tokens_per_doc"],
      [{ documents: ["a", "b".repeat(300)] }, "context_length_exceeded", "documents[1]"],
    ];
    for (const [rest, code, param] of cases) assertError(await post(server, "/v1/rerank", rerank(rest)), 400, code, param);
  });
});

for (const [url, body] of [
  ["/v1/rewards", rewards(["a"])],
  ["/v1/rerank", rerank()],
] as const) {
  describe(`${url} as every route that costs work`, () => {
    test("knows reward models only, and chat completions policies only", async (t) => {
      const server = await startFixture(t);
      assertError(
        await post(server, url, { ...body, model: "scripted" }),
        400,
        "invalid_request",
        "model",
        /writes answers and scores none/,
      );
      assertError(await post(server, url, { ...body, model: "nobody" }), 404, "model_not_found", "model");
      const chat = await post(server, "/v1/chat/completions", { ...hello, model: "reward" });
      assertError(chat, 400, "invalid_request", "model", /scores answers and writes none: use \/v1\/rewards/);
    });

    test("asks for a key where there are keys", async (t) => {
      const server = await startFixture(t, { apiKey: ["secret"] });
      assertError(await post(server, url, body), 401, "invalid_api_key", null);
      assert.equal((await post(server, url, body, { authorization: "Bearer secret" })).statusCode, 200);
    });

    test("answers 429 with a time to come back when the queue is full", async (t) => {
      const server = await startFixture(t, {}, { maxQueuedSequences: 0 });
      const reply = await post(server, url, body);
      assertError(reply, 429, "overloaded", null);
      assert.ok(Number(reply.headers["retry-after"]) > 0);
    });

    test("frees what a client that left had asked for", async (t) => {
      let begin!: () => void;
      const begun = new Promise<void>((resolve) => (begin = resolve));
      let leave!: () => void;
      const left = new Promise<void>((resolve) => (leave = resolve));
      const beforeScore = async (signal: AbortSignal | undefined): Promise<void> => {
        signal?.addEventListener("abort", leave);
        begin();
        await left;
      };
      const server = await startFixture(t, {}, { beforeScore });
      const address = await listen(server);
      const controller = new AbortController();
      const asked = fetch(address + url, {
        method: "POST",
        body: JSON.stringify(body),
        headers: { "content-type": "application/json" },
        signal: controller.signal,
      });
      await begun;
      controller.abort();
      await assert.rejects(asked);
      await left;
    });
  });
}

test("scored answers are counted in the metrics, and reward models are listed with what their rewards mean", async (t) => {
  const server = await startFixture(t);
  await post(server, "/v1/rewards", rewards(["a", "bc"]));
  const metrics = (await server.fastify.inject({ url: "/metrics" })).body;
  assert.match(metrics, /^bonsai_scored_inputs_total 2$/m);
  assert.match(metrics, /^bonsai_scored_tokens_total 15$/m);
  const { kind, card } = (await server.fastify.inject({ url: "/v1/models/reward" })).json<{
    kind: string;
    card: Record<string, unknown>;
  }>();
  assert.equal(kind, "reward");
  assert.deepEqual(card["reward"], {
    form: "decoder",
    dimensions: ["usefulness", "safety"],
    weights: [0.75, 0.25],
    reference: "made up",
  });
  assert.equal(card["context_length"], 256);
});
