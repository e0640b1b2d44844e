/**
 * @file The implicit reward of a tuned policy is served as any reward model, and is beta times what the slow twin finds
 * between policy and reference.
 */

import assert from "node:assert/strict";
import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { readDecoderConfig } from "../../../src/architectures/decoder/decoder-config.ts";
import { resolveModels } from "../../../src/catalog/resolve-models.ts";
import { tunedContentHash } from "../../../src/engine/scoring/decoder-reward.ts";
import { startEngine } from "../../../src/engine/worker/start-engine.ts";
import type { BonsaiError } from "../../../src/errors/bonsai-error.ts";
import { mergeAdapter } from "../../../src/formats/merged-adapter.ts";
import { openModel } from "../../../src/formats/open-model.ts";
import { adapterContentHash, readPeftAdapter } from "../../../src/formats/peft-adapter.ts";
import { rawNormalization, readRewardConfig, writeRewardConfig } from "../../../src/reward/reward-config.ts";
import type { Message } from "../../../src/text/conversation/message.ts";
import { RowEncoder } from "../../../src/training/data/documents.ts";
import { goldenPath } from "../../architectures/goldens.ts";
import { NaiveDecoder } from "../../architectures/naive-decoder.ts";
import { roomyLimits } from "../../engine/answers.ts";
import { scoreInputs } from "../../engine/score-inputs.ts";
import { temporaryFolder } from "../../fixtures/temporary-folder.ts";
import { naiveLogProbability } from "./naive-log-probability.ts";

const modelsFolder = temporaryFolder();
const base = join(modelsFolder, "base");
const tuned = join(modelsFolder, "tuned");
cpSync(goldenPath("llama"), base, { recursive: true });
cpSync(join(goldenPath("llama"), "../../adapters/llama"), tuned, { recursive: true });
writeFileSync(
  join(tuned, "adapter_config.json"),
  JSON.stringify({ ...(JSON.parse(readFileSync(join(tuned, "adapter_config.json"), "utf8")) as object), base_model_name_or_path: "base" }),
);
const file = openModel(base);
after(() => file.weights.close());
const beta = 0.7;
const rewardFolder = (name: string, policyHash = tunedContentHash(file.contentHash, adapterContentHash(tuned))): string => {
  const folder = join(modelsFolder, name);
  mkdirSync(folder, { recursive: true });
  writeRewardConfig(folder, {
    form: "implicit",
    dimensions: ["reward"],
    weights: [1],
    normalization: rawNormalization(1),
    maxLength: 200,
    policy: { name: "../tuned", sha256: policyHash },
    reference: { name: "base", sha256: file.contentHash },
    beta,
  });
  return folder;
};
const taste = rewardFolder("taste");

const conversation = (question: string, answer: string): Message[] => [
  { role: "user", content: question },
  { role: "assistant", content: answer },
];
const conversations = [
  conversation("say cat", "meow"),
  conversation("say cat", "woof woof woof woof woof"),
  conversation("what says the ".repeat(9), "a long answer to a longer question, which takes more than one chunk of tokens to read"),
];

/** By weights of every token on its own, from the tokens that training sees. */
function expectedRewards(): number[] {
  const config = readDecoderConfig(file.config, file.path);
  const decoders = [mergeAdapter(file.weights, readPeftAdapter(tuned, "llama")), file.weights].map(
    (weights) => new NaiveDecoder(config, weights),
  );
  const encoder = new RowEncoder(file);
  return conversations.map((messages) => {
    const { ids, trained } = encoder.encode({
      form: "conversational completion",
      prompt: messages.slice(0, 1),
      completion: messages.slice(1),
    });
    const [start, end] = [trained.indexOf(true), trained.lastIndexOf(true) + 1];
    const [own, other] = decoders.map((decoder) => naiveLogProbability(decoder, ids.slice(0, start), ids.slice(start, end)));
    return beta * (own! - other!);
  });
}

describe("an implicit reward", () => {
  test("is found with its policy and reference, served, and equals the slow twin's", async () => {
    const models = await resolveModels(["taste"], () => {}, { modelsFolder, catalog: {} });
    const engine = await startEngine({
      ...roomyLimits,
      models,
      quantization: "fp32",
      cacheDir: temporaryFolder(),
      threads: 1,
      log: () => {},
    });
    try {
      const info = engine.models.find(({ id }) => id === "taste")!;
      assert.deepEqual([info.kind, info.base, info.reward?.form, info.contextLength], ["reward", "tuned", "implicit", 200]);
      assert.deepEqual(engine.models.map(({ id }) => id).toSorted(), ["base", "taste", "tuned"]);
      const request = {
        model: "taste",
        inputs: scoreInputs(conversations),
        truncate: false,
      };
      const together = await engine.score(request);
      for (const [index, expected] of expectedRewards().entries()) {
        const [found] = together.scores[index]!.raw;
        assert.ok(Math.abs(found! - expected) < 2e-3 * (1 + Math.abs(expected)), `${found} is not ${expected}`);
        const alone = await engine.score({ ...request, inputs: [request.inputs[index]!] });
        assert.deepEqual(alone.scores[0]!.raw, together.scores[index]!.raw, "whoever is scored beside it");
      }
    } finally {
      await engine.close();
    }
  });

  test("is refused where its policy is another one than it was", async () => {
    const changed = rewardFolder("changed", "0".repeat(64));
    const models = await resolveModels([changed], () => {}, { modelsFolder, catalog: {} });
    const start = startEngine({ ...roomyLimits, models, quantization: "fp32", cacheDir: temporaryFolder(), threads: 1, log: () => {} });
    await assert.rejects(start, (error: BonsaiError) => error.code === "invalid_model_file" && /names as its policy the tuned with sha256 0000/.test(error.message)); // prettier-ignore
  });

  test("has a policy, a reference and a beta, and no other form has", () => {
    const config = readRewardConfig(taste);
    const write =
      (changes: object): (() => void) =>
      () =>
        writeRewardConfig(taste, { ...config, ...changes });
    assert.throws(write({ beta: undefined }), /reward\.json: beta is missing/);
    assert.throws(write({ reference: undefined }), /reference is missing/);
    assert.throws(write({ form: "decoder" }), /policy belongs to the forms/);
    assert.throws(write({ form: "policy-head" }), /reference belongs to the form "implicit" only/);
  });
});
