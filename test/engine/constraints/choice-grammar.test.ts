/**
 * @file Answers that are one of some strings: against a twin that renormalises over the allowed tokens, alone, among
 * others and while waiting.
 */

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { ChoiceGrammar } from "../../../src/engine/constraints/choice-grammar.ts";
import { EngineLoop } from "../../../src/engine/scheduling/engine-loop.ts";
import type { Model } from "../../../src/engine/loading/model.ts";
import type { GenerateRequest } from "../../../src/engine/contract/request.ts";
import { BonsaiError } from "../../../src/errors/bonsai-error.ts";
import { candidateSeed, uniform } from "../../../src/random/philox.ts";
import { temporaryFolder } from "../../fixtures/temporary-folder.ts";
import { fill, step } from "../../runtime/stepwise.ts";
import { greedySampling, requestFor, roomyLimits, run, start } from "../answers.ts";
import { loadTiny } from "../tiny-engine.ts";
import { referenceDistribution } from "../sampling/sampler-reference.ts";

const folder = temporaryFolder();
const choices = ["red", "green", "greenish", "blue sky", "blue", "bl"];

describe("answers that are one of some strings", () => {
  let model: Model;
  before(async () => {
    model = await loadTiny(folder, { contextLength: 512 });
  });
  after(async () => {
    await model.device.dispose();
  });

  const sampled = (parts: Partial<GenerateRequest> = {}): GenerateRequest =>
    requestFor("tiny", { choices, maxTokens: 30, n: 6, sampling: { ...greedySampling, temperature: 1 }, ...parts });

  /** The tokens that may follow the beginning of an answer, from the list of all choices. */
  function allowedAfter(ids: readonly number[]): Set<number> {
    const allowed = new Set<number>();
    for (const choice of choices) {
      const path = model.tokenizer.encode(choice, { addSpecialTokens: false });
      if (ids.some((id, at) => path[at] !== id)) continue;
      if (path.length > ids.length) allowed.add(path[ids.length]!);
      else for (const id of model.eosTokenIds) allowed.add(id);
    }
    return allowed;
  }

  test("are drawn from the model's whole distribution, renormalised over the tokens that may follow", async () => {
    const prompt = model.tokenizer.encode("Hello world");
    const params = { ...greedySampling, temperature: 1 };
    for (let seed = 1; seed <= 12; seed++) {
      const { sequences } = await run(new EngineLoop([model], roomyLimits), sampled({ n: 1, seed }));
      const answer = sequences[0]!;
      const { prompt: cache } = await fill(model.device, prompt.slice(0, -1));
      const [row] = model.device.openRows(cache, 1, 40);
      const ids: number[] = [];
      for (let next = prompt.at(-1)!; !model.eosTokenIds.has(next);) {
        const allowed = allowedAfter(ids);
        // An answer that nothing can go on ends without a token for it.
        if ([...allowed].every((id) => model.eosTokenIds.has(id))) break;
        const [logits] = await step(model.device, [row!], [next]);
        const free = logits!.map((logit, id) => (allowed.has(id) ? logit : -Infinity));
        let left = uniform(candidateSeed(seed, 0), ids.length);
        next = referenceDistribution(free, params).find(({ probability }) => (left -= probability) < 0)!.tokenId;
        ids.push(next);
      }
      model.device.closeRow(row!);
      assert.deepEqual(answer.tokenIds, ids, `seed ${seed}`);
      assert.equal(answer.finishReason, "stop");
      assert.ok(choices.includes(answer.text), answer.text);
    }
  });

  test("are the same alone and among others, greedy, with penalties and with log-probabilities", async () => {
    const requests = [
      sampled({ seed: 5 }),
      sampled({ seed: 6, logprobs: 3 }),
      sampled({ seed: 7, sampling: greedySampling, n: 1 }),
      sampled({ seed: 8, sampling: { ...greedySampling, temperature: 1.3, topP: 0.8, topK: 3, frequencyPenalty: 0.5 } }),
      sampled({ seed: 9, ignoreEos: true }),
      requestFor("tiny", { maxTokens: 40, ignoreEos: true, n: 4, sampling: { ...greedySampling, temperature: 1 } }),
    ];
    const loop = new EngineLoop([model], roomyLimits);
    const together = await Promise.all(requests.map((request) => start(loop, request).done));
    for (const [at, request] of requests.entries()) {
      const alone = await run(new EngineLoop([model], roomyLimits), request);
      assert.deepEqual(together[at]!.sequences, alone.sequences);
      if (request.choices !== undefined) for (const { text } of alone.sequences) assert.ok(choices.includes(text), text);
    }
    assert.ok(new Set(together.flatMap(({ sequences }) => sequences.map(({ text }) => text))).size > 3);
  });

  test("have the model's own log-probabilities", async () => {
    const request = sampled({ n: 1, choices: ["green"], logprobs: 0 });
    const { sequences } = await run(new EngineLoop([model], roomyLimits), request);
    const { prompt } = await fill(model.device, model.tokenizer.encode("Hello world").slice(0, -1));
    const [row] = model.device.openRows(prompt, 1, 8);
    let next = model.tokenizer.encode("Hello world").at(-1)!;
    for (const [at, { logprob }] of sequences[0]!.logprobs.entries()) {
      const [logits] = await step(model.device, [row!], [next]);
      next = sequences[0]!.tokenIds[at]!;
      const expected = logits![next]! - Math.log(logits!.reduce((sum, logit) => sum + Math.exp(logit), 0));
      assert.ok(Math.abs(logprob - expected) < 1e-4);
    }
    model.device.closeRow(row!);
  });

  test("take no step while their grammar is compiled, and hold no other answer up", async () => {
    const loop = new EngineLoop([model], roomyLimits);
    const many = Array.from({ length: 20_000 }, (_, index) => `choice number ${index}`);
    const order: string[] = [];
    const waiting = start(loop, sampled({ choices: many, n: 2 }), ({ type }) => order.push(`waiting ${type}`));
    const free = start(loop, requestFor("tiny", { maxTokens: 5, ignoreEos: true }), ({ type }) => order.push(`free ${type}`));
    const [chosen, answer] = await Promise.all([waiting.done, free.done]);
    assert.equal(answer.sequences[0]!.tokenIds.length, 5);
    for (const { text } of chosen.sequences) assert.ok(many.includes(text));
    assert.ok(order.indexOf("free end") < order.indexOf("waiting delta"));
    assert.ok(order.indexOf("waiting start") < order.indexOf("free end"), "its prompt was not filled meanwhile");
  });

  test("are waited for where nothing else is to do, and can be cancelled and dropped meanwhile", async () => {
    const loop = new EngineLoop([model], roomyLimits);
    const many = Array.from({ length: 20_000 }, (_, index) => `choice number ${index}`);
    const cancelled = start(loop, sampled({ choices: many, n: 1 }));
    while (loop.stats().prefillChunks === 0) await new Promise((resolve) => setImmediate(resolve));
    loop.cancel(cancelled.id);
    const { error } = await cancelled.done;
    assert.ok(error instanceof BonsaiError && error.code === "cancelled");
    const alone = start(loop, sampled({ choices: many, n: 2 }), ({ type }) => {
      if (type === "start") queueMicrotask(() => loop.drop(alone.id, [1]));
    });
    const { sequences } = await alone.done;
    assert.deepEqual([sequences[0]!.finishReason, sequences[1]!.finishReason], ["stop", "dropped"]);
    assert.deepEqual(sequences[1]!.tokenIds, []);
    assert.equal(loop.stats().runningSequences, 0);
  });

  test("need a choice, and none that is empty", async () => {
    for (const bad of [[], ["a", ""]]) {
      const { error } = await start(new EngineLoop([model], roomyLimits), sampled({ choices: bad })).done;
      assert.ok(error instanceof BonsaiError && error.code === "invalid_request" && error.param === "choices");
    }
  });

  test("accept no token that no choice goes on with", async () => {
    const grammar = new ChoiceGrammar(model.tokenizer, choices, model.info.vocabSize, model.eosTokenIds);
    await grammar.ready;
    const [first] = allowedAfter([]);
    const other = first === 5 ? 6 : 5;
    assert.throws(() => grammar.open().accept(allowedAfter([]).has(other) ? 7 : other), BonsaiError);
  });
});
