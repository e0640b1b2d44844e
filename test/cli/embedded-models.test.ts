/** @file The models that the repository brings along: small enough, described, found first, and as good as their cards say. */

import assert from "node:assert/strict";
import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { readCatalog } from "../../src/cli/catalog.ts";
import { defaultModelsFolder } from "../../src/cli/project-root.ts";
import { presentModels } from "../../src/cli/resolve-models.ts";
import { defaultConfig } from "../../src/config/options.ts";
import { plainSampling } from "../../src/engine/sampler.ts";
import { startEngine } from "../../src/engine/start-engine.ts";
import { prompt } from "../../src/teddy/demonstration.ts";
import { judge, type GoldScores } from "../../src/teddy/judge.ts";
import { temporaryFolder } from "../fixtures/temporary-folder.ts";

const names = ["teddy-base", "teddy-sft"];
const models = defaultModelsFolder();
/** Prompts whose greedy answers are judged. */
const promptCount = 48;

describe("the embedded models", () => {
  test("are found, the chat model first", async () => {
    const present = (await presentModels(models, await readCatalog())).map(({ id }) => id);
    assert.equal(present[0], "teddy-sft");
    assert.ok(present.includes("teddy-base"));
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

  test("teddy-sft, as it is served by default, answers prompts of held-out combinations usefully and in good English", async () => {
    const engine = await startEngine({
      ...defaultConfig(),
      models: [{ id: "teddy-sft", path: join(models, "teddy-sft") }],
      cacheDir: temporaryFolder(),
      log: () => {},
    });
    try {
      const answer = async (index: number): Promise<GoldScores> => {
        const { messages } = prompt(1, index, "held-out");
        let text = "";
        const events = engine.generate({
          model: "teddy-sft",
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
      const mean = (dimension: keyof GoldScores): number => scores.reduce((sum, score) => sum + score[dimension], 0) / scores.length;
      assert.ok(mean("usefulness") > 0.55, `usefulness ${mean("usefulness")}`);
      assert.ok(mean("language") > 0.9, `language ${mean("language")}`);
      // Competent and cold: what preference tuning and Best-of-N are for.
      assert.ok(mean("friendliness") < 0.6, `friendliness ${mean("friendliness")}`);
    } finally {
      await engine.close();
    }
  });
});
