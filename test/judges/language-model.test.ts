/**
 * @file A language model as a judge: what counts as its verdict, what asking in both orders finds out, and what a
 * server may answer.
 */

import assert from "node:assert/strict";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, it, type TestContext } from "node:test";
import { BonsaiError } from "../../src/errors/bonsai-error.ts";
import { judgeByLanguageModel, positionBias, readMark, readVerdict } from "../../src/judges/language-model.ts";
import { httpTextModel } from "../../src/judges/text-model-http.ts";
import type { TextModel } from "../../src/judges/text-model.ts";
import { judgedAnswers } from "../evaluation/reward/judged-answers.ts";

/** A model that answers by its question alone. */
function modelThat(answer: (question: string) => string): TextModel {
  return {
    name: "rule",
    answer: async ({ messages, seed }) => [{ text: answer(messages.at(-1)!.content), isCut: false, seed }],
  };
}

function judgeThat(answer: (question: string) => string): ReturnType<typeof judgeByLanguageModel> {
  return judgeByLanguageModel("llm", { model: modelThat(answer), seed: 1 });
}

const answerA = /\[Answer A\]\n([^]*?)\n\[End of answer A\]/;
const answerB = /\[Answer B\]\n([^]*?)\n\[End of answer B\]/;
const judged = judgedAnswers(["long answer indeed", "short"]);

describe("a verdict", () => {
  it("is read where there is one, and never guessed", () => {
    for (const [text, verdict] of [
      ["Both are fine, but A is kinder. [[A]]", 1],
      ["[[b]]", -1],
      ["[[ C ]] since they are equal. So: [[C]]", 0],
      ["B", -1],
      [" (A). ", 1],
      ["[[A]] or rather [[B]]", undefined],
      ["Answer A is better.", undefined],
      ["", undefined],
      ["[[D]]", undefined],
      ["AB", undefined],
    ] as const)
      assert.equal(readVerdict(text), verdict, text);
  });

  it("is a mark where marks are asked for", () => {
    for (const [text, mark] of [
      ["Good. [[7]]", 7],
      ["8", 8],
      ["[[7.5]]", 7.5],
      ["[[0]]", undefined],
      ["[[11]]", undefined],
      ["[[3]] [[4]]", undefined],
      ["about 7 I think", undefined],
    ] as const)
      assert.equal(readMark(text), mark, text);
  });
});

describe("a language model that judges", () => {
  it("decides where it says the same in both orders", async () => {
    const longer = judgeThat((question) => (answerA.exec(question)![1]!.length > answerB.exec(question)![1]!.length ? "[[A]]" : "[[B]]"));
    assert.deepEqual(await longer.compare(judged, 0, 1), { preference: 1, orders: [1, -1] });
    assert.deepEqual(await longer.compare(judged, 1, 0), { preference: -1, orders: [-1, 1] });
    assert.deepEqual((await longer.rank(judgedAnswers(["ab", "a", "abc"]))).ranks, [2, 3, 1]);
  });

  it("that always likes the first answer prefers none, and its bias shows", async () => {
    const biased = judgeThat(() => "[[A]]");
    const verdict = await biased.compare(judged, 0, 1);
    assert.deepEqual(verdict, { preference: 0, orders: [1, 1] });
    assert.deepEqual(positionBias([...(verdict.orders ?? []), 1, -1, null, 0, 0, 0]), {
      verdicts: 8,
      unreadable: 1,
      forFirst: 3,
      forSecond: 1,
      pairs: 3,
      contradictions: 1,
    });
  });

  it("that cannot be understood has no opinion", async () => {
    const mumbling = judgeThat((question) => (answerA.exec(question)?.[1] === "short" ? "Hm." : "[[A]]"));
    assert.deepEqual(await mumbling.compare(judged, 0, 1), { orders: [1, null] });
    assert.equal((await mumbling.rank(judged)).ranks, undefined);
    assert.equal(await judgeThat(() => "well").score!(judged, 0), undefined);
    assert.deepEqual(await judgeThat(() => "[[9]]").score!(judged, 0), { score: 9 });
  });
});

describe("a model behind an address", () => {
  type Answer = (
    body: Record<string, unknown>,
    request: IncomingMessage,
    attempt: number,
  ) => { status?: number; body: unknown; headers?: Record<string, string> };

  async function serve(context: TestContext, answer: Answer): Promise<string> {
    let attempts = 0;
    const server = createServer((request: IncomingMessage, response: ServerResponse) => {
      let text = "";
      request.setEncoding("utf8").on("data", (piece: string) => (text += piece));
      request.on("end", () => {
        const { status = 200, body, headers = {} } = answer(JSON.parse(text) as Record<string, unknown>, request, attempts++);
        response.writeHead(status, headers).end(typeof body === "string" ? body : JSON.stringify(body));
      });
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    context.after(() => server.close());
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/`;
  }

  const completion = (content: unknown, reason = "stop"): unknown => ({ choices: [{ message: { content }, finish_reason: reason }] });
  const ask = (baseUrl: string, count = 1, apiKey = "secret", signal?: AbortSignal): ReturnType<TextModel["answer"]> =>
    httpTextModel({ baseUrl, model: "m", apiKey: apiKey || undefined, firstDelayMs: 1 }).answer(
      { messages: [{ role: "user", content: "Hi" }], count, seed: 3, temperature: 0.5, maxTokens: 9 },
      signal,
    );
  const failure = (code: string, message: RegExp) => (error: unknown) =>
    error instanceof BonsaiError && error.code === code && message.test(error.message);

  it("gets one request for each answer, each with a seed of its own that it states", async (context) => {
    const seen: Record<string, unknown>[] = [];
    const url = await serve(context, (body, request) => {
      assert.deepEqual([request.method, request.url, request.headers.authorization], ["POST", "/v1/chat/completions", "Bearer secret"]);
      seen.push(body);
      return { body: completion(`seed ${String(body["seed"])}`, "length") };
    });
    const answers = await ask(url, 3);
    assert.deepEqual(
      answers.map(({ text }) => text),
      answers.map(({ seed }) => `seed ${seed}`),
    );
    assert.equal(new Set(answers.map(({ seed }) => seed)).size, 3);
    assert.ok(answers.every(({ isCut }) => isCut));
    assert.deepEqual(
      { ...seen[0]!, seed: 0 },
      { model: "m", messages: [{ role: "user", content: "Hi" }], temperature: 0.5, max_tokens: 9, seed: 0, n: 1 },
    );
    assert.deepEqual(await ask(url, 3), answers);
  });

  it("is asked again where it is busy, and not where it refuses", async (context) => {
    const busy = await serve(context, (_, __, attempt) =>
      attempt < 2 ? { status: 429, body: {}, headers: { "retry-after": "0" } } : { body: completion("at last") },
    );
    assert.equal((await ask(busy))[0]!.text, "at last");
    let attempts = 0;
    const refusing = await serve(context, () => (attempts++, { status: 404, body: { error: { message: "No such model." } } }));
    await assert.rejects(ask(refusing), failure("usage", /answers 404: No such model\.$/));
    assert.equal(attempts, 1);
  });

  it("that breaks or talks nonsense is an error that says so, without the key", async (context) => {
    const broken = await serve(context, () => ({ status: 500, body: "oops" }));
    await assert.rejects(
      ask(broken),
      (error) => failure("upstream_failed", /answers 500, asked 6 times/)(error) && !String(error).includes("secret"),
    );
    for (const body of ["no JSON", {}, { choices: [] }, completion(undefined), completion(7)]) {
      const url = await serve(context, () => ({ body }));
      await assert.rejects(ask(url), failure("upstream_failed", /no chat completion/));
    }
    await assert.rejects(ask("http://127.0.0.1:1/v1"), failure("upstream_failed", /cannot be reached/));
  });

  it("gets no authorization without a key, whatever the environment holds", async (context) => {
    for (const name of ["OPENAI_API_KEY", "OPENAI_ORG_ID"]) {
      process.env[name] = "from the environment";
      context.after(() => delete process.env[name]);
    }
    let seen = "";
    const url = await serve(context, (_, { headers }) => {
      seen = JSON.stringify(headers);
      return { body: completion("yes") };
    });
    await ask(url, 1, "");
    assert.doesNotMatch(seen, /authorization|environment/i);
  });

  it("is left at once when the signal is aborted, also where it asked for a long wait", async (context) => {
    const abort = new AbortController();
    let attempts = 0;
    const url = await serve(context, () => {
      attempts++;
      setTimeout(() => abort.abort(), 50);
      return { status: 429, body: {}, headers: { "retry-after": "3600" } };
    });
    await assert.rejects(ask(url, 1, "secret", abort.signal), failure("cancelled", /stopped/));
    assert.equal(attempts, 1);
  });

  it("that answers without end is cut off and not asked again", async (context) => {
    let attempts = 0;
    const url = await serve(context, () => (attempts++, { body: completion("x".repeat(2 ** 24)) }));
    await assert.rejects(ask(url), failure("upstream_failed", /more than 16777216 bytes/));
    assert.equal(attempts, 1);
  });
});
