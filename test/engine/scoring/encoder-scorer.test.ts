/**
 * @file An encoder's rewards are the classifier's logits of prompt and answer as a pair, the same to the bit in any
 * company; and all forms behind the worker.
 */

import assert from "node:assert/strict";
import { cpSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { EncoderScorer } from "../../../src/engine/scoring/encoder-scorer.ts";
import { EngineLoop } from "../../../src/engine/scheduling/engine-loop.ts";
import { ensembleInfos } from "../../../src/engine/contract/ensembles.ts";
import type { ModelInfo } from "../../../src/engine/contract/request.ts";
import type { RewardDescription } from "../../../src/engine/contract/reward-description.ts";
import type { ScoreRequest, ScoreResult } from "../../../src/engine/contract/score-request.ts";
import { startEngine } from "../../../src/engine/worker/start-engine.ts";
import { BonsaiError } from "../../../src/errors/bonsai-error.ts";
import { openModel } from "../../../src/formats/open-model.ts";
import { readRewardConfig, rawNormalization, writeRewardConfig } from "../../../src/reward/reward-config.ts";
import { servedRewardModel } from "../../../src/reward/reward-model.ts";
import type { Message } from "../../../src/text/conversation/message.ts";
import { PairEncoder } from "../../../src/text/tokenizer/encode-pair.ts";
import { Tokenizer } from "../../../src/text/tokenizer/tokenizer.ts";
import { bertPath, openBert } from "../../architectures/bert-goldens.ts";
import { largestDifference } from "../../architectures/goldens.ts";
import { temporaryFolder } from "../../fixtures/temporary-folder.ts";
import { assertRefused } from "../../formats/expect-error.ts";
import { roomyLimits } from "../answers.ts";
import { scoreInputs } from "../score-inputs.ts";
import { RandomChoices } from "../random-requests.ts";

const folder = temporaryFolder();
const cacheDir = join(folder, "cache");

const description: RewardDescription = {
  form: "encoder",
  dimensions: ["usefulness", "friendliness", "safety"],
  weights: [1, 0, 0],
  normalization: rawNormalization(3),
  maxLength: 40,
};
const encoderPath = join(folder, "encoder");
cpSync(bertPath("classifier"), encoderPath, { recursive: true });
writeRewardConfig(encoderPath, description);

const options = {
  id: "encoder",
  path: encoderPath,
  reward: description,
  quantization: "fp32" as const,
  threads: 2,
  spinning: false,
  maxRows: 64,
  kvCacheBytes: roomyLimits.kvCacheBytes,
  cacheDir,
  maxCacheBytes: 2 ** 40,
  log: () => {},
};

let nextId = 1;
const score = (loop: EngineLoop, request: ScoreRequest): Promise<ScoreResult> =>
  new Promise((resolve, reject) => loop.score(nextId++, request, { scored: resolve, failed: reject }));

const requestOf = (conversations: readonly Message[][], truncate = false, model = "encoder"): ScoreRequest => ({
  model,
  inputs: scoreInputs(conversations),
  truncate,
});

function conversation(prompt: readonly string[], answer: string): Message[] {
  return [...prompt.map((content): Message => ({ role: "user", content })), { role: "assistant", content: answer }];
}

describe("an encoder", () => {
  const conversations = [
    conversation(["How do I wash my bear?"], "Use a gentle cycle."),
    conversation(["bear", "wash", "how"], "gentle"),
    conversation([], ""),
    conversation(["How do I wash my bear? ".repeat(10)], "Use a gentle cycle. ".repeat(4)),
  ];

  test("gives the classifier's logits of the turns before, line by line, and the answer, cut as pairs are", async () => {
    const scorer = await EncoderScorer.load(options);
    const { scores } = await score(new EngineLoop([], roomyLimits, [scorer]), requestOf(conversations, true));
    const file = openModel(encoderPath);
    const pairs = new PairEncoder(new Tokenizer(file.tokenizer), file.tokenizer);
    file.weights.close();
    const rows = conversations.map((messages) => {
      const texts = messages.map(({ content }) => content);
      return pairs.encode(texts.slice(0, -1).join("\n"), texts.at(-1)!, 40);
    });
    const bert = await openBert(encoderPath, folder, ["logits"]);
    for (const [index, row] of rows.entries()) {
      const { logits } = await bert.run([row]);
      const { raw, tokens, cutTokens } = scores[index]!;
      assert.ok(largestDifference(raw, logits!) < 1e-6, `conversation ${index}`);
      assert.deepEqual([tokens, cutTokens], [row.ids.length, row.cutTokens]);
    }
    assert.ok(scores.at(-1)!.cutTokens > 0);
    await assert.rejects(
      score(new EngineLoop([], roomyLimits, [scorer]), requestOf(conversations)),
      (error) => error instanceof BonsaiError && error.code === "context_length_exceeded" && error.param === "input[3]",
    );
    await bert.dispose();
    await scorer.dispose();
  });

  for (const quantization of ["fp32", "w8a8"] as const) {
    test(`gives the same bits alone and in any company, in ${quantization}`, async () => {
      const scorer = await EncoderScorer.load({ ...options, quantization });
      const choices = new RandomChoices(12);
      const text = (): string =>
        Array.from({ length: choices.integer(0, 12) }, () => choices.of(["bear", "wash", "how", "gentle?"])).join(" ");
      const many = Array.from({ length: 40 }, () => conversation([text()], text()));
      const loop = new EngineLoop([], roomyLimits, [scorer]);
      const together = await Promise.all([0, 1, 2].map((part) => score(loop, requestOf(many.slice(part * 10, part * 10 + 20), true))));
      for (const [part, { scores }] of together.entries()) {
        for (const [index, scored] of scores.entries()) {
          const alone = await score(new EngineLoop([], roomyLimits, [scorer]), requestOf([many[part * 10 + index]!], true));
          assert.deepEqual(scored, alone.scores[0], `conversation ${part * 10 + index}`);
        }
      }
      assert.ok(loop.stats().scoringRuns < 30, "the conversations were not scored together");
      await scorer.dispose();
    });
  }

  test("whose outputs are not those of its reward.json is refused", async () => {
    await assert.rejects(
      EncoderScorer.load({ ...options, reward: { ...description, dimensions: ["one"] } }),
      (error) => error instanceof BonsaiError && /has 3 outputs and reward\.json 1 dimensions/.test(error.message),
    );
  });
});

test("reward models of every form answer from behind the worker, alone and as an ensemble, and a request that left is forgotten", async () => {
  const rewardsPath = fileURLToPath(new URL("../../oracle/rewards", import.meta.url));
  const golden = JSON.parse(readFileSync(join(rewardsPath, "golden.json"), "utf8")) as Record<"llama" | "adapter", number[][]> & {
    conversations: Message[][];
  };
  const described = (name: "llama" | "adapter"): { id: string; path: string; reward: RewardDescription } => {
    const path = join(rewardsPath, name);
    return { id: name, path, reward: readRewardConfig(path) };
  };
  const engine = await startEngine({
    ...roomyLimits,
    models: [
      { id: "policy", path: fileURLToPath(new URL("../../oracle/models/llama", import.meta.url)), adapters: [described("adapter")] },
      described("llama"),
      { id: "encoder", path: encoderPath, reward: description },
    ],
    ensembles: [{ id: "least", members: ["llama", "adapter"], rule: { kind: "minimum" } }],
    quantization: "fp32",
    cacheDir,
    threads: 1,
    log: () => {},
  });
  after(() => engine.close());
  assert.deepEqual(
    engine.models.map(({ id, kind, contextLength }) => [id, kind, contextLength]),
    [
      ["policy", "policy", 256],
      ["adapter", "reward", 240],
      ["llama", "reward", 240],
      ["encoder", "reward", 40],
      ["least", "reward", 240],
    ],
  );
  const { inputs } = requestOf(golden.conversations);
  const [llama, adapter] = ["llama", "adapter"].map((id) =>
    servedRewardModel(
      engine,
      engine.models.find((info) => info.id === id)!,
    ),
  );
  const [one, other] = await Promise.all([llama!, adapter!].map(async (model) => model.score(inputs, { truncate: false })));
  golden.conversations.forEach((_, index) => {
    const [a, b, c] = golden.llama[index]!;
    const raw = 0.6 * a! + 0.3 * b! + 0.1 * c!;
    assert.ok(Math.abs(one![index]!.raw - raw) < 1e-3 && Math.abs(one![index]!.reward - (raw - 0.25) / 1.25) < 1e-3);
    assert.ok(largestDifference(one![index]!.dimensions, [(a! - 0.5) / 2, (b! + 0.25) / 1.5, (c! - 0.125) / 0.5]) < 1e-3);
  });
  const least = await servedRewardModel(engine, engine.models.at(-1)!).score(inputs, { truncate: false });
  least.forEach(({ reward }, index) => assert.equal(reward, Math.min(one![index]!.reward, other![index]!.reward)));

  const isCode =
    (code: string) =>
    (error: unknown): boolean =>
      error instanceof BonsaiError && error.code === code;
  const leaving = new AbortController();
  const left = engine.score(requestOf(golden.conversations, false, "llama"), leaving.signal);
  leaving.abort();
  await assert.rejects(left, isCode("cancelled"));
  const reason = new BonsaiError("draining", "The server shuts down.");
  const stopping = new AbortController();
  const stopped = engine.score(requestOf(golden.conversations, false, "llama"), stopping.signal);
  stopping.abort(reason);
  await assert.rejects(stopped, (error) => error === reason);
  await assert.rejects(engine.score(requestOf(golden.conversations, false, "nobody")), isCode("model_not_found"));
  await engine.score(requestOf(golden.conversations, false, "llama"));
  assert.equal(engine.stats().scoringInputs, 0);
  const cut = engine.score(
    requestOf(
      Array.from({ length: 200 }, () => golden.conversations[2]!),
      false,
      "llama",
    ),
  );
  const closing = assert.rejects(cut, isCode("draining"));
  await engine.close();
  await closing;
});

test("ensembles are of reward models that are served, under names of their own", () => {
  const info = (id: string, kind: "policy" | "reward"): ModelInfo => ({
    id,
    kind,
    base: undefined,
    created: 1,
    contextLength: 100,
    vocabSize: 10,
    quantization: "fp32",
    device: "cpu",
    hasChatTemplate: true,
    fingerprint: id,
  });
  const models = [info("bear", "policy"), info("rm", "reward")];
  const listed = (id: string, member: string): ModelInfo[] => ensembleInfos(models, [{ id, members: [member], rule: { kind: "mean" } }]);
  assert.deepEqual(listed("careful", "rm")[0]?.ensemble, { members: ["rm"], rule: { kind: "mean" } });
  assertRefused(() => listed("bear", "rm"), "usage", /Two models are called bear/);
  assertRefused(() => listed("careful", "bear"), "usage", /"bear" as a member, which is no reward model.*There are: rm/);
  assertRefused(() => listed("careful", "rn"), "usage", /Did you mean rm/);
});
