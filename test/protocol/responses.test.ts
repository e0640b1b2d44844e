/** @file Engine events become answers and chunks: the chunks of a stream put together are the whole answer. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { GenerateEvent, GenerateRequest } from "../../src/engine/contract/request.ts";
import type { PromptEvent } from "../../src/protocol/mapping/completions/response.ts";
import { ChatChunkEncoder, ChatCompletionCollector } from "../../src/protocol/mapping/chat/response.ts";
import { CompletionLogprobsWriter } from "../../src/protocol/mapping/completions/logprobs.ts";
import { CompletionChunkEncoder, CompletionCollector } from "../../src/protocol/mapping/completions/response.ts";
import { plainSampling } from "../../src/engine/sampling/sampler.ts";
import { ScriptedEngine } from "../server/scripted-engine.ts";

const head = { id: "x", created: 1, model: "m", system_fingerprint: "fp" };

async function eventsOf(fields: Partial<GenerateRequest>): Promise<GenerateEvent[]> {
  const request: GenerateRequest = {
    model: "scripted",
    prompt: { kind: "text", text: "Once" },
    n: 1,
    maxTokens: 40,
    sampling: plainSampling,
    seed: 1,
    stop: [],
    ignoreEos: false,
    logprobs: undefined,
    echo: false,
    ...fields,
  };
  const events: GenerateEvent[] = [];
  for await (const event of new ScriptedEngine().generate(request)) events.push(event);
  return events;
}

const requestFields = fc.record({
  n: fc.integer({ min: 1, max: 4 }),
  maxTokens: fc.integer({ min: 1, max: 60 }),
  seed: fc.nat(),
  logprobs: fc.option(fc.integer({ min: 0, max: 3 }), { nil: undefined }),
  stop: fc.constantFrom<string[][]>([], ["seam"], ["🧵", " t"]),
});

test("the chunks of a chat stream add up to the whole answer", async () => {
  await fc.assert(
    fc.asyncProperty(requestFields, fc.boolean(), async (fields, includeUsage) => {
      const events = await eventsOf(fields);
      const collector = new ChatCompletionCollector(fields.n);
      const encoder = new ChatChunkEncoder(head, fields.n, includeUsage);
      const chunks = events.flatMap((event) => {
        collector.add(event);
        return encoder.encode(event);
      });
      const whole = collector.answer(head, fields.logprobs !== undefined);
      for (const choice of whole.choices) {
        const own = chunks.flatMap((chunk) => chunk.choices.filter((piece) => piece.index === choice.index));
        assert.deepEqual(own[0]!.delta, { role: "assistant", content: "" });
        assert.equal(own.map((piece) => piece.delta.content ?? "").join(""), choice.message.content);
        assert.deepEqual(
          own.map((piece) => piece.finish_reason).filter((reason) => reason !== null),
          [choice.finish_reason],
        );
        assert.equal(own.at(-1)!.finish_reason, choice.finish_reason);
        if (fields.logprobs !== undefined)
          assert.deepEqual(
            own.flatMap((piece) => piece.logprobs?.content ?? []),
            choice.logprobs!.content,
          );
        else assert.equal(choice.logprobs, null);
        if (fields.logprobs === undefined)
          assert.ok(
            own.slice(1, -1).every((piece) => piece.delta.content !== ""),
            "no empty chunks",
          );
      }
      if (includeUsage) {
        assert.deepEqual(chunks.at(-1), { ...head, object: "chat.completion.chunk", choices: [], usage: whole.usage });
        assert.ok(chunks.slice(0, -1).every((chunk) => chunk.usage === null));
      } else {
        assert.ok(chunks.every((chunk) => !("usage" in chunk) && chunk.choices.length === 1));
      }
    }),
    { numRuns: 60 },
  );
});

test("the chunks of a completion stream add up to the whole answer, with several prompts and echo", async () => {
  await fc.assert(
    fc.asyncProperty(
      requestFields,
      fc.array(fc.string({ minLength: 1, maxLength: 8 }), { minLength: 1, maxLength: 3 }),
      fc.boolean(),
      async (fields, prompts, echo) => {
        const perPrompt = await Promise.all(prompts.map((text) => eventsOf({ ...fields, echo, prompt: { kind: "text", text } })));
        // Round robin, as the engine would interleave them.
        const events: PromptEvent[] = [];
        for (let place = 0; perPrompt.some((list) => place < list.length); place++) {
          perPrompt.forEach((list, prompt) => {
            if (place < list.length) events.push({ prompt, event: list[place]! });
          });
        }
        const collector = new CompletionCollector(prompts.length, fields.n);
        const encoder = new CompletionChunkEncoder(head, prompts.length, fields.n, true);
        const chunks = events.flatMap((event) => {
          collector.add(event);
          return encoder.encode(event);
        });
        const whole = collector.answer(head, fields.logprobs !== undefined);
        assert.equal(whole.choices.length, prompts.length * fields.n);
        for (const choice of whole.choices) {
          const own = chunks.flatMap((chunk) => chunk.choices.filter((piece) => piece.index === choice.index));
          assert.equal(own.map((piece) => piece.text).join(""), choice.text);
          if (echo)
            assert.ok(
              choice.text.startsWith(prompts[Math.floor(choice.index / fields.n)]!.replaceAll(/[\uD800-\uDFFF]/g, "\uFFFD")) ||
                /[\uD800-\uDFFF]/.test(prompts.join("")),
            );
          assert.deepEqual(
            own.flatMap((piece) => piece.logprobs?.text_offset ?? []),
            choice.logprobs?.text_offset ?? [],
          );
          assert.deepEqual(
            own.flatMap((piece) => piece.logprobs?.tokens ?? []),
            choice.logprobs?.tokens ?? [],
          );
          assert.deepEqual(
            own.map((piece) => piece.finish_reason).filter((reason) => reason !== null),
            [choice.finish_reason],
          );
        }
        assert.deepEqual(
          chunks.filter((chunk) => chunk.usage !== null),
          [{ ...head, object: "text_completion", choices: [], usage: whole.usage }],
        );
      },
    ),
    { numRuns: 60 },
  );
});

test("usage counts a prompt once and the tokens of every choice", async () => {
  const collector = new ChatCompletionCollector(3);
  const events = await eventsOf({ n: 3 });
  for (const event of events) collector.add(event);
  const { usage } = collector.answer(head, false);
  const generated = events.reduce((sum, event) => sum + (event.type === "finish" ? event.completionTokens : 0), 0);
  assert.deepEqual(usage, {
    prompt_tokens: 5,
    completion_tokens: generated,
    total_tokens: 5 + generated,
    prompt_tokens_details: { cached_tokens: 2 },
  });
});

test("a delta may have more log-probabilities than a call takes arguments", () => {
  const collector = new ChatCompletionCollector(1);
  const one = { token: "a", bytes: [97], logprob: -1, top: [] };
  const logprobs = Array.from({ length: 200_000 }, () => one);
  collector.add({ type: "delta", index: 0, text: "a", tokenIds: [], logprobs });
  assert.equal(collector.answer(head, true).choices[0]!.logprobs!.content.length, logprobs.length);
});

test("token offsets point at the character that a token starts or continues, for any cut of any text into tokens", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1 }), (text, cuts) => {
      const bytes = [...new TextEncoder().encode(text)];
      const tokens: number[][] = [];
      for (let place = 0, cut = 0; place < bytes.length; cut++) {
        const length = cuts[cut % cuts.length]!;
        tokens.push(bytes.slice(place, place + length));
        place += length;
      }
      // The character of each byte, by the slow way.
      const characterOf = Array.from(new TextDecoder("utf-8", { ignoreBOM: true }).decode(Uint8Array.from(bytes))).flatMap(
        (character, index) => Array<number>(new TextEncoder().encode(character).length).fill(index),
      );
      const writer = new CompletionLogprobsWriter();
      const offsets = tokens.flatMap((token) => writer.write([{ token: "", bytes: token, logprob: -1, top: [] }]).text_offset);
      let place = 0;
      for (const [index, token] of tokens.entries()) {
        assert.equal(offsets[index], characterOf[place]);
        place += token.length;
      }
    }),
  );
});

test("a token that is part of a character is written as bytes", () => {
  const lists = new CompletionLogprobsWriter().write([
    { token: "\uFFFD", bytes: [0xe2, 0x82], logprob: null, top: [] },
    { token: "\uFFFD", bytes: [0xac], logprob: -1, top: [{ token: "a", bytes: [97], logprob: -2 }] },
  ]);
  assert.deepEqual(lists, {
    tokens: ["bytes:\\xe2\\x82", "bytes:\\xac"],
    token_logprobs: [null, -1],
    top_logprobs: [null, { a: -2 }],
    text_offset: [0, 0],
  });
});
