/**
 * @file Tests what is measured of models without a true score, on the teddy models, which are always there; and what is
 * said of models and prompts that are absent.
 */

import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { KeptResults } from "../../loadtest/kept-results.ts";
import { plans } from "../../loadtest/plan.ts";
import { missingParts, presentModels } from "../../loadtest/present-models.ts";
import { heldOutPrompt, questionsOfFile } from "../../loadtest/prompts.ts";
import type { RewardedWay } from "../../loadtest/quality/measured-points.ts";
import { smolLM2ChapterOf } from "../../loadtest/report/write-report.ts";
import { runScenarios } from "../../loadtest/run-scenarios.ts";
import { baselineCandidatesId, candidatesId, type CandidatesResult } from "../../loadtest/scenarios/quality.ts";
import { smolLM2Scenarios } from "../../loadtest/scenarios/smollm2.ts";
import { halving, teddyModels } from "../../loadtest/variants.ts";
import { temporaryFolder } from "../fixtures/temporary-folder.ts";

const folder = temporaryFolder();

describe("models whose answers a reward model alone judges", () => {
  const models = teddyModels.map((model) => ({ ...model, maxTokens: 48 }));
  const ways = { counts: [1, 4], latencyRequests: () => 2, prunedPrompts: 3, qualityPrompts: 3, baselineAnswers: 2 };
  const prompts = [0, 1, 2].map(heldOutPrompt);
  const measured = (async () => {
    const kept = new KeptResults(join(folder, "kept"), "this run");
    const { signal } = new AbortController();
    const settings = { plan: plans.quick, prompts, signal, kept, say: () => {}, fromSource: true };
    const results = await runScenarios(smolLM2Scenarios(models, ways, prompts), settings);
    return { results, chapter: await smolLM2ChapterOf(results, { models, ways, prompts }) };
  })();

  it("are timed in every way to answer, and each answer that was timed is the choice among the candidates that were scored", async () => {
    const { chapter } = await measured;
    assert.deepEqual(
      chapter.tables[0]!.rows.map(([title]) => title),
      ["SFT", "DPO"].flatMap((title) => [`${title}, one answer`, `${title}, best of 4`, `${title}, best of 4, pruned`]),
    );
    assert.deepEqual(
      chapter.checks.map((check) => check.measured),
      [1, 0],
    );
  });

  it("have the highest reward of each prompt's candidates for the largest N, and their mean for one answer", async () => {
    const { results, chapter } = await measured;
    const found = (chapter.raw as { ways: RewardedWay[] }).ways;
    for (const model of models) {
      const groups = (results.get(candidatesId(model)) as CandidatesResult).map((group) => group.map(({ reward }) => reward!));
      const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
      const rewardOf = (bestOf: number): number =>
        found.find((way) => way.model === model.id && way.bestOf === bestOf && !way.pruned)!.reward.mean;
      assert.ok(Math.abs(rewardOf(4) - mean(groups.map((group) => Math.max(...group)))) < 1e-9);
      assert.ok(Math.abs(rewardOf(1) - mean(groups.map(mean))) < 1e-9);
    }
  });

  it("are compared with other answers of the first model, which nothing was chosen among", async () => {
    const { results } = await measured;
    const texts = (id: string): string[] => (results.get(id) as CandidatesResult).flatMap((group) => group.map(({ text }) => text));
    const baseline = texts(baselineCandidatesId);
    assert.equal(baseline.length, prompts.length * ways.baselineAnswers);
    assert.notDeepEqual(baseline, texts(candidatesId(models[0]!)).slice(0, baseline.length));
  });

  it("are said to be judged by the learned reward, and not by gold", async () => {
    const { chapter } = await measured;
    assert.match(chapter.about, /no gold score: it is the learned reward of teddy-rm/);
    assert.ok(chapter.tables[0]!.columns.every(({ heading }) => !heading.includes("gold")));
  });
});

describe("models to measure", () => {
  const models = join(folder, "models");
  const put = (name: string, file: string, text = "{}"): void => {
    mkdirSync(join(models, name), { recursive: true });
    writeFileSync(join(models, name, file), text);
  };
  put("whole", "config.json");
  put("pulled", "weights.gguf");
  put("adapter", "adapter_config.json", JSON.stringify({ base_model_name_or_path: "pulled" }));
  put("orphan", "adapter_config.json", JSON.stringify({ base_model_name_or_path: "distant" }));
  const model = (id: string, rewardModel: string) => ({ id, title: id, rewardModel, maxTokens: 8, prune: halving(8) });

  it("are there where they, their reward model and the bases of both are", () => {
    assert.deepEqual(
      ["whole", "pulled", "adapter", "orphan", "nowhere"].map((id) => missingParts(id, models)),
      [[], [], [], ["distant"], ["nowhere"]],
    );
    assert.deepEqual(
      presentModels([model("adapter", "whole"), model("orphan", "whole")], models, []).present.map(({ id }) => id),
      ["adapter"],
    );
  });

  it("are left out with what is missing, and the command that brings it where there is one", () => {
    assert.deepEqual(presentModels([model("orphan", "nowhere")], models, ["distant"]).absent, [
      "orphan is left out: models/distant is not there (npm run pull -- distant), and models/nowhere is not there.",
    ]);
  });
});

describe("questions of a file", () => {
  const path = join(folder, "questions.jsonl");

  it("are first turns, spread over the file", () => {
    writeFileSync(path, Array.from({ length: 10 }, (_, index) => JSON.stringify({ turns: [`question ${index}`, "more"] })).join("\n"));
    const contents = (count: number): string[] => questionsOfFile(path, count).map(([message]) => message!.content);
    assert.deepEqual(contents(3), ["question 0", "question 3", "question 6"]);
    assert.equal(contents(50).length, 10);
  });

  it("are refused with the line that holds none", () => {
    writeFileSync(path, '{"turns": ["fine"]}\n{"turns": []}\n');
    assert.throws(() => questionsOfFile(path, 1), /questions\.jsonl.*2.*turns/s);
  });
});
