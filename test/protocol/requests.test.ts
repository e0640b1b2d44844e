/** @file Validated bodies become engine requests: defaults, names, limits that need the model or two fields. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { BonsaiError, type ErrorDetails } from "../../src/errors/bonsai-error.ts";
import { chatToGenerateRequest } from "../../src/protocol/mapping/chat/request.ts";
import type { ChatCompletionRequest } from "../../src/protocol/wire/chat/request.ts";
import { completionToGenerateRequests } from "../../src/protocol/mapping/completions/request.ts";
import type { CompletionRequest } from "../../src/protocol/wire/completions/request.ts";
import { plainSampling } from "../../src/engine/sampling/sampler.ts";
import { scriptedModel } from "../server/scripted-engine.ts";

const model = scriptedModel("m", 512);
const limits = { maxN: 8, maxStopSequences: 4 };
const messages: ChatCompletionRequest["messages"] = [{ role: "user", content: "Hi" }];
const chat = (fields: Partial<ChatCompletionRequest> = {}) => chatToGenerateRequest({ model: "m", messages, ...fields }, model, 99);
const complete = (fields: Partial<CompletionRequest> = {}) =>
  completionToGenerateRequests({ model: "m", prompt: "Hi", ...fields }, model, limits, 99);

const refuses = (act: () => unknown, code: string, param: ErrorDetails["param"]): void => {
  assert.throws(act, (error) => error instanceof BonsaiError && error.code === code && error.param === param);
};

test("a bare chat request asks for one answer by the model's own distribution", () => {
  assert.deepEqual(chat(), {
    model: "m",
    prompt: { kind: "messages", messages: [{ role: "user", content: "Hi" }] },
    n: 1,
    maxTokens: undefined,
    sampling: plainSampling,
    seed: 99,
    stop: [],
    ignoreEos: false,
    logprobs: undefined,
    echo: false,
  });
});

test("null means the same as leaving a field out", () => {
  const nothing = Object.fromEntries(
    [
      "n",
      "stop",
      "seed",
      "temperature",
      "top_p",
      "top_k",
      "min_p",
      "max_tokens",
      "max_completion_tokens",
      "logprobs",
      "top_logprobs",
      "logit_bias",
      "presence_penalty",
      "frequency_penalty",
      "repetition_penalty",
      "stream",
      "stream_options",
      "ignore_eos",
      "best_of",
      "best_of_options",
      "user",
    ].map((field) => [field, null]),
  );
  assert.deepEqual(chat(nothing as Partial<ChatCompletionRequest>), chat());
});

test("every sampling field reaches the engine", () => {
  const { sampling, n, stop, logprobs, seed, ignoreEos } = chat({
    n: 3,
    stop: "END",
    seed: 7,
    temperature: 0.5,
    top_p: 0.9,
    top_k: 40,
    min_p: 0.1,
    presence_penalty: 0.3,
    frequency_penalty: 0.4,
    repetition_penalty: 1.2,
    logit_bias: { "5": -100, "256": 1.5 },
    logprobs: true,
    top_logprobs: 4,
    ignore_eos: true,
  });
  assert.deepEqual(sampling, {
    temperature: 0.5,
    topP: 0.9,
    topK: 40,
    minP: 0.1,
    presencePenalty: 0.3,
    frequencyPenalty: 0.4,
    repetitionPenalty: 1.2,
    logitBias: [
      [5, -100],
      [256, 1.5],
    ],
  });
  assert.deepEqual({ n, stop, logprobs, seed, ignoreEos }, { n: 3, stop: ["END"], logprobs: 4, seed: 7, ignoreEos: true });
});

test("top_k of -1 keeps all tokens, as vLLM has it", () => {
  assert.equal(chat({ top_k: -1 }).sampling.topK, 0);
});

test("any seed becomes an integer in [0, 2^53), and positive ones stay", () => {
  fc.assert(
    fc.property(fc.maxSafeInteger(), (seed) => {
      const mapped = chat({ seed }).seed;
      assert.ok(Number.isSafeInteger(mapped) && mapped >= 0);
      if (seed >= 0) assert.equal(mapped, seed);
      else assert.equal(mapped, Number(2n ** 53n + BigInt(seed)));
    }),
  );
});

test("parts of a message are joined in order", () => {
  const { prompt } = chat({
    messages: [
      {
        role: "user",
        name: "Ann",
        content: [
          { type: "text", text: "a" },
          { type: "text", text: "b" },
        ],
      },
    ],
  });
  assert.deepEqual(prompt, { kind: "messages", messages: [{ role: "user", content: "ab", name: "Ann" }] });
});

test("either name of the token limit counts, and two that differ are refused", () => {
  assert.equal(chat({ max_tokens: 5 }).maxTokens, 5);
  assert.equal(chat({ max_completion_tokens: 6 }).maxTokens, 6);
  assert.equal(chat({ max_tokens: 6, max_completion_tokens: 6 }).maxTokens, 6);
  refuses(() => chat({ max_tokens: 5, max_completion_tokens: 6 }), "invalid_request", "max_tokens");
});

test("fields that need another field are refused alone", () => {
  refuses(() => chat({ top_logprobs: 2 }), "invalid_request", "top_logprobs");
  refuses(() => chat({ stream_options: { include_usage: true } }), "invalid_request", "stream_options");
  refuses(() => complete({ max_tokens: 0 }), "invalid_request", "max_tokens");
  assert.equal(complete({ max_tokens: 0, echo: true })[0]!.maxTokens, 0);
});

test("a message without content is refused by place", () => {
  refuses(() => chat({ messages: [...messages, { role: "assistant", content: null }] }), "invalid_request", "messages[1].content");
});

test("token ids beyond the vocabulary are refused by place", () => {
  refuses(() => chat({ logit_bias: { "257": 1 } }), "invalid_request", "logit_bias.257");
  refuses(() => complete({ prompt: [1, 257] }), "invalid_request", "prompt[1]");
  refuses(() => complete({ prompt: [[1], [2, 999]] }), "invalid_request", "prompt[1][1]");
});

test("chat needs a chat template, completions do not", () => {
  const bare = { ...model, hasChatTemplate: false };
  refuses(() => chatToGenerateRequest({ model: "m", messages }, bare, 0), "invalid_request", "model");
  assert.equal(completionToGenerateRequests({ model: "m", prompt: "x" }, bare, limits, 0).length, 1);
});

test("each kind of prompt becomes one request for each prompt, all with one seed", () => {
  assert.deepEqual(
    complete({ prompt: null }).map((request) => request.prompt),
    [{ kind: "text", text: "" }],
  );
  assert.deepEqual(
    complete({ prompt: [1, 2] }).map((request) => request.prompt),
    [{ kind: "tokens", ids: [1, 2] }],
  );
  const several = complete({ prompt: ["a", "b"], n: 2 });
  assert.deepEqual(
    several.map((request) => request.prompt),
    [
      { kind: "text", text: "a" },
      { kind: "text", text: "b" },
    ],
  );
  assert.deepEqual(
    several.map((request) => request.seed),
    [99, 99],
  );
  assert.deepEqual(
    complete({ prompt: [[1], [2]] }).map((request) => request.prompt),
    [
      { kind: "tokens", ids: [1] },
      { kind: "tokens", ids: [2] },
    ],
  );
});

test("prompts times n may not exceed the limit of one request", () => {
  assert.equal(complete({ prompt: ["a", "b"], n: 4 }).length, 2);
  refuses(() => complete({ prompt: ["a", "b", "c"], n: 3 }), "request_too_large", "n");
});

test("an answer to completions has 16 tokens unless it says otherwise, as OpenAI has it", () => {
  assert.equal(complete()[0]!.maxTokens, 16);
});
