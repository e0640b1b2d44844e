/**
 * @file smollm2-135m-dpo: a LoRA adapter that makes SmolLM2-135M-Instruct more polite. It is tuned on real preferences,
 * which stay where they are, beside the project, and on its own answers, which minilm-rm-polite compares; neither has
 * seen the held-out prompts.
 */

import { join } from "node:path";
import { flagWords, publishModel, workFolder, type Recipe, type Stage } from "./stage.ts";

const name = "smollm2-135m-dpo";
const base = "smollm2-135m-instruct";
const judge = "reward=minilm-rm-polite";
const preferences = join("..", "shared", "data", "preferences", "rasbt_polite.jsonl");
/** Sampling options of the comparison with the base. */
const sampled = { limit: 50, samples: 2, "max-tokens": 64, seed: 1 };
/** The shares of minilm-rm-polite: no row that it was trained on is held out here. */
const shares = { "held-out": 0.2, validation: 0.1 };

const about =
  "Polite against impolite answers to short instructions, from rasbt/LLMs-from-scratch (Apache-2.0), made by a language model; the pairs are not part of this repository. The other half of the data are answers of SmolLM2-135M-Instruct itself to the same instructions, compared by [minilm-rm-polite](../minilm-rm-polite/README.md), which knows the tone of short English answers and not whether they are right. So this adapter is more polite than its base and no wiser. It is much wordier, and far from its base (the KL below): pairs and judge like words of courtesy, and it uses them on any occasion. SmolLM2-135M-Instruct (Apache-2.0) is its base in the catalog's form of 4 bits; over the original weights it does much the same.";

function stages(): Stage[] {
  const inWork = (...names: string[]): string => join(workFolder, name, ...names);
  const trained = inWork(name);
  const implicit = inWork("implicit");
  const card = join("models", name, "README.md");
  const weights = join("models", name, "adapter_model.safetensors");
  return [
    {
      name: "split",
      work: {
        command: "collect",
        args: ["split", preferences, ...flagWords({ "output-dir": join(workFolder, name), ...shares })],
      },
      from: { files: [preferences] },
    },
    {
      name: "train",
      trains: trained,
      work: {
        command: "train:dpo",
        args: flagWords({
          model: base,
          dataset: inWork("train.jsonl"),
          "eval-dataset": inWork("validation.jsonl"),
          rounds: 1,
          prompts: inWork("train.jsonl"),
          "prompts-per-round": 192,
          judge,
          samples: 4,
          "max-tokens": 64,
          "num-train-epochs": 0.6,
          "batch-size": 4,
          packing: true,
          "learning-rate": 0.0005,
          "warmup-steps": 5,
          "max-length": 160,
          "eval-steps": 0,
          "save-steps": 5,
          "lora-r": 8,
          "lora-alpha": 16,
          "lora-dropout": 0,
          "save-dtype": "bfloat16",
          "implicit-reward-dir": implicit,
          "output-dir": trained,
        }),
      },
      from: { files: [inWork("train.jsonl"), inWork("validation.jsonl"), join("models", "minilm-rm-polite", "adapter_model.safetensors")] },
    },
    {
      name: "publish",
      work: {
        here: () => publishModel(trained, name, { limits: about, withoutTokenizer: true }),
      },
      from: { value: about, files: [join(trained, "adapter_model.safetensors")] },
    },
    {
      name: "evaluate the implicit reward",
      work: {
        command: "evaluate",
        args: ["reward", ...flagWords({ model: implicit, dataset: `held-out=${inWork("held-out.jsonl")}`, card })],
      },
      from: { files: [weights, inWork("held-out.jsonl")] },
    },
    {
      name: "evaluate",
      work: {
        command: "evaluate",
        args: [
          "policy",
          ...flagWords({ model: join("models", name), baseline: base, prompts: inWork("held-out.jsonl"), ...sampled, judge, card }),
        ],
      },
      from: { files: [weights, inWork("held-out.jsonl")] },
    },
  ];
}

export const smollm2DpoRecipes: Readonly<Record<string, Recipe>> = {
  [name]: { about: "a LoRA adapter that makes SmolLM2-135M-Instruct more polite (rasbt/LLMs-from-scratch, and its own answers)", stages },
};
