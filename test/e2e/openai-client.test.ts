/** @file The official `openai` client against the whole program: over a tiny model always, over SmolLM2 where it is. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import OpenAI from "openai";
import { preparedModels } from "../fixtures/prepared-models.ts";
import { smolLM2Path, withoutSmolLM2 } from "../fixtures/real-models.ts";
import { temporaryFolder } from "../fixtures/temporary-folder.ts";
import { writeTinyModel } from "../fixtures/tiny-model.ts";
import { startServeProgram, type RunningServer } from "./program.ts";

const messages: OpenAI.ChatCompletionMessageParam[] = [{ role: "user", content: "Name three colours." }];

function suite(name: string, skip: string | false, modelPath: (folder: string) => string, options: string[]): void {
  describe(`the official client over ${name}`, { skip }, () => {
    const folder = temporaryFolder();
    const key = "sk-end-to-end";
    const model = "served";
    let server: RunningServer;
    let client: OpenAI;

    before(async () => {
      server = await startServeProgram(
        ["--model", `${model}=${modelPath(folder)}`, "--cache-dir", preparedModels(), "--log-level", "warn", ...options],
        {
          environment: { BONSAI_API_KEY: key },
        },
      );
      client = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: key, maxRetries: 0 });
    });
    after(async () => {
      const { status } = await server.stop();
      assert.equal(status, 0);
    });

    const chat = async (fields: Partial<OpenAI.ChatCompletionCreateParamsNonStreaming> = {}) =>
      client.chat.completions.create({ model, messages, max_tokens: 16, seed: 1, ...fields });
    const metric = async (metricName: string): Promise<number> => {
      const text = await (await fetch(`${server.url}/metrics`, { headers: { authorization: `Bearer ${key}` } })).text();
      return Number(new RegExp(`^${metricName} (\\S+)$`, "m").exec(text)![1]);
    };
    const untilIdle = async (): Promise<void> => {
      while ((await metric("bonsai_sequences_running")) > 0) await new Promise((resolve) => setTimeout(resolve, 10));
    };

    test("lists and retrieves models", async () => {
      const ids: string[] = [];
      for await (const entry of client.models.list()) ids.push(entry.id);
      assert.deepEqual(ids, [model]);
      assert.equal((await client.models.retrieve(model)).object, "model");
      await assert.rejects(client.models.retrieve("none"), OpenAI.NotFoundError);
    });

    test("answers a chat, the same bytes for the same seed", async () => {
      const [first, second, other] = [await chat(), await chat(), await chat({ seed: 2 })];
      assert.equal(first.choices[0]!.message.content, second.choices[0]!.message.content);
      assert.notEqual(first.choices[0]!.message.content, other.choices[0]!.message.content);
      assert.ok(first.usage!.completion_tokens <= 16);
      assert.equal(first.usage!.total_tokens, first.usage!.prompt_tokens + first.usage!.completion_tokens);
      assert.ok(first.system_fingerprint!.length > 0);
    });

    test("streams what it answers whole, with usage at the end", async () => {
      const whole = await chat({ n: 2 });
      const stream = await client.chat.completions.create({
        model,
        messages,
        max_tokens: 16,
        seed: 1,
        n: 2,
        stream: true,
        stream_options: { include_usage: true },
      });
      const texts = ["", ""];
      const reasons: (string | null)[] = [null, null];
      let usage: OpenAI.CompletionUsage | null | undefined;
      for await (const chunk of stream) {
        for (const choice of chunk.choices) {
          texts[choice.index] += choice.delta.content ?? "";
          reasons[choice.index] = choice.finish_reason ?? reasons[choice.index]!;
        }
        usage = chunk.usage;
      }
      assert.deepEqual(
        texts,
        whole.choices.map((choice) => choice.message.content),
      );
      assert.deepEqual(
        reasons,
        whole.choices.map((choice) => choice.finish_reason),
      );
      assert.equal(usage!.completion_tokens, whole.usage!.completion_tokens);
    });

    test("the streaming helper puts the same message together", async () => {
      const final = await client.chat.completions.stream({ model, messages, max_tokens: 16, seed: 1 }).finalMessage();
      assert.equal(final.content, (await chat()).choices[0]!.message.content);
    });

    test("candidate i of n answers is its own, and equal requests give equal candidates", async () => {
      const [left, right] = await Promise.all([chat({ n: 4 }), chat({ n: 4 })]);
      assert.equal(left.choices.length, 4);
      assert.deepEqual(left.choices, right.choices);
      assert.ok(new Set(left.choices.map((choice) => choice.message.content)).size > 1);
      assert.equal(left.choices[0]!.message.content, (await chat()).choices[0]!.message.content);
    });

    test("an answer ends before a stop string", async () => {
      const whole = (await chat({ temperature: 0, max_tokens: 24 })).choices[0]!.message.content!;
      const stop = whole.slice(Math.floor(whole.length / 2)).slice(0, 3);
      const stopped = (await chat({ temperature: 0, max_tokens: 24, stop: [stop] })).choices[0]!;
      assert.equal(stopped.message.content, whole.slice(0, whole.indexOf(stop)));
      assert.equal(stopped.finish_reason, "stop");
    });

    test("log-probabilities have one entry a token, the likeliest first", async () => {
      const { choices, usage } = await chat({ logprobs: true, top_logprobs: 3, temperature: 0, max_tokens: 6 });
      const content = choices[0]!.logprobs!.content!;
      assert.equal(content.length, usage!.completion_tokens);
      for (const token of content) {
        assert.ok(token.logprob <= 0);
        assert.equal(token.top_logprobs.length, 3);
        assert.equal(token.top_logprobs[0]!.token, token.token);
        assert.ok(token.top_logprobs[0]!.logprob >= token.top_logprobs[1]!.logprob);
      }
      assert.equal(content.map((token) => new TextDecoder().decode(Uint8Array.from(token.bytes!))).join("").length > 0, true);
    });

    test("a bias of -100 keeps a token out, and of 100 puts it in everywhere", async () => {
      const forced = await client.completions.create({
        model,
        prompt: "Hello",
        max_tokens: 4,
        temperature: 1,
        seed: 3,
        logit_bias: { "40": 100 },
        logprobs: 0,
      });
      const tokens = forced.choices[0]!.logprobs!.tokens!;
      assert.equal(new Set(tokens).size, 1);
      const without = await client.completions.create({
        model,
        prompt: "Hello",
        max_tokens: 4,
        temperature: 0,
        logit_bias: { "40": -100 },
        logprobs: 0,
      });
      assert.ok(!without.choices[0]!.logprobs!.tokens!.includes(tokens[0]!));
    });

    test("completions take texts, lists and token ids, and echo them", async () => {
      const several = await client.completions.create({ model, prompt: ["One", "Two"], n: 2, max_tokens: 4, seed: 1 });
      assert.deepEqual(
        several.choices.map((choice) => choice.index),
        [0, 1, 2, 3],
      );
      const alone = await client.completions.create({ model, prompt: "Two", n: 2, max_tokens: 4, seed: 1 });
      assert.deepEqual(
        several.choices.slice(2).map((choice) => choice.text),
        alone.choices.map((choice) => choice.text),
      );
      assert.equal((await client.completions.create({ model, prompt: [40, 41, 42], max_tokens: 2 })).usage!.prompt_tokens, 3);
      const echoed = await client.completions.create({ model, prompt: "Once upon", echo: true, logprobs: 1, max_tokens: 2, seed: 1 });
      assert.ok(echoed.choices[0]!.text.includes("Once upon"));
      const { tokens, token_logprobs: logprobs, text_offset: offsets } = echoed.choices[0]!.logprobs!;
      assert.ok(tokens!.length === logprobs!.length && tokens!.length === offsets!.length);
      assert.equal(tokens!.length, echoed.usage!.total_tokens);
    });

    test("a prompt can be scored without an answer", async () => {
      const scored = await client.completions.create({ model, prompt: "Once upon a time", echo: true, logprobs: 0, max_tokens: 0 });
      assert.equal(scored.choices[0]!.text, "Once upon a time");
      assert.equal(scored.usage!.completion_tokens, 0);
      assert.ok(scored.choices[0]!.logprobs!.token_logprobs!.slice(1).every((logprob) => logprob <= 0));
    });

    test("an empty prompt, and an empty message, are answered or refused, never a failure", async () => {
      for (const request of [
        client.completions.create({ model, prompt: "", max_tokens: 2 }),
        client.completions.create({ model, prompt: null, max_tokens: 2 }),
        chat({ messages: [{ role: "user", content: "" }], max_tokens: 2 }),
      ]) {
        try {
          assert.equal((await request).choices.length, 1);
        } catch (error) {
          assert.ok(error instanceof OpenAI.BadRequestError, String(error));
        }
      }
    });

    test("a client that leaves a stream frees its sequences", async () => {
      const stream = await client.chat.completions.create({ model, messages, n: 4, stream: true, ...({ ignore_eos: true } as object) });
      for await (const chunk of stream) {
        if (chunk.choices[0]?.delta.content) break;
      }
      await untilIdle();
    });

    test("an aborted request rejects as the client's own abort and frees its sequences", async () => {
      const abort = new AbortController();
      const answer = client.chat.completions.create(
        { model, messages, n: 4, ...({ ignore_eos: true } as object) },
        { signal: abort.signal },
      );
      setTimeout(() => abort.abort(), 50);
      await assert.rejects(answer, OpenAI.APIUserAbortError);
      await untilIdle();
    });

    test("errors have the client's classes, codes and fields", async () => {
      await assert.rejects(
        chat({ model: "gpt-4" }),
        (error) => error instanceof OpenAI.NotFoundError && error.code === "model_not_found" && error.param === "model",
      );
      await assert.rejects(
        chat({ temperature: 3 }),
        (error) => error instanceof OpenAI.BadRequestError && error.param === "temperature" && error.type === "invalid_request_error",
      );
      await assert.rejects(
        chat({ tools: [{ type: "function", function: { name: "f" } }] }),
        (error) => error instanceof OpenAI.BadRequestError && error.code === "unsupported_field" && error.param === "tools",
      );
      await assert.rejects(
        chat({ messages: [{ role: "user", content: "word ".repeat(20_000) }] }),
        (error) => error instanceof OpenAI.BadRequestError && error.code === "context_length_exceeded",
      );
      const stranger = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: "sk-wrong", maxRetries: 0 });
      await assert.rejects(
        stranger.models.list().then(() => undefined),
        OpenAI.AuthenticationError,
      );
    });

    test("a refusal of the queue is a RateLimitError with Retry-After, and the client's own retries pass", async () => {
      const crowd = Array.from({ length: 12 }, async (_, seed) => chat({ n: 4, seed, ...({ ignore_eos: true } as object) }));
      const results = await Promise.allSettled(crowd);
      const refusals = results.filter((result) => result.status === "rejected").map((result) => result.reason as unknown);
      assert.ok(refusals.length > 0, "the queue of this server is short");
      for (const refusal of refusals) {
        assert.ok(refusal instanceof OpenAI.RateLimitError, String(refusal));
        assert.equal(refusal.code, "overloaded");
        assert.ok(Number(refusal.headers.get("retry-after")) >= 1);
      }
      const patient = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: key, maxRetries: 10 });
      const answers = await Promise.all(
        Array.from({ length: 6 }, async (_, seed) => patient.chat.completions.create({ model, messages, n: 4, max_tokens: 4, seed })),
      );
      assert.ok(answers.every((answer) => answer.choices.length === 4));
    });
  });
}

// Room for two requests of four sequences at once, and for two more in the queue.
const short = ["--max-sequences", "8", "--max-queued-sequences", "8"];

suite(
  "a tiny model",
  false,
  (folder) => {
    writeTinyModel(join(folder, "tiny"));
    return join(folder, "tiny");
  },
  ["--quantization", "fp32", ...short],
);
suite("SmolLM2", withoutSmolLM2, () => smolLM2Path()!, short);
