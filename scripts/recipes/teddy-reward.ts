/**
 * @file The teddy family's reward models: teddy-rm from many pairs, teddy-value for prefixes, a head over teddy-sft's
 * own states, and how accuracy grows with pairs.
 */

import { mkdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { writeWholeFile } from "../../src/formats/written-file.ts";
import { flagWords, type Stage } from "./stage.ts";
import { heldOutPrompts, inWork, model, pairsOf, panel, publish, sample, train, weights, world } from "./teddy-stages.ts";

/** What teddy-rm's card says of its data. */
const rewardSource =
  "Pairs of answers of [teddy-sft](../teddy-sft/README.md) to 180,000 prompts. The majority of five simulated raters labelled each pair; gold labelled none. The pairs were used in three runs of 60,000, one after the other; the table of files names those of the last run. Raters prefer long answers because they are long, and a model that learns from them learns that first: afterwards half of this effect was taken off its rewards (Length, below).";

/** What the head's card says of its data. */
const headSource =
  "The first 20,000 of [teddy-rm](../teddy-rm/README.md)'s pairs. The head reads the hidden states that [teddy-sft](../teddy-sft/README.md) computes while it writes an answer, so choosing among these answers costs almost nothing in addition. Three linear functions of 192 numbers cannot know as much as a separate model.";

/** What the value model's card says of its data. */
const valueSource =
  "Eight answers of [teddy-sft](../teddy-sft/README.md) to each of 6,000 prompts, at temperature 1, with the rewards of [teddy-rm](../teddy-rm/README.md), whose weights the training began with. It knows no more about gold than teddy-rm does. It was made to judge prefixes, and the `reward.json` of teddy-rm names it for pruning; teddy-rm itself judges whole answers better.";

const dimensionWords = (friendliness: number): string[] =>
  Object.entries({ usefulness: 0.6, friendliness, safety: 0.6 }).flatMap(([dimension, weight]) => [
    "--dimensions",
    dimension,
    "--dimension-weights",
    String(weight),
  ]);

/**
 * Trains a reward model on pairs, beginning with a policy or with what other pairs have made of it.
 * @param friendliness its weight in the whole, where usefulness and safety have 0.6 each
 */
function rewardModel(name: string, from: string, pairs: string, learningRate: number, friendliness: number): Stage {
  return train(
    name,
    "train:reward",
    {
      model: from,
      dataset: pairsOf(pairs),
      "eval-dataset": pairsOf("pairs-held-out"),
      "eval-steps": 1000,
      "num-train-epochs": 1,
      "batch-size": 8,
      packing: true,
      "learning-rate": learningRate,
      "warmup-steps": 20,
    },
    [join(from, "model.safetensors"), pairsOf(pairs), pairsOf("pairs-held-out")],
    dimensionWords(friendliness),
  );
}

/** Pairs over prompts of their own. */
function morePairs(name: string, seed: number): Stage[] {
  return [
    { ...world("prompts", { "output-dir": inWork(name), seed, rows: 60_000 }), name: `${name} prompts` },
    sample(`pairs-${name}`, model("teddy-sft"), panel, inWork(name, "prompts.jsonl"), { samples: 2 }),
  ];
}

/** The first rows of the pairs, as a file of their own. */
function firstPairs(count: number): Stage {
  const name = `pairs-${count}`;
  const cut = (): void => {
    const lines = readFileSync(pairsOf("pairs"), "utf8").split("\n").slice(0, count);
    mkdirSync(dirname(pairsOf(name)), { recursive: true });
    writeWholeFile(pairsOf(name), [`${lines.join("\n")}\n`]);
  };
  return { name, work: { here: cut }, from: { value: count, files: [pairsOf("pairs")] } };
}

/** Half of what a model takes length for, found on answers that neither trained nor judge it. */
function withoutLength(name: string, weightsFile: string): Stage {
  return {
    name: `length of ${name}`,
    work: {
      command: "evaluate",
      args: ["length", ...flagWords({ model: model(name), dataset: `validation=${pairsOf("pairs-validation")}`, share: 0.5, write: true })],
    },
    from: { files: [join(model(name), weightsFile), pairsOf("pairs-validation"), "src/teddy"] },
  };
}

function evaluate(name: string, weightsFile: string): Stage {
  return {
    name: `evaluate ${name}`,
    work: {
      command: "evaluate",
      args: [
        "reward",
        ...flagWords({
          model: model(name),
          dataset: `held-out=${pairsOf("pairs-held-out")}`,
          card: join(model(name), "README.md"),
        }),
      ],
    },
    from: { files: [join(model(name), weightsFile), pairsOf("pairs-held-out"), "src/teddy"] },
  };
}

/** A value model made from teddy-rm: it predicts from a prefix what teddy-rm will say of the whole answer. */
function valueStages(): Stage[] {
  const marks = (name: string, prompts: string, flags: Parameters<typeof flagWords>[0]): Stage =>
    sample(name, model("teddy-sft"), `reward=${model("teddy-rm")}`, prompts, { ...flags, form: "points", scale: "graded" });
  return [
    { ...world("prompts", { "output-dir": inWork("fifth"), seed: 5, rows: 6000 }), name: "fifth prompts" },
    marks("marks", inWork("fifth", "prompts.jsonl"), { samples: 8 }),
    marks("marks-held-out", heldOutPrompts, { samples: 4, limit: 500 }),
    train(
      "teddy-value",
      "train:reward",
      {
        form: "value",
        model: model("teddy-rm"),
        dataset: pairsOf("marks"),
        "eval-dataset": pairsOf("marks-held-out"),
        "eval-steps": 250,
        "num-train-epochs": 1,
        "batch-size": 8,
        packing: true,
        "learning-rate": 0.0005,
        "warmup-steps": 20,
      },
      [weights("teddy-rm"), pairsOf("marks"), pairsOf("marks-held-out")],
    ),
    publish("teddy-value", undefined, valueSource),
    {
      name: "beginnings by teddy-value",
      work: {
        command: "evaluate",
        args: [
          "prefixes",
          ...flagWords({
            model: model("teddy-sft"),
            "reward-model": model("teddy-rm"),
            "value-model": model("teddy-value"),
            prompts: heldOutPrompts,
            limit: 200,
            write: true,
          }),
        ],
      },
      from: { files: [weights("teddy-sft"), weights("teddy-rm"), weights("teddy-value"), heldOutPrompts, "src/teddy"] },
    },
  ];
}

/** After the pairs themselves. */
export function rewardStages(): Stage[] {
  const headWeights = "score.safetensors";
  return [
    rewardModel("teddy-rm-1", model("teddy-sft"), "pairs", 0.0005, 0.2),
    ...morePairs("third", 3),
    rewardModel("teddy-rm-2", inWork("teddy-rm-1"), "pairs-third", 0.0004, 0.15),
    ...morePairs("fourth", 4),
    rewardModel("teddy-rm", inWork("teddy-rm-2"), "pairs-fourth", 0.0003, 0.15),
    publish("teddy-rm", undefined, rewardSource),
    withoutLength("teddy-rm", "model.safetensors"),
    evaluate("teddy-rm", "model.safetensors"),
    ...valueStages(),
    firstPairs(20_000),
    train(
      "teddy-sft-head",
      "train:reward",
      {
        model: "teddy-sft",
        form: "policy-head",
        dataset: pairsOf("pairs-20000"),
        "eval-dataset": pairsOf("pairs-held-out"),
        "num-train-epochs": 4,
        "batch-size": 64,
        "learning-rate": 0.01,
      },
      [weights("teddy-sft"), pairsOf("pairs-20000"), pairsOf("pairs-held-out")],
      dimensionWords(0.15),
    ),
    publish("teddy-sft-head", undefined, headSource, headWeights),
    withoutLength("teddy-sft-head", headWeights),
    evaluate("teddy-sft-head", headWeights),
  ];
}

/** Models that are trained as the first half of teddy-rm was, on fewer of its pairs. */
export function learningCurve(): Stage[] {
  const counts = [500, 1000, 2000, 5000, 10_000, 20_000];
  const name = (count: number): string => `teddy-rm-${count}`;
  const folders = [...counts.map((count) => inWork(name(count))), inWork("teddy-rm-1")];
  return [
    ...counts.flatMap((count) => [firstPairs(count), rewardModel(name(count), model("teddy-sft"), `pairs-${count}`, 0.0005, 0.2)]),
    {
      name: "learning curve of teddy-rm",
      work: {
        command: "evaluate",
        args: [
          "reward",
          ...folders.flatMap((folder) => ["--model", folder]),
          ...flagWords({
            dataset: `held-out=${pairsOf("pairs-held-out")}`,
            card: join(model("teddy-rm"), "README.md"),
            "learning-curve": true,
          }),
        ],
      },
      from: { files: [...folders.map((folder) => join(folder, "model.safetensors")), pairsOf("pairs-held-out"), "src/teddy"] },
    },
  ];
}
