/**
 * @file Reward models give transformers' and peft's outputs, and each answer the same bits whoever is scored, or
 * writes, beside it.
 */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { runSlices } from "../../../src/text/slices.ts";
import { EngineLoop, type EngineLoopOptions } from "../../../src/engine/scheduling/engine-loop.ts";
import { readPrompt, type Model } from "../../../src/engine/loading/model.ts";
import { tunedContentHash, type ScoringPart } from "../../../src/engine/scoring/decoder-reward.ts";
import type { RewardDescription } from "../../../src/engine/contract/reward-description.ts";
import type { GenerateEvent } from "../../../src/engine/contract/request.ts";
import { plainSampling } from "../../../src/engine/sampling/sampler.ts";
import type { Score, ScoreRequest, ScoreResult } from "../../../src/engine/contract/score-request.ts";
import { BonsaiError } from "../../../src/errors/bonsai-error.ts";
import { openModel } from "../../../src/formats/open-model.ts";
import { adapterContentHash } from "../../../src/formats/peft-adapter.ts";
import { writeSafetensors } from "../../../src/formats/safetensors/safetensors-writer.ts";
import { readRewardConfig } from "../../../src/reward/reward-config.ts";
import type { Message } from "../../../src/text/conversation/message.ts";
import { goldenPath, largestDifference } from "../../architectures/goldens.ts";
import { temporaryFolder } from "../../fixtures/temporary-folder.ts";
import { roomyLimits, run, requestFor, start } from "../answers.ts";
import { scoreInputs } from "../score-inputs.ts";
import { RandomChoices } from "../random-requests.ts";
import { loadWithAdapters, type LoadOptions } from "../tiny-engine.ts";

const folder = temporaryFolder();
const cacheDir = join(folder, "cache");
const rewardsPath = fileURLToPath(new URL("../../oracle/rewards", import.meta.url));

interface Golden {
  conversations: Message[][];
  llama: number[][];
  gpt2: number[][];
  adapter: number[][];
  head: { weight: number[][]; bias: number[]; outputs: number[][] };
}
const golden = JSON.parse(readFileSync(join(rewardsPath, "golden.json"), "utf8")) as Golden;

const description: RewardDescription = readRewardConfig(join(rewardsPath, "llama"));
const headDescription: RewardDescription = { ...description, form: "policy-head", dimensions: ["good", "kind"], weights: [0.5, 0.5] };

const requestOf = (model: string, conversations: readonly Message[][], truncate = false): ScoreRequest => ({
  model,
  inputs: scoreInputs(conversations),
  truncate,
});

let nextId = 1;

/** Starts a request. `cancel` ends it; `done` rejects when it fails. */
function begin(loop: EngineLoop, request: ScoreRequest): { cancel: () => void; done: Promise<ScoreResult> } {
  const id = nextId++;
  const done = new Promise<ScoreResult>((resolve, reject) => loop.score(id, request, { scored: resolve, failed: reject }));
  return { cancel: () => loop.cancel(id), done };
}

/** What must not depend on anybody else. */
const bits = ({ raw, tokens, cutTokens }: Score): Omit<Score, "cachedTokens"> => ({ raw, tokens, cutTokens });
const cached = ({ scores }: ScoreResult): number => scores.reduce((sum, { cachedTokens }) => sum + cachedTokens, 0);

const score = (loop: EngineLoop, request: ScoreRequest): Promise<ScoreResult> => begin(loop, request).done;

/** models/llama with an adapter that is a reward model, and a head over its hidden states. */
async function loadPolicy(options: LoadOptions = {}): Promise<Model[]> {
  const path = goldenPath("llama");
  const adapterPath = join(rewardsPath, "adapter");
  const file = openModel(path);
  const sha256 = file.contentHash;
  file.weights.close();
  return loadWithAdapters(path, cacheDir, {
    id: "policy",
    adapters: [{ id: "adapter", path: adapterPath, reward: readRewardConfig(adapterPath) }],
    heads: [{ id: "head", path: headFolder, policy: "policy", reward: headDescription, sha256 }],
    ...options,
  });
}

const loadReward = (name: "llama" | "gpt2", options: LoadOptions = {}): Promise<Model[]> => {
  const path = join(rewardsPath, name);
  return loadWithAdapters(path, cacheDir, { id: name, reward: readRewardConfig(path), ...options });
};

const headFolder = temporaryFolder();
writeSafetensors(join(headFolder, "score.safetensors"), [
  { name: "score.weight", dtype: "F32", shape: [2, 32], bytes: () => new Uint8Array(Float32Array.from(golden.head.weight.flat()).buffer) },
  { name: "score.bias", dtype: "F32", shape: [2], bytes: () => new Uint8Array(Float32Array.from(golden.head.bias).buffer) },
]);

function assertOutputs(scores: readonly Score[], expected: readonly number[][]): void {
  assert.equal(scores.length, expected.length);
  scores.forEach(({ raw }, index) => {
    const difference = largestDifference(raw, expected[index]!);
    assert.ok(difference < 1e-4, `conversation ${index}: ${raw.join()} and not ${expected[index]!.join()}`);
  });
}

/** Conversations of some turns; several answers to one prompt are among them. */
function randomConversations(choices: RandomChoices, count: number): Message[][] {
  const words = ["bear", "sew", "the ear", "honey", "in and out", "why?", "a red thread", "until it holds"];
  const text = (most: number): string => Array.from({ length: choices.integer(0, most) }, () => choices.of(words)).join(" ");
  const conversations: Message[][] = [];
  while (conversations.length < count) {
    const prompt: Message[] = [{ role: "user", content: text(20) }];
    if (choices.chance(0.5)) prompt.push({ role: "assistant", content: text(5) }, { role: "user", content: text(3) });
    for (let answers = choices.integer(1, 4); answers > 0; answers--) {
      conversations.push([...prompt, { role: "assistant", content: text(16) }]);
    }
  }
  return conversations.slice(0, count);
}

describe("outputs are those of transformers and peft", () => {
  for (const name of ["llama", "gpt2"] as const) {
    test(`for a ${name} with a head in its own weights`, async () => {
      const [model] = await loadReward(name);
      const { scores } = await score(new EngineLoop([model!], roomyLimits), requestOf(name, golden.conversations));
      assertOutputs(scores, golden[name]);
      await model!.device.dispose();
    });
  }

  test("for an adapter over its base, and for a head over the policy's hidden states, in one loop", async () => {
    const models = await loadPolicy();
    const loop = new EngineLoop(models, roomyLimits);
    const [adapter, head] = await Promise.all([
      score(loop, requestOf("adapter", golden.conversations)),
      score(loop, requestOf("head", golden.conversations)),
    ]);
    assertOutputs(adapter.scores, golden.adapter);
    assertOutputs(head.scores, golden.head.outputs);
    assert.deepEqual(
      models.map(({ info }) => [info.id, info.kind, info.base]),
      [
        ["policy", "policy", undefined],
        ["adapter", "reward", "policy"],
        ["head", "reward", "policy"],
      ],
    );
    assert.equal(new Set(models.map(({ info }) => info.fingerprint)).size, 3);
    await models[0]!.device.dispose();
  });
});

describe("a head reads along while its policy writes", () => {
  const prompt = golden.conversations[0]!.slice(0, -1);
  const request = requestFor("policy", {
    prompt: { kind: "messages", messages: prompt.map(({ role, content }) => ({ role: role as "user", content })) },
    n: 32,
    maxTokens: 12,
    // Answers of a random model would hardly ever end.
    sampling: { ...plainSampling, temperature: 1, logitBias: [[0, 4]] },
    head: "head",
  });

  /** What the head makes of the state of the last of these tokens, read chunk by chunk as prompts are. */
  async function outputsOf({ device }: Model, { head }: ScoringPart, ids: readonly number[]): Promise<number[]> {
    const cache = device.openPrompt(ids.length);
    let hidden: Float32Array | undefined;
    for (let at = 0; at < ids.length; at += device.chunkTokens)
      [hidden] = await device.prefillMany([{ prompt: cache, ids: ids.slice(at, at + device.chunkTokens) }]);
    device.closePrompt(cache);
    return head.outputs(hidden!);
  }

  test("and finds of each answer that ends by itself what scoring finds", async () => {
    const models = await loadPolicy();
    const [policy, , head] = models as [Model, Model, Model];
    const loop = new EngineLoop(models, roomyLimits);
    const ends: Extract<GenerateEvent, { type: "finish" }>[] = [];
    const { sequences, error } = await start(loop, request, (event) => event.type === "finish" && ends.push(event)).done;
    assert.equal(error, undefined);
    const promptIds = runSlices(readPrompt(policy, request.prompt));
    for (const { index, reason, outputs } of ends) {
      const { tokenIds } = sequences[index]!;
      const isEnded = policy.eosTokenIds.has(tokenIds.at(-1)!);
      assert.deepEqual([outputs !== undefined, reason], isEnded ? [true, "stop"] : [false, "length"]);
      if (outputs === undefined) continue;
      const expected = await outputsOf(policy, head.score!, [...promptIds, ...tokenIds.slice(0, -1)]);
      assert.ok(largestDifference(outputs, expected) < 1e-4, `${outputs.join()} and ${expected.join()}`);
    }
    assert.deepEqual(new Set(ends.map(({ reason }) => reason)), new Set(["stop", "length"]));
    // An answer that the tokenizer writes as the model does: none at all.
    const none = { ...request, n: 1, sampling: { ...request.sampling, logitBias: [[0, 100]] as [number, number][] } };
    const empty = await start(loop, none, (event) => event.type === "finish" && ends.push(event)).done;
    assert.equal(empty.sequences[0]!.text, "");
    const { scores } = await score(loop, requestOf("head", [[...prompt, { role: "assistant", content: "" }]]));
    assert.ok(largestDifference(ends.at(-1)!.outputs!, scores[0]!.raw) < 1e-4);
    await policy.device.dispose();
  });

  test("only over its own policy, and answers are the same with it and without", async () => {
    const models = await loadPolicy();
    const loop = new EngineLoop(models, roomyLimits);
    const { head: _, ...plain } = request;
    assert.deepEqual(await run(loop, request), await run(loop, plain));
    await assert.rejects(run(loop, { ...request, head: "adapter" }), /adapter is no reward model over the hidden states of policy/);
    await assert.rejects(run(loop, { ...request, head: "nobody" }), /nobody is no reward model/);
    await models[0]!.device.dispose();
  });
});

describe("a reward is the same to the bit", () => {
  for (const quantization of ["fp32", "q8", "w8a8"] as const) {
    test(`alone, in any company and beside answers that are being written, in ${quantization}`, async () => {
      const choices = new RandomChoices(31);
      const models = await loadPolicy({ quantization });
      const conversations = randomConversations(choices, 60);
      const alone = new Map<string, Score[]>();
      for (const model of ["adapter", "head"]) {
        const scores: Score[] = [];
        for (const conversation of conversations) {
          const fresh = new EngineLoop(models, { ...roomyLimits, prefixCacheBytes: 0 });
          scores.push((await score(fresh, requestOf(model, [conversation], true))).scores[0]!);
        }
        alone.set(model, scores);
      }
      const answer = requestFor("policy", {
        prompt: { kind: "messages", messages: [{ role: "user", content: "sew the ear" }] },
        maxTokens: 40,
      });
      const answered = await run(new EngineLoop(models, roomyLimits), answer);

      for (const prefixCacheBytes of [0, 2 ** 24]) {
        const loop = new EngineLoop(models, { ...roomyLimits, maxSequences: 5, prefixCacheBytes });
        const requests = Array.from({ length: 30 }, () => {
          const chosen = choices.integers(choices.integer(1, 9), 0, conversations.length - 1);
          return { model: choices.of(["adapter", "head"]), chosen, leaves: choices.chance(0.2) };
        });
        const answers = [run(loop, answer), run(loop, answer)];
        const running = requests.map(async ({ model, chosen, leaves }) => {
          for (let wait = choices.integer(0, 10); wait > 0; wait--) await new Promise((resolve) => setImmediate(resolve));
          const { cancel, done } = begin(
            loop,
            requestOf(
              model,
              chosen.map((index) => conversations[index]!),
              true,
            ),
          );
          if (leaves) setImmediate(cancel);
          return done.catch((error: unknown) => error as Error);
        });
        for (const [index, result] of (await Promise.all(running)).entries()) {
          const { model, chosen, leaves } = requests[index]!;
          if (result instanceof Error) assert.ok(leaves && result instanceof BonsaiError && result.code === "cancelled", String(result));
          else
            assert.deepEqual(
              result.scores.map(bits),
              chosen.map((at) => bits(alone.get(model)![at]!)),
              `request ${index} of ${model}`,
            );
        }
        for (const beside of await Promise.all(answers)) assert.deepEqual(beside.sequences, answered.sequences);
        const { scoringInputs, scoringRuns, scoredTokens, scoredCachedTokens, runningSequences } = loop.stats();
        assert.deepEqual([scoringInputs, runningSequences], [0, 0], "something was left behind");
        // A row of a run has a chunk of 64 tokens at most.
        assert.ok(scoredTokens - scoredCachedTokens > 64 * scoringRuns, "the conversations were not scored together");
      }
      await models[0]!.device.dispose();
    });
  }

  test("whether others have computed its beginning or not, and what they computed is counted", async () => {
    const models = await loadPolicy({ quantization: "q8" });
    const loop = new EngineLoop(models, roomyLimits);
    const prompt: Message = { role: "user", content: "sew the ear on, in and out, until it holds. ".repeat(3) };
    const answers = ["yes", "no, thread first", "why not?"].map((content): Message[] => [prompt, { role: "assistant", content }]);
    const first = await score(loop, requestOf("adapter", answers));
    assert.equal(cached(first), 2 * 64);
    const again = await score(loop, requestOf("adapter", answers));
    assert.equal(cached(again), 3 * 64);
    assert.deepEqual(again.scores.map(bits), first.scores.map(bits));
    await models[0]!.device.dispose();
  });
});

describe("what is too long", () => {
  const long = (words: number): Message[] => [
    { role: "user", content: "sew ".repeat(words) },
    { role: "assistant", content: "in and out" },
  ];

  test("is refused with its place and both numbers, or cut at its beginning where the request says so", async () => {
    const models = await loadReward("llama");
    const loop = new EngineLoop(models, roomyLimits);
    const refused = (conversation: Message[]): Promise<void> =>
      assert.rejects(score(loop, requestOf("llama", [long(3), conversation])), (error) => {
        assert.ok(error instanceof BonsaiError);
        assert.deepEqual([error.code, error.param], ["context_length_exceeded", "input[1]"]);
        assert.match(error.message, /at most 240 tokens/);
        return true;
      });
    await refused(long(60));
    await refused(long(100_000));
    const { scores } = await score(loop, requestOf("llama", [long(3), long(60), long(90)], true));
    assert.deepEqual(
      scores.map(({ tokens }) => tokens),
      [scores[0]!.tokens, 240, 240],
    );
    assert.equal(scores[0]!.cutTokens, 0);
    assert.ok(scores[1]!.cutTokens > 0 && scores[2]!.cutTokens > scores[1]!.cutTokens);
    // The ends that are left are the same.
    assert.deepEqual(scores[1]!.raw, scores[2]!.raw);
    await models[0]!.device.dispose();
  });
});

describe("the queue of scoring", () => {
  const conversations = golden.conversations;

  async function within(limits: Partial<EngineLoopOptions>): Promise<{ loop: EngineLoop; model: Model }> {
    const [model] = await loadReward("llama");
    return { loop: new EngineLoop([model!], { ...roomyLimits, ...limits }), model: model! };
  }

  test("refuses with 429 and a time to come back what it has no room for, and forgets what was cancelled", async () => {
    const { loop, model } = await within({ maxSequences: 2, maxQueuedSequences: 2 });
    const two = requestOf("llama", conversations.slice(0, 2));
    const [first, second] = [begin(loop, two), begin(loop, two)];
    await assert.rejects(
      score(loop, two),
      (error) => error instanceof BonsaiError && error.code === "overloaded" && error.retryAfterSeconds! > 0,
    );
    second.cancel();
    await assert.rejects(second.done, (error) => error instanceof BonsaiError && error.code === "cancelled");
    assert.equal((await first.done).scores.length, 2);
    assert.equal((await score(loop, two)).scores.length, 2);
    await model.device.dispose();
  });

  test("takes more inputs than it scores at once", async () => {
    const { loop, model } = await within({ maxSequences: 2 });
    const many = Array.from({ length: 25 }, (_, index) => conversations[index % 3]!);
    const { scores } = await score(loop, requestOf("llama", many));
    assertOutputs(
      scores,
      many.map((_, index) => golden.llama[index % 3]!),
    );
    await model.device.dispose();
  });

  test("refuses what could never fit the memory that it has", async () => {
    const { loop, model } = await within({ kvCacheBytes: 4 * 64 * 1024 });
    await assert.rejects(
      score(loop, requestOf("llama", conversations)),
      (error) => error instanceof BonsaiError && error.code === "request_too_large" && error.param === "input[2]",
    );
    await model.device.dispose();
  });

  test("knows no policy, and the engine writes no answers by a reward model", async () => {
    const models = await loadPolicy();
    const loop = new EngineLoop(models, roomyLimits);
    await assert.rejects(
      score(loop, requestOf("policy", conversations)),
      (error) => error instanceof BonsaiError && error.code === "model_not_found",
    );
    await assert.rejects(run(loop, requestFor("adapter")), (error) => error instanceof BonsaiError && error.code === "invalid_request");
    await models[0]!.device.dispose();
  });
});

describe("a reward model that is none", () => {
  const rejects = (loading: Promise<unknown>, code: string, message: RegExp): Promise<void> =>
    assert.rejects(loading, (error) => error instanceof BonsaiError && error.code === code && message.test(error.message));

  test("is refused with what is missing or does not fit", async () => {
    await rejects(
      loadWithAdapters(goldenPath("llama"), cacheDir, { reward: description }),
      "invalid_model_file",
      /"score\.weight" is missing/,
    );
    await rejects(
      loadReward("llama", { reward: { ...description, dimensions: ["one"] } }),
      "invalid_model_file",
      /score\.weight has shape \[3, 32\], and reward\.json and the model need \[1, 32\]/,
    );
    const adapters = [{ id: "adapter", path: join(rewardsPath, "adapter") }];
    await rejects(loadWithAdapters(goldenPath("llama"), cacheDir, { adapters }), "unsupported_model", /without reward\.json/);
    const plain = [{ id: "plain", path: fileURLToPath(new URL("../../oracle/adapters/llama", import.meta.url)), reward: description }];
    await rejects(loadWithAdapters(goldenPath("llama"), cacheDir, { adapters: plain }), "invalid_model_file", /no tensor score\.weight/);
  });

  test("is one whose head was trained on another policy", async () => {
    const heads = (policy: string, sha256: string): LoadOptions => ({
      heads: [{ id: "head", path: headFolder, policy, reward: headDescription, sha256 }],
    });
    await rejects(
      loadPolicy(heads("policy", "0".repeat(64))),
      "invalid_model_file",
      /trained on another policy.*0000.*train the head again/,
    );
    await rejects(loadPolicy(heads("adapter", "0".repeat(64))), "invalid_model_file", /adapter as its policy, which is none/);
    const path = fileURLToPath(new URL("../../oracle/adapters/llama", import.meta.url));
    const file = openModel(goldenPath("llama"));
    const sha256 = tunedContentHash(file.contentHash, adapterContentHash(path));
    file.weights.close();
    const models = await loadPolicy({ adapters: [{ id: "tuned", path }], ...heads("tuned", sha256) });
    const [tuned, head] = [models[1]!, models[2]!];
    assert.deepEqual([head.info.base, head.adapter, head.cacheScope], ["tuned", tuned.adapter, tuned.cacheScope]);
    await models[0]!.device.dispose();
  });
});
