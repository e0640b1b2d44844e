/**
 * @file smollm2-135m-dpo, the adapter that the repository brings along: its card, and what peft makes of it over
 * transformers' base.
 */

import assert from "node:assert/strict";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { readTokens } from "../../src/evaluation/policy/policy-distance.ts";
import { defaultModelsFolder } from "../../src/catalog/project-root.ts";
import { resolveModels } from "../../src/catalog/resolve-models.ts";
import { defaultConfig } from "../../src/config/options.ts";
import { startEngine } from "../../src/engine/worker/start-engine.ts";
import { openModel } from "../../src/formats/open-model.ts";
import { writeTrainedModel } from "../../src/training/model/trained-output.ts";
import { runOracle, withoutPyTorch } from "../fixtures/python-oracle.ts";
import { smolLM2Path, withoutSmolLM2 } from "../fixtures/real-models.ts";
import { temporaryFolder } from "../fixtures/temporary-folder.ts";

const name = "smollm2-135m-dpo";
const adapter = join(defaultModelsFolder(), name);
const tolerance = 1e-3;

describe("smollm2-135m-dpo", () => {
  test("is small, and says what it was made of, what it does and what it does not", () => {
    assert.ok(statSync(join(adapter, "adapter_model.safetensors")).size < 8e6);
    const card = readFileSync(join(adapter, "README.md"), "utf8");
    for (const heading of ["## Data", "## Made by", "## Source and limits", "## Accuracy", "## Comparison", "### Ten conversations"])
      assert.ok(card.includes(heading), heading);
  });

  test(
    "is loaded by peft on transformers' base, with the log-probabilities that are served",
    { skip: withoutSmolLM2 || withoutPyTorch },
    async () => {
      const folder = temporaryFolder();
      const model = openModel(smolLM2Path()!);
      writeTrainedModel(join(folder, "base"), model, new Map(), "float32");
      model.weights.close();
      const engine = await startEngine({
        ...defaultConfig(),
        models: await resolveModels([`smollm2-135m-instruct=${smolLM2Path()!}`, adapter], () => {}),
        quantization: "fp32",
        cacheDir: join(folder, "cache"),
        log: () => {},
      });
      const conversations = ["Rewrite politely: Give me the book.", "Name three colours."].map((content) => [
        { role: "user" as const, content },
      ]);
      try {
        const served: { ids: number[]; logprobs: Record<"tuned" | "base", number[]> }[] = [];
        for (const messages of conversations) {
          const ids = await engine.tokenize(name, { kind: "messages", messages });
          const read = async (id: string): Promise<number[]> => (await readTokens(engine, id, ids)).slice(1).map(({ logprob }) => logprob!);
          served.push({ ids, logprobs: { tuned: await read(name), base: await read("smollm2-135m-instruct") } });
        }
        writeFileSync(join(folder, "ids.json"), JSON.stringify(served.map(({ ids }) => ids)));
        const { logprobs } = runOracle("load-written.py", "tokens", join(folder, "base"), adapter, join(folder, "ids.json")) as {
          logprobs: number[][];
        };
        for (const [at, { logprobs: found }] of served.entries()) {
          assert.equal(found.tuned.length, logprobs[at]!.length);
          const distance = (own: readonly number[]): number =>
            Math.max(...own.map((value, place) => Math.abs(value - logprobs[at]![place]!)));
          assert.ok(distance(found.tuned) < tolerance, `largest difference ${distance(found.tuned)}`);
          assert.ok(distance(found.base) > 10 * tolerance, "the adapter changes nothing");
        }
      } finally {
        await engine.close();
      }
    },
  );
});
