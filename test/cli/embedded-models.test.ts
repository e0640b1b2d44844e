/** @file The models in the repository: small enough, described, found first, and as good as their cards say. */

import assert from "node:assert/strict";
import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { readCatalog } from "../../src/catalog/catalog.ts";
import { defaultModelsFolder } from "../../src/catalog/project-root.ts";
import { sampledPieces } from "../../src/evaluation/sampled-answers.ts";
import { presentModels, resolveModels } from "../../src/catalog/resolve-models.ts";
import { defaultConfig } from "../../src/config/options.ts";
import type { Engine } from "../../src/engine/contract/request.ts";
import { plainSampling } from "../../src/engine/sampling/sampler.ts";
import { startEngine } from "../../src/engine/worker/start-engine.ts";
import { prompt } from "../../src/teddy/writer/demonstration.ts";
import { correlationOf, momentsWithin } from "../../src/statistics/within-prompt-correlation.ts";
import { readRewardConfig } from "../../src/reward/reward-config.ts";
import type { Message } from "../../src/text/conversation/message.ts";
import { answersTo, servedRewardModel } from "../../src/reward/reward-model.ts";
import { summarizeGold, type GoldSummary } from "../../src/teddy/judge/gold-report.ts";
import { judge, type GoldScores } from "../../src/teddy/judge/judge.ts";
import { pairsOf } from "../../src/training/data/ranking.ts";
import { preparedModels } from "../fixtures/prepared-models.ts";

const names = ["teddy-base", "teddy-sft", "teddy-dpo"];
const models = defaultModelsFolder();
/** Prompts whose greedy answers are judged. */
const promptCount = 48;

let engine: Engine;

describe("the embedded models", () => {
  let sampled: readonly SampledAnswers[];

  before(async () => {
    engine = await startEngine({
      ...defaultConfig(),
      models: await resolveModels(["teddy-sft", "teddy-dpo", "teddy-rm", "teddy-sft-head", "teddy-value"], () => {}),
      cacheDir: preparedModels(),
      threads: 1,
      log: () => {},
    });
    sampled = await sampleAnswers();
  });
  after(async () => engine.close());

  test("are found, the chat model first", async () => {
    const present = (await presentModels(models, await readCatalog())).map(({ id }) => id);
    assert.equal(present[0], "teddy-sft");
    for (const name of names) assert.ok(present.includes(name), name);
  });

  for (const name of names) {
    test(`${name} has weights that git can carry, and a card with data, recipe and gold scores`, () => {
      assert.ok(statSync(join(models, name, "model.safetensors")).size < 8e6);
      const card = readFileSync(join(models, name, "README.md"), "utf8");
      for (const heading of ["## Data", "## Made by", "## Gold scores", "### Ten conversations"])
        assert.ok(card.includes(heading), heading);
      for (const file of ["config.json", "tokenizer.json", "curves.svg", "metrics.jsonl", "training.json"])
        assert.ok(existsSync(join(models, name, file)), file);
    });
  }

  test("teddy-sft, as it is served by default, answers prompts of held-out combinations usefully and in good English; teddy-dpo more warmly, and better", async () => {
    const [sft, dpo] = [await meanScores("teddy-sft"), await meanScores("teddy-dpo")];
    assert.ok(sft.usefulness.mean > 0.6, `usefulness ${sft.usefulness.mean}`);
    assert.ok(sft.language.mean > 0.9, `language ${sft.language.mean}`);
    // Competent and cold: what preference tuning and Best-of-N are for.
    assert.ok(sft.friendliness.mean < 0.6, `friendliness ${sft.friendliness.mean}`);
    assert.ok(dpo.score.mean > sft.score.mean + 0.05, `score ${dpo.score.mean} against ${sft.score.mean}`);
    assert.ok(
      dpo.friendliness.mean > sft.friendliness.mean + 0.1,
      `friendliness ${dpo.friendliness.mean} against ${sft.friendliness.mean}`,
    );
    assert.ok(dpo.usefulness.mean > sft.usefulness.mean - 0.05, `usefulness ${dpo.usefulness.mean} against ${sft.usefulness.mean}`);
  });

  test("teddy-rm tells which of teddy-sft's answers gold likes better, and the head over its states does so less well", async () => {
    const [model, head] = [await agreementWithGold("teddy-rm", sampled), await agreementWithGold("teddy-sft-head", sampled)];
    assert.ok(model.pairs > 300, String(model.pairs));
    assert.ok(model.share > 0.8, `teddy-rm ${model.share}`);
    assert.ok(head.share > 0.62 && head.share < model.share, `teddy-sft-head ${head.share}`);
  });

  test("teddy-value tells from 12 tokens of teddy-sft's answers what teddy-rm will say of the whole, as teddy-rm itself cannot", async () => {
    const [value, own] = await agreementOfPrefixes(12, sampled);
    assert.ok(value > 0.5 && value > own + 0.2, `correlations ${value} and ${own}`);
    const { prefixes } = readRewardConfig(join(models, "teddy-rm"));
    assert.equal(prefixes!.valueModel, "teddy-value");
  });
});

/** What the reward model `name` says of answers to one prompt. */
const rewardsOf = async (name: string, messages: readonly Message[], texts: readonly string[]): Promise<number[]> => {
  const info = engine.models.find(({ id }) => id === name)!;
  return (await servedRewardModel(engine, info).score(answersTo(messages, texts), { truncate: true })).map(({ reward }) => reward);
};

interface SampledAnswers {
  messages: Message[];
  /** An answer is its pieces, a token each. */
  answers: string[][];
  /** What teddy-rm says of each answer. */
  rewards: number[];
}

/** Eight sampled answers of teddy-sft to each of some held-out prompts. */
async function sampleAnswers(): Promise<SampledAnswers[]> {
  return Promise.all(
    Array.from({ length: 32 }, async (_, index) => {
      const messages = [...prompt(1, index, "held-out").messages];
      const answers = Array.from({ length: 8 }, (): string[] => []);
      const sampling = { samples: answers.length, temperature: 1, maxTokens: 120, seed: 0 };
      for await (const piece of sampledPieces(engine, "teddy-sft", { kind: "messages", messages }, index, sampling))
        answers[piece.index]!.push(piece.text);
      const texts = answers.map((pieces) => pieces.join(""));
      return { messages, answers, rewards: await rewardsOf("teddy-rm", messages, texts) };
    }),
  );
}

/** How often a reward model prefers what gold does, of pairs of sampled answers that gold tells apart. */
async function agreementWithGold(name: string, sampled: readonly SampledAnswers[]): Promise<{ share: number; pairs: number }> {
  let [right, pairs] = [0, 0];
  for (const { messages, answers, rewards: byRewardModel } of sampled) {
    const texts = answers.map((pieces) => pieces.join(""));
    const rewards = name === "teddy-rm" ? byRewardModel : await rewardsOf(name, messages, texts);
    const gold = texts.map((text) => judge(messages, text).score);
    for (const [one, other] of pairsOf(texts.length)) {
      const difference = gold[one]! - gold[other]!;
      if (Math.abs(difference) < 0.1) continue;
      pairs++;
      right += Number(Math.sign(rewards[one]! - rewards[other]!) === Math.sign(difference));
    }
  }
  return { share: right / pairs, pairs };
}

/**
 * How the rewards of prefixes by teddy-value, and by teddy-rm, vary with teddy-rm's of the whole answers, among answers
 * to one prompt.
 */
async function agreementOfPrefixes(tokens: number, sampled: readonly SampledAnswers[]): Promise<[value: number, own: number]> {
  const judges = ["teddy-value", "teddy-rm"] as const;
  const groups: [number, number][][][] = judges.map(() => []);
  for (const { messages, answers, rewards } of sampled) {
    const longer = [...answers.keys()].filter((at) => answers[at]!.length > tokens);
    const prefixes = longer.map((at) => answers[at]!.slice(0, tokens).join(""));
    for (const [place, name] of judges.entries()) {
      const scores = await rewardsOf(name, messages, prefixes);
      groups[place]!.push(scores.map((score, at) => [score, rewards[longer[at]!]!]));
    }
  }
  return groups.map((group) => correlationOf(momentsWithin(group))) as [number, number];
}

/** Means of the gold scores of greedy answers to held-out prompts. */
async function meanScores(name: string): Promise<GoldSummary["single"]> {
  const answer = async (index: number): Promise<GoldScores> => {
    const { messages } = prompt(1, index, "held-out");
    let text = "";
    const events = engine.generate({
      model: name,
      prompt: { kind: "messages", messages: [...messages] },
      n: 1,
      maxTokens: 120,
      sampling: { ...plainSampling, temperature: 0 },
      seed: 0,
      stop: [],
      ignoreEos: false,
      logprobs: undefined,
      echo: false,
    });
    for await (const event of events) if (event.type === "delta") text += event.text;
    return judge(messages, text);
  };
  const scores = await Promise.all(Array.from({ length: promptCount }, (_, index) => answer(index)));
  return summarizeGold(scores.map((score) => [score])).single;
}
