/**
 * @file Best-of-N at the HTTP edge: the fields of answers and chunks, defaults, names of models, refusals, metrics, and
 * clients that leave.
 */

import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import fc from "fast-check";
import type { BestOf, BestOfDone, BestOfProgress } from "../../src/protocol/wire/best-of-response.ts";
import type { ChatCompletion, ChatCompletionChunk } from "../../src/protocol/wire/chat/response.ts";
import type { Completion } from "../../src/protocol/wire/completions/response.ts";
import type { ErrorBody } from "../../src/protocol/wire/errors.ts";
import type { ScoreRequest } from "../../src/engine/contract/score-request.ts";
import { BonsaiError } from "../../src/errors/bonsai-error.ts";
import { bestOfFields } from "../../src/protocol/wire/best-of-request.ts";
import { dataOf, hello, listen, startFixture, type Fixture } from "./fixture.ts";

const post = (fixture: Fixture, url: string, payload: object) => fixture.fastify.inject({ method: "POST", url, payload });
const chat = (fixture: Fixture, fields: object) => post(fixture, "/v1/chat/completions", { ...hello, seed: 7, ...fields });
const complete = (fixture: Fixture, fields: object) =>
  post(fixture, "/v1/completions", { model: "scripted", prompt: "a", seed: 7, ...fields });

const chunksOf = <C>(body: string): C[] =>
  dataOf(body)
    .slice(0, -1)
    .map((text) => JSON.parse(text) as C);

/** The scripted reward model likes long answers. */
const reward = (text: string): number => (0.75 * Buffer.byteLength(text) + 0.25 * (1 - text.split("!").length) - 7) / 4;

async function assertRefused(response: ReturnType<typeof post>, code: string, param: string, message = /./) {
  const reply = await response;
  const { error } = reply.json<ErrorBody>();
  assert.deepEqual([reply.statusCode < 500, error.code, error.param], [true, code, param], reply.body);
  assert.match(error.message, message);
}

describe("an answer to best_of", () => {
  test("has the best candidates first, their rewards, and the whole accounting", async (t) => {
    const fixture = await startFixture(t);
    const response = await chat(fixture, { n: 2, best_of: 5, best_of_options: { return_candidates: true } });
    assert.equal(response.statusCode, 200, response.body);
    const { choices, usage, best_of: block } = response.json<ChatCompletion>();
    const plain = (await chat(fixture, { n: 5 })).json<ChatCompletion>();
    const texts = plain.choices.map(({ message }) => message.content);
    const order = [...texts.keys()].toSorted((one, other) => reward(texts[other]!) - reward(texts[one]!) || one - other);
    assert.deepEqual(
      choices.map(({ index, message, reward: own, finish_reason }) => [index, message.content, own, finish_reason]),
      order.slice(0, 2).map((candidate, place) => [place, texts[candidate], reward(texts[candidate]!), "stop"]),
    );
    assert.deepEqual(
      block!.rewards.map(({ index, reward: own, text, finish_reason }) => [index, own, text, finish_reason]),
      order.map((candidate) => [candidate, reward(texts[candidate]!), texts[candidate], "stop"]),
    );
    assert.equal(block!.rewards.find(({ index }) => index === 0)!.seed, 7);
    const { rewards: entries, timings_ms: timings, kl_bound_nats: kl, ...rest } = block!;
    const all = entries.reduce((sum, { tokens }) => sum + tokens, 0);
    assert.deepEqual(rest, {
      reward_model: "reward",
      strategy: "max",
      fallback: null,
      sampled: 5,
      finished: 5,
      pruned: 0,
      deadline_hit: false,
      tokens_generated: all,
      tokens_returned: entries[0]!.tokens + entries[1]!.tokens,
      tokens_saved: 0,
    });
    assert.ok(Math.abs(kl - (Math.log(5) - 4 / 5)) < 1e-12);
    assert.deepEqual(Object.keys(timings), ["queue", "prefill", "decode", "reward"]);
    assert.deepEqual([usage.completion_tokens, usage.total_tokens], [all, all + usage.prompt_tokens]);
    assert.deepEqual(usage, plain.usage);
  });

  test("of one candidate, or of as many as come back, is plain sampling to the byte", async (t) => {
    const fixture = await startFixture(t);
    const without = (body: string): string => body.replace(/"id":"[^"]*","created":\d+/, "");
    assert.equal(without((await chat(fixture, { best_of: 1 })).body), without((await chat(fixture, {})).body));
    assert.equal(without((await chat(fixture, { best_of: 3, n: 3 })).body), without((await chat(fixture, { n: 3 })).body));
    const alone = (await chat(fixture, { best_of: 1, best_of_options: {} })).json<ChatCompletion>();
    assert.equal(alone.choices[0]!.message.content, (await chat(fixture, {})).json<ChatCompletion>().choices[0]!.message.content);
    assert.equal(alone.best_of!.kl_bound_nats, 0);
  });

  test("is what a model's name ending in its number gives, unless a model has that very name", async (t) => {
    const fixture = await startFixture(t, {}, { ids: ["scripted", "scripted:bo2"] });
    const named = (await chat(fixture, { model: "scripted:bo4" })).json<ChatCompletion>();
    const asked = (await chat(fixture, { best_of: 4 })).json<ChatCompletion>();
    assert.deepEqual([named.model, named.choices], ["scripted", asked.choices]);
    assert.equal((await chat(fixture, { model: "scripted:bo2" })).json<ChatCompletion>().best_of, undefined);
    assert.equal((await complete(fixture, { model: "scripted:bo3" })).json<{ best_of: BestOf }>().best_of.sampled, 3);
    await assertRefused(chat(fixture, { model: "scripted:bo65" }), "invalid_request", "model", /at most 64/);
    await assertRefused(chat(fixture, { model: "none:bo4" }), "model_not_found", "model");
    await assertRefused(chat(fixture, { model: "reward:bo4" }), "invalid_request", "model");
    await assertRefused(chat(fixture, { model: "scripted:bo4", best_of: 5 }), "invalid_request", "best_of");
  });

  test("is scored while it is written by a reward model over the policy's own states, and by asking where an answer was cut", async (t) => {
    const fixture = await startFixture(t, {}, { hasHead: true });
    const options = { best_of: 6, best_of_options: { return_candidates: true } };
    const own = (await chat(fixture, options)).json<ChatCompletion>();
    assert.equal(own.best_of!.reward_model, "own");
    assert.equal(fixture.engine.scoreRequests.length, 0);
    for (const { text, reward: found } of own.best_of!.rewards) assert.equal(found, reward(text!));
    const other = (
      await chat(fixture, { best_of: 6, best_of_options: { ...options.best_of_options, reward_model: "reward" } })
    ).json<ChatCompletion>();
    assert.deepEqual(own.choices, other.choices);
    const asked = fixture.engine.scoreRequests.length;
    assert.ok(asked > 0);
    const cut = (await chat(fixture, { ...options, max_tokens: 6 })).json<ChatCompletion>();
    assert.ok(cut.best_of!.rewards.some(({ finish_reason: reason }) => reason === "length"));
    for (const { text, reward: found } of cut.best_of!.rewards) assert.equal(found, reward(text!));
    const read = fixture.engine.scoreRequests
      .slice(asked)
      .flatMap(({ model, inputs }) => inputs.map(({ answer }) => `${model}: ${answer.content}`));
    const lengths = cut.best_of!.rewards.filter(({ finish_reason: reason }) => reason === "length").map(({ text }) => `own: ${text}`);
    assert.deepEqual(new Set(read), new Set(lengths));
  });

  test("of completions has OpenAI's meaning without options, and a reward model's with them", async (t) => {
    const fixture = await startFixture(t);
    const legacy = (await complete(fixture, { best_of: 4, logprobs: 0 })).json<Completion & { best_of: BestOf }>();
    assert.deepEqual([legacy.best_of.strategy, legacy.best_of.reward_model], ["logprob", null]);
    assert.equal(fixture.engine.scoreRequests.length, 0);
    const means = legacy.best_of.rewards.map(({ reward: mean }) => mean!);
    assert.deepEqual(
      means,
      means.toSorted((one, other) => other - one),
    );
    assert.equal(legacy.choices[0]!.reward, means[0]);
    const rewarded = (await complete(fixture, { best_of: 4, best_of_options: { target_reward: 1e6 } })).json<
      Completion & { best_of: BestOf }
    >();
    assert.deepEqual([rewarded.best_of.strategy, rewarded.best_of.reward_model], ["max", "reward"]);
    assert.equal(rewarded.choices[0]!.reward, reward(rewarded.choices[0]!.text));
    // What the reward model read was the prompt as a user's turn.
    assert.deepEqual(fixture.engine.scoreRequests[0]!.inputs[0]!.prompt[0], { role: "user", content: "a" });
  });

  test("to several prompts is one for each, as each gets alone", async (t) => {
    const fixture = await startFixture(t);
    const options = { best_of: 4, n: 2, best_of_options: { strategy: "max" } };
    const together = (await complete(fixture, { ...options, prompt: ["a", "bc"] })).json<Completion & { best_of: BestOf[] }>();
    const alone = await Promise.all(
      ["a", "bc"].map(async (prompt) => (await complete(fixture, { ...options, prompt })).json<Completion>()),
    );
    assert.deepEqual(
      together.choices,
      alone.flatMap(({ choices }, prompt) => choices.map((choice) => ({ ...choice, index: 2 * prompt + choice.index }))),
    );
    assert.deepEqual(
      together.best_of.map(({ rewards }) => rewards),
      alone.map((answer) => (answer.best_of as BestOf).rewards),
    );
    assert.equal(
      together.usage!.completion_tokens,
      alone.reduce((sum, { usage }) => sum + usage!.completion_tokens, 0),
    );
  });

  test("goes by the reward model of the request, the server's default, or the only one", async (t) => {
    const fixture = await startFixture(t, { rewardModel: "other" });
    await assertRefused(chat(fixture, { best_of: 2 }), "model_not_found", "best_of_options.reward_model", /other/);
    assert.equal((await chat(fixture, { best_of: 2, best_of_options: { reward_model: "reward" } })).statusCode, 200);
    await assertRefused(
      chat(fixture, { best_of: 2, best_of_options: { reward_model: "scripted" } }),
      "invalid_request",
      "best_of_options.reward_model",
    );
  });

  test("goes by the reward model that the policy's folder names, before the server's default, where that model is served", async (t) => {
    const usedBy = async (model: string, config: object, engine: object): Promise<string | null | undefined> => {
      const fixture = await startFixture(t, config, engine);
      return (await chat(fixture, { model, best_of: 2 })).json<ChatCompletion>().best_of?.reward_model;
    };
    const engine = { rewardIds: ["second", "third"], namedReward: "second" };
    assert.equal(await usedBy("scripted", {}, engine), "second");
    assert.equal(await usedBy("scripted", { rewardModel: "third" }, engine), "second");
    assert.equal(await usedBy("org/scripted", { rewardModel: "third" }, engine), "third");
    assert.equal(await usedBy("scripted", { rewardModel: "third" }, { ...engine, namedReward: "gone" }), "third");
    // A head over the policy's own states costs nothing, but what the folder names was chosen for it.
    assert.equal(await usedBy("scripted", {}, { ...engine, hasHead: true }), "second");
    assert.equal(await usedBy("scripted", { rewardModel: "third" }, { ...engine, namedReward: "gone", hasHead: true }), "own");
    const fixture = await startFixture(t, {}, { ...engine, namedReward: "gone" });
    await assertRefused(
      chat(fixture, { best_of: 2 }),
      "invalid_request",
      "best_of_options.reward_model",
      /served are reward, second, third/,
    );
  });

  test("prunes by the prefixes, and drops no answer that came to its end before", async (t) => {
    const fixture = await startFixture(t);
    const fields = { max_tokens: 64, best_of: 8, ignore_eos: true, best_of_options: { prune: [{ at: 0.25, keep: 0.25 }] } };
    const { best_of: block, choices } = (await chat(fixture, fields)).json<ChatCompletion>();
    assert.deepEqual([block!.pruned, block!.finished, block!.rewards.length], [6, 2, 8]);
    assert.ok(block!.tokens_generated < 8 * 64 && block!.tokens_saved > 0);
    assert.deepEqual(
      block!.rewards.slice(2).map(({ finish_reason, reward: own }) => [finish_reason, own]),
      Array.from({ length: 6 }, () => ["pruned", null]),
    );
    assert.equal(choices[0]!.finish_reason, "length");
    assert.equal(fixture.engine.stats().runningSequences, 0);
  });

  test("prunes nothing by itself where the backend cannot drop candidates, and refuses stages and early stopping there", async (t) => {
    const fields = (prune: unknown) => ({ max_tokens: 64, best_of: 8, ignore_eos: true, best_of_options: { prune } });
    const prefixes = { reference: "made up", meanTokens: 64, correlations: [{ tokens: 8, correlation: 0.99 }] };
    const able = await startFixture(t, {}, { prefixes });
    assert.notEqual((await chat(able, fields("auto"))).json<ChatCompletion>().best_of!.pruned, 0);
    const unable = await startFixture(t, {}, { prefixes, canDrop: false });
    assert.equal((await chat(unable, fields("auto"))).json<ChatCompletion>().best_of!.pruned, 0);
    await assertRefused(
      chat(unable, fields([{ at: 0.25, keep: 0.25 }])),
      "invalid_request",
      "best_of_options.prune",
      /backend of scripted cannot drop/,
    );
    for (const option of ["target_reward", "sample_cost"])
      await assertRefused(
        chat(unable, { best_of: 4, best_of_options: { [option]: 1 } }),
        "invalid_request",
        `best_of_options.${option}`,
        /backend of scripted cannot drop/,
      );
  });

  test("prunes by itself as the reward model's measurement allows, and not at all without one", async (t) => {
    const prefixes = { reference: "made up", meanTokens: 64, correlations: [{ tokens: 8, correlation: 0.99 }] };
    const fields = { max_tokens: 64, best_of: 8, ignore_eos: true, best_of_options: { prune: "auto" } };
    const pruned = async (options: object): Promise<BestOf> => {
      const fixture = await startFixture(t, {}, options);
      return (await chat(fixture, fields)).json<ChatCompletion>().best_of!;
    };
    assert.equal((await pruned({})).pruned, 0);
    const block = await pruned({ prefixes });
    assert.ok(block.pruned >= 4, `${block.pruned} pruned`);
    assert.ok(block.tokens_generated < 4 * 64 + 8 * 16);
    assert.equal((await pruned({ prefixes: { ...prefixes, correlations: [{ tokens: 8, correlation: 0.01 }] } })).pruned, 0);
  });

  test("prunes by the value model that the reward model names, which judges prefixes and nothing else", async (t) => {
    const prefixes = { reference: "made up", valueModel: "value", meanTokens: 64, correlations: [{ tokens: 8, correlation: 0.99 }] };
    const fields = { max_tokens: 64, best_of: 8, ignore_eos: true, best_of_options: { prune: "auto" } };
    const fixture = await startFixture(t, {}, { prefixes, hasValueModel: true });
    const block = (await chat(fixture, fields)).json<ChatCompletion>().best_of!;
    assert.ok(block.pruned >= 4, `${block.pruned} pruned`);
    assert.equal(block.reward_model, "reward");
    const asked = (model: string): number =>
      fixture.engine.scoreRequests.filter((request) => request.model === model).reduce((sum, { inputs }) => sum + inputs.length, 0);
    // Equal prefixes are scored once.
    assert.ok(asked("value") > 1 && asked("value") <= 8, `${asked("value")} prefixes`);
    assert.equal(asked("reward"), block.finished);
    const without = await startFixture(t, {}, { prefixes });
    assert.equal(
      (await chat(without, fields)).json<ChatCompletion>().best_of!.pruned,
      0,
      "the measurement is of a model that is not there",
    );
  });

  test("goes on without pruning where the value model fails", async (t) => {
    const prefixes = { reference: "made up", valueModel: "value", meanTokens: 64, correlations: [{ tokens: 8, correlation: 0.99 }] };
    // One is said of an answer, the other of the model.
    for (const code of ["internal", "engine_failed"] as const) {
      const beforeScore = (_: AbortSignal | undefined, { model }: ScoreRequest): void => {
        if (model === "value") throw new BonsaiError(code, "The value model is out.");
      };
      const fixture = await startFixture(t, {}, { prefixes, hasValueModel: true, beforeScore });
      const fields = { max_tokens: 64, best_of: 8, ignore_eos: true, best_of_options: { prune: "auto" } };
      const block = (await chat(fixture, fields)).json<ChatCompletion>().best_of!;
      assert.deepEqual([block.pruned, block.finished], [0, 8], code);
    }
  });

  test("takes no value model for a reward model where none is named", async (t) => {
    const fixture = await startFixture(t, {}, { hasValueModel: true });
    assert.equal((await chat(fixture, { best_of: 2 })).json<ChatCompletion>().best_of!.reward_model, "reward");
  });

  test("by knockout asks the judge, a policy", async (t) => {
    const fixture = await startFixture(t);
    const options = { strategy: "knockout", judge_model: "org/scripted" };
    const judged = (await chat(fixture, { best_of: 4, best_of_options: options })).json<ChatCompletion>();
    assert.deepEqual([judged.best_of!.strategy, judged.best_of!.reward_model], ["knockout", null]);
    assert.ok(fixture.engine.requests.some(({ model }) => model === "org/scripted"));
    const byRewards = (await chat(fixture, { best_of: 4, best_of_options: { strategy: "knockout" } })).json<ChatCompletion>();
    const best = (await chat(fixture, { best_of: 4 })).json<ChatCompletion>();
    assert.equal(byRewards.choices[0]!.message.content, best.choices[0]!.message.content);
  });

  test("is counted in the metrics", async (t) => {
    const fixture = await startFixture(t);
    const { best_of: block } = (await chat(fixture, { best_of: 4 })).json<ChatCompletion>();
    const text = (await fixture.fastify.inject("/metrics")).body;
    for (const line of [
      'bonsai_best_of_requests_total{model="scripted",strategy="max"} 1',
      'bonsai_best_of_candidates_total{model="scripted",end="stop"} 4',
      `bonsai_best_of_tokens_total{model="scripted",use="generated"} ${block!.tokens_generated}`,
      `bonsai_best_of_tokens_total{model="scripted",use="returned"} ${block!.tokens_returned}`,
      'bonsai_best_of_reward_count{model="scripted",reward_model="reward"} 1',
      'bonsai_time_to_first_token_seconds_count{model="scripted"} 1',
    ])
      assert.ok(text.includes(`${line}\n`), line);
  });
});

describe("a stream of best_of", () => {
  const whole = async (fixture: Fixture) => (await chat(fixture, { best_of: 4, max_tokens: 20 })).json<ChatCompletion>();
  const streamed = async (fixture: Fixture, mode: string | undefined): Promise<ChatCompletionChunk[]> => {
    const options = mode === undefined ? {} : { best_of_options: { stream: mode } };
    const fields = { best_of: 4, max_tokens: 20, stream: true, stream_options: { include_usage: true }, ...options };
    return chunksOf<ChatCompletionChunk>((await chat(fixture, fields)).body);
  };
  const textOf = (chunks: readonly ChatCompletionChunk[], index = 0): string =>
    chunks.flatMap(({ choices }) => choices.filter((choice) => choice.index === index).map(({ delta }) => delta.content ?? "")).join("");

  test("tells of progress, then the winner, then the accounting and the usage", async (t) => {
    const fixture = await startFixture(t);
    const chunks = await streamed(fixture, undefined);
    const expected = await whole(fixture);
    assert.equal(textOf(chunks), expected.choices[0]!.message.content);
    const progress = chunks[0]!.best_of as BestOfProgress;
    assert.equal(progress.phase, "sampling");
    assert.deepEqual(
      progress.candidates.map(({ index, tokens, state }) => [index, tokens, state]),
      [0, 1, 2, 3].map((index) => [index, 0, "running"]),
    );
    const { phase, timings_ms: _, ...done } = chunks.at(-2)!.best_of as BestOfDone;
    const { timings_ms: __, ...block } = expected.best_of!;
    assert.deepEqual([phase, done], ["done", block]);
    assert.deepEqual([chunks.at(-1)!.choices, chunks.at(-1)!.usage], [[], expected.usage]);
    for (const chunk of chunks.slice(0, -1)) assert.equal(chunk.usage, null);
    assert.ok(chunks.slice(0, -1).every(({ choices }) => choices.length === 1 && choices[0]!.index === 0));
    assert.deepEqual(chunks[0]!.choices[0]!.delta, {});
    assert.ok(chunks.some(({ choices }) => choices[0]?.finish_reason === expected.choices[0]!.finish_reason));
  });

  test("of the winner is the stream of an ordinary answer, and the accounting", async (t) => {
    const fixture = await startFixture(t);
    const chunks = await streamed(fixture, "winner");
    const expected = await whole(fixture);
    const seed = expected.best_of!.rewards[0]!.seed;
    assert.ok(seed >= 0);
    assert.deepEqual(chunks[0]!.choices[0]!.delta, { role: "assistant", content: "" });
    assert.equal(textOf(chunks), expected.choices[0]!.message.content);
    assert.equal(chunks.filter(({ best_of: block }) => block !== undefined).length, 1);
  });

  test("of candidates has every one of them as a choice", async (t) => {
    const fixture = await startFixture(t);
    const chunks = await streamed(fixture, "candidates");
    const plain = (await chat(fixture, { n: 4, max_tokens: 20 })).json<ChatCompletion>();
    for (const { index, message } of plain.choices) assert.equal(textOf(chunks, index), message.content);
    assert.deepEqual(chunks.at(-1)!.usage, plain.usage);
    assert.equal((chunks.at(-2)!.best_of as BestOfDone).rewards.length, 4);
  });

  test("of completions says which prompt is meant", async (t) => {
    const fixture = await startFixture(t);
    const response = await complete(fixture, {
      prompt: ["a", "bc"],
      best_of: 3,
      stream: true,
      best_of_options: { strategy: "mbr", stream: "winner" },
    });
    const chunks = chunksOf<Completion>(response.body);
    for (const { best_of: block, choices } of chunks)
      if (block !== undefined)
        assert.deepEqual([choices.length, choices[0]!.index, choices[0]!.text], [1, (block as { prompt?: number }).prompt, ""]);
    const blocks = chunks.flatMap(({ best_of: block }) => (block === undefined ? [] : [block as BestOfDone & { prompt: number }]));
    assert.deepEqual(
      blocks.map(({ prompt, strategy }) => [prompt, strategy]).toSorted(([one], [other]) => Number(one) - Number(other)),
      [
        [0, "mbr"],
        [1, "mbr"],
      ],
    );
    assert.deepEqual(
      [...new Set(chunks.flatMap(({ choices }) => choices.map(({ index }) => index)))].toSorted((one, other) => one - other),
      [0, 1],
    );
  });
});

describe("a client that leaves", () => {
  test("frees all candidates and the scoring that was asked for", async (t) => {
    const scoring = { now: 0 };
    const beforeScore = async (signal: AbortSignal | undefined): Promise<void> => {
      scoring.now++;
      await new Promise<void>((resolve) => signal?.addEventListener("abort", () => resolve()));
      scoring.now--;
    };
    const fixture = await startFixture(t, {}, { beforeScore });
    const url = await listen(fixture);
    const controller = new AbortController();
    const body = JSON.stringify({ ...hello, best_of: 6, seed: 1 });
    const answer = fetch(`${url}/v1/chat/completions`, {
      method: "POST",
      body,
      headers: { "content-type": "application/json" },
      signal: controller.signal,
    });
    while (scoring.now === 0) await new Promise((resolve) => setImmediate(resolve));
    controller.abort();
    await assert.rejects(answer);
    while (scoring.now > 0 || fixture.engine.stats().runningSequences > 0 || fixture.lifecycle.running > 0)
      await new Promise((resolve) => setTimeout(resolve, 5));
  });
});

const shared = startFixture({ after }, {}, { contextLength: 256, maxSequences: 8 });

for (const [what, fields, code, param] of [
  ["fewer candidates than answers", { n: 3, best_of: 2 }, "invalid_request", "best_of"],
  ["more candidates than a request may have", { best_of: 65 }, "invalid_request", "best_of"],
  ["more candidates than can ever run", { best_of: 9 }, "request_too_large", "best_of"],
  ["options without best_of", { best_of_options: { strategy: "max" } }, "invalid_request", "best_of"],
  ["an unknown option", { best_of: 2, best_of_options: { strateg: "max" } }, "unsupported_field", "best_of_options.strateg"],
  ["an unknown strategy", { best_of: 2, best_of_options: { strategy: "best" } }, "invalid_request", "best_of_options.strategy"],
  ["a word for pruning", { best_of: 2, best_of_options: { prune: "maybe" } }, "invalid_request", "best_of_options.prune"],
  [
    "a stage beyond the end",
    { best_of: 2, best_of_options: { prune: [{ at: 1, keep: 0.5 }] } },
    "invalid_request",
    "best_of_options.prune[0].at",
  ],
  [
    "a stage without a share",
    { best_of: 2, best_of_options: { prune: [{ at: 0.5 }] } },
    "invalid_request",
    "best_of_options.prune[0].keep",
  ],
  [
    "a temperature of 0",
    { best_of: 2, best_of_options: { strategy: "soft", soft_temperature: 0 } },
    "invalid_request",
    "best_of_options.soft_temperature",
  ],
  ["a deadline of no time", { best_of: 2, best_of_options: { deadline_ms: 0 } }, "invalid_request", "best_of_options.deadline_ms"],
  ["votes for max", { best_of: 2, best_of_options: { vote_on: "last_line" } }, "invalid_request", "best_of_options.vote_on"],
  ["pruning a vote", { best_of: 2, best_of_options: { strategy: "majority", prune: "auto" } }, "invalid_request", "best_of_options.prune"],
  [
    "a judge that is no policy",
    { best_of: 2, best_of_options: { strategy: "knockout", judge_model: "reward" } },
    "invalid_request",
    "best_of_options.judge_model",
  ],
  [
    "a reward model that is not there",
    { best_of: 2, best_of_options: { reward_model: "x" } },
    "model_not_found",
    "best_of_options.reward_model",
  ],
  [
    "progress of an answer that comes whole",
    { best_of: 2, best_of_options: { stream: "progress" } },
    "invalid_request",
    "best_of_options.stream",
  ],
] as const) {
  test(`${what} is refused by name`, async () => {
    await assertRefused(chat(await shared, fields), code, param);
  });
}

test("token ids as a prompt are refused where a reward model must read them, and else taken", async () => {
  const ids = { prompt: [1, 2], best_of: 2 };
  await assertRefused(complete(await shared, { ...ids, best_of_options: { strategy: "max" } }), "invalid_request", "prompt");
  assert.equal((await complete(await shared, { ...ids, best_of_options: { strategy: "majority" } })).statusCode, 200);
});

test("whatever an option holds, the server answers 2xx or 4xx in OpenAI's shape", async () => {
  const fixture = await shared;
  const options = Object.keys(
    (bestOfFields({ maxN: 8, maxStopSequences: 1 }).best_of_options as unknown as { properties: object }).properties,
  );
  const value = fc.oneof(
    fc.jsonValue({ maxDepth: 3 }),
    fc.constantFrom<unknown>(0, 1, -1, 0.5, 1e308, "", "max", "soft", "majority", "off", "auto", "reward", null, true, []),
    fc.array(fc.record({ at: fc.double(), keep: fc.double() }), { maxLength: 10 }),
  );
  const given = fc.record(
    {
      best_of: fc.oneof(fc.integer({ min: 0, max: 9 }), fc.jsonValue()),
      best_of_options: fc.dictionary(fc.constantFrom(...options), value, { maxKeys: 4 }),
      stream: fc.boolean(),
    },
    { requiredKeys: ["best_of_options"] },
  );
  await fc.assert(
    fc.asyncProperty(given, async (fields) => {
      const response = await chat(fixture, { max_tokens: 4, ...fields });
      assert.ok(
        response.statusCode >= 200 && response.statusCode < 500,
        `${response.statusCode} ${response.body} for ${JSON.stringify(fields)}`,
      );
      if (response.statusCode >= 400)
        assert.deepEqual(Object.keys(response.json<ErrorBody>().error).toSorted(), ["code", "message", "param", "type"]);
    }),
    { numRuns: 400 },
  );
  assert.deepEqual([fixture.engine.stats().runningSequences, fixture.lifecycle.running], [0, 0]);
});
