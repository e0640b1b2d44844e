/**
 * @file Reward models of real preferences: LoRA adapters of all-MiniLM-L6-v2 with a classifier. The preferences stay
 * where they are, beside the project, in files that are split so that no prompt, topic or answer is on both sides.
 */

import { join } from "node:path";
import { flagWords, publishModel, workFolder, type Recipe, type Stage } from "./stage.ts";

const preferencesFolder = join("..", "shared", "data", "preferences");
const base = "all-minilm-l6-v2";

interface RealPreferences {
  about: string;
  file: string;
  /** What the card says of the data, and of what the model cannot do. */
  card: string;
  /** Name of the model's output. */
  dimension: string;
  /** Options of `npm run collect -- split`, besides the shares. */
  split: Readonly<Record<string, string>>;
  /** Options of `npm run train:reward`. */
  training: Readonly<Record<string, string | number>>;
}

const shares = { "held-out": 0.2, validation: 0.1 };

/** What was chosen on validation pairs is in `training`. */
const sets: Readonly<Record<string, RealPreferences>> = {
  "minilm-rm-polite": {
    about: "polite answers against impolite ones (rasbt/LLMs-from-scratch, 1,100 pairs)",
    file: "rasbt_polite.jsonl",
    card: "Polite against impolite answers to short instructions, from rasbt/LLMs-from-scratch (Apache-2.0), made by a language model; the pairs are not part of this repository. It knows the tone of short English answers and nothing of whether they are right. Its raw rewards lie far apart, since nearly all training pairs are easy.",
    dimension: "politeness",
    split: {},
    training: { "num-train-epochs": 2, "max-length": 128 },
  },
  "minilm-rm-arguments": {
    about: "the more convincing of two arguments (UKPConvArg1Strict, 11,650 pairs), on debates that it has not seen",
    file: "ukp_convarg_strict.jsonl",
    card: "UKPConvArg1Strict by Habernal and Gurevych (ACL 2016; CC BY 4.0): which of two arguments in a debate crowd workers found more convincing; the pairs are not part of this repository. Both sides of a debate, and any argument that stands in two of them, are on one side of the split. Longer arguments won three times in four, so the length baseline is the number to look at first. It reads 192 tokens.",
    dimension: "conviction",
    split: { by: "topic", until: "_" },
    training: { "max-steps": 300, "max-length": 192 },
  },
  "minilm-rm-harmless": {
    about: "the less harmful of two answers (Anthropic HH-RLHF, test split of harmless-base, 2,303 pairs)",
    file: "hh_harmless_test.jsonl",
    card: "The test split of harmless-base of Anthropic's HH-RLHF (MIT), whose conversations are offensive by design; the pairs are not part of this repository. People disagree on many of them. It is far from a safety filter: it was trained on 1,612 pairs, and of a long conversation it reads the beginning.",
    dimension: "harmlessness",
    split: {},
    training: { "num-train-epochs": 2, "max-length": 256 },
  },
};

function stagesOf(name: string, { file, card: about, dimension, split, training }: RealPreferences): Stage[] {
  const inWork = (...names: string[]): string => join(workFolder, name, ...names);
  const pairs = join(preferencesFolder, file);
  const trained = inWork(name);
  const weights = join(trained, "adapter_model.safetensors");
  const card = join("models", name, "README.md");
  return [
    {
      name: "split",
      work: {
        command: "collect",
        args: ["split", pairs, ...flagWords({ "output-dir": join(workFolder, name), ...split, ...shares })],
      },
      from: { files: [pairs] },
    },
    {
      name: "train",
      trains: trained,
      work: {
        command: "train:reward",
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
    {
      name: "publish",
      work: {
        here: () => publishModel(trained, name, { limits: about }),
      },
      from: { value: about, files: [weights] },
    },
    {
      name: "evaluate",
      work: {
        command: "evaluate",
        args: ["reward", ...flagWords({ model: join("models", name), dataset: `held-out=${inWork("held-out.jsonl")}`, card })],
      },
      from: { files: [weights, inWork("held-out.jsonl")] },
    },
  ];
}

export const minilmRecipes: Readonly<Record<string, Recipe>> = Object.fromEntries(
  Object.entries(sets).map(([name, set]) => [name, { about: `a reward model: ${set.about}`, stages: () => stagesOf(name, set) }]),
);
