/**
 * @file Reward models of real preferences: LoRA adapters of all-MiniLM-L6-v2 with a classifier. The preferences stay where they are, beside the project,
 * in files that are split so that no prompt, topic or answer is on both sides.
 */

import { join } from "node:path";
import { flagWords, publishModel, workFolder, type Recipe, type Stage } from "./stage.ts";

const preferencesFolder = join("..", "shared", "data", "preferences");
const base = "all-minilm-l6-v2";

interface RealPreferences {
  about: string;
  file: string;
  /** Name of the model's output. */
  dimension: string;
  /** Of `npm run collect -- split`, beside the shares. */
  split: Readonly<Record<string, string>>;
  /** Of `npm run train:reward`. */
  training: Readonly<Record<string, string | number>>;
}

const shares = { "held-out": 0.2, validation: 0.1 };

/** What was chosen on validation pairs is in `training`. */
const sets: Readonly<Record<string, RealPreferences>> = {
  "minilm-rm-polite": {
    about: "polite answers against impolite ones (rasbt/LLMs-from-scratch, 1,100 pairs)",
    file: "rasbt_polite.jsonl",
    dimension: "politeness",
    split: {},
    training: { "num-train-epochs": 2, "max-length": 128 },
  },
  "minilm-rm-arguments": {
    about: "the more convincing of two arguments (UKPConvArg1Strict, 11,650 pairs), on debates that it has not seen",
    file: "ukp_convarg_strict.jsonl",
    dimension: "conviction",
    split: { by: "topic", until: "_" },
    training: { "max-steps": 300, "max-length": 192 },
  },
  "minilm-rm-harmless": {
    about: "the less harmful of two answers (Anthropic HH-RLHF, test split of harmless-base, 2,303 pairs)",
    file: "hh_harmless_test.jsonl",
    dimension: "harmlessness",
    split: {},
    training: { "num-train-epochs": 2, "max-length": 256 },
  },
};

function stagesOf(name: string, { file, dimension, split, training }: RealPreferences): Stage[] {
  const inWork = (...names: string[]): string => join(workFolder, name, ...names);
  const pairs = join(preferencesFolder, file);
  const trained = inWork(name);
  const weights = join(trained, "adapter_model.safetensors");
  const card = join("models", name, "README.md");
  return [
    {
      name: "split",
      work: {
        script: "collect-preferences",
        args: ["split", pairs, ...flagWords({ "output-dir": join(workFolder, name), ...split, ...shares })],
      },
      from: { files: [pairs] },
    },
    {
      name: "train",
      trains: trained,
      work: {
        script: "train-reward",
        args: flagWords({
          model: base,
          dataset: inWork("train.jsonl"),
          "eval-dataset": inWork("validation.jsonl"),
          "eval-steps": 100,
          "batch-size": 4,
          packing: true,
          "learning-rate": 0.001,
          "warmup-steps": 20,
          "lora-r": 8,
          "lora-alpha": 16,
          "save-dtype": "bfloat16",
          dimensions: dimension,
          ...training,
          "output-dir": trained,
        }),
      },
      from: { files: [inWork("train.jsonl"), inWork("validation.jsonl")] },
    },
    { name: "publish", work: { here: () => publishModel(trained, name) }, from: { files: [weights] } },
    {
      name: "evaluate",
      work: {
        script: "evaluate",
        args: ["reward", ...flagWords({ model: join("models", name), dataset: `held-out=${inWork("held-out.jsonl")}`, card })],
      },
      from: { files: [weights, inWork("held-out.jsonl")] },
    },
  ];
}

export const minilmRecipes: Readonly<Record<string, Recipe>> = Object.fromEntries(
  Object.entries(sets).map(([name, set]) => [name, { about: `a reward model: ${set.about}`, stages: () => stagesOf(name, set) }]),
);
