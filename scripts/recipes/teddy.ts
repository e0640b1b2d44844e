/**
 * @file The teddy family: the world's texts, a base model, its SFT, its preferences, and what is trained on them; all
 * from nothing.
 */

import { cpSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { flagWords, type Recipe, type Stage } from "./stage.ts";
import { learningCurve, rewardStages } from "./teddy-reward.ts";
import {
  collect,
  heldOutPrompts,
  inWork,
  model,
  pairsOf,
  panel,
  publish,
  sample,
  teddyWork,
  train,
  weights,
  world,
} from "./teddy-stages.ts";

/** A Llama of 2.2 million parameters: fluent in its small world, and quick to sample from. */
const teddyConfig = {
  architectures: ["LlamaForCausalLM"],
  model_type: "llama",
  hidden_size: 192,
  num_hidden_layers: 4,
  num_attention_heads: 3,
  num_key_value_heads: 3,
  head_dim: 64,
  intermediate_size: 512,
  vocab_size: 2048,
  max_position_embeddings: 512,
  rms_norm_eps: 1e-5,
  rope_theta: 10_000,
  tie_word_embeddings: true,
  hidden_act: "silu",
  initializer_range: 0.04,
};

/** What teddy-dpo's card says of its data. */
const dpoSource =
  "Two rounds of DPO. In the first round [teddy-sft](../teddy-sft/README.md) answered 60,000 prompts twice; in the second the policy of the first round answered 12,000 other prompts. Five simulated raters compared the two answers. A pair was kept if most raters clearly preferred one answer, after a penalty for its length, and did not find it worse in any dimension. Then every bear got an invented name, because with only the eighty names of the prompts the policy forgot how to copy a name from the question. The reference of the second round is the policy of the first; the KL below is measured from teddy-sft. The held-out pairs are answers of teddy-sft, from which the policy has moved away, so their loss rises in the second round; the win rate below says more. teddy-dpo is warmer, more useful and wordier than teddy-sft, and declines more unsafe requests. It gets names wrong more often than teddy-sft does (language).";

function teddy(): Stage[] {
  /**
   * Pairs whose better answer the panel likes clearly, in no dimension less than the other, and not for its length: a
   * tuned policy goes where its pairs point, and raters like words for their own sake.
   */
  const clearPairs = { strongest: 1, "length-penalty": 0.02, "least-margin": 0.4, agreeing: true, "most-length-difference": 15 } as const;
  /**
   * Picks the clear pairs and gives each bear in them another name: from eighty names alone a policy forgets how to
   * look a name up.
   */
  const clear = (pairs: string, policy: string, prompts: string): Stage[] => [
    {
      name: `answers of ${pairs}-clear`,
      work: { here: () => cpSync(inWork(pairs, "journal.jsonl"), inWork(`${pairs}-clear`, "journal.jsonl")) },
      from: { files: [pairsOf(pairs)] },
    },
    {
      name: `${pairs}-clear`,
      work: collect(`${pairs}-clear`, policy, panel, prompts, { samples: 2, resume: true, ...clearPairs }),
      from: { files: [pairsOf(pairs)] },
    },
    {
      name: `${pairs}-renamed`,
      work: { script: "teddy-world", args: ["rename", pairsOf(`${pairs}-clear`), "--output-dir", inWork(`${pairs}-renamed`)] },
      from: { files: [pairsOf(`${pairs}-clear`), "src/teddy"] },
    },
  ];
  /** Tunes a policy on its clear pairs. */
  const tune = (name: string, policy: string, pairs: string, epochs: number): Stage =>
    train(
      name,
      "train:dpo",
      {
        model: policy,
        dataset: pairsOf(`${pairs}-renamed`),
        "eval-dataset": pairsOf("pairs-validation"),
        "eval-steps": 100,
        "eval-prompts": 16,
        "num-train-epochs": epochs,
        "batch-size": 8,
        packing: true,
        "learning-rate": 0.00004,
        "warmup-steps": 20,
        beta: 0.2,
      },
      [join(policy, "model.safetensors"), pairsOf(`${pairs}-renamed`), pairsOf("pairs-validation")],
      // Beside the preference, the chosen answers themselves: so they stay as likely as they were.
      ["--loss-type", "sigmoid", "--loss-weights", "1", "--loss-type", "sft", "--loss-weights", "1"],
    );
  const evaluate = (name: string, baseline?: string): Stage => ({
    name: `evaluate ${name}`,
    work: {
      command: "evaluate",
      args: [
        "policy",
        ...flagWords({
          model: model(name),
          prompts: heldOutPrompts,
          card: join(model(name), "README.md"),
          ...(baseline === undefined ? {} : { baseline: model(baseline) }),
        }),
      ],
    },
    from: { files: [weights(name), heldOutPrompts, "src/teddy", ...(baseline === undefined ? [] : [weights(baseline)])] },
  });
  return [
    world("corpus", { tokens: 12_000_000 }),
    { ...world("corpus", { "output-dir": inWork("held-out"), seed: 1, tokens: 60_000 }), name: "held-out texts" },
    world("tokenizer", { "vocab-size": teddyConfig.vocab_size }),
    world("sft", { rows: 40_000 }),
    world("prompts", { rows: 60_000 }),
    {
      name: "config",
      work: { here: () => writeFileSync(inWork("config.json"), `${JSON.stringify(teddyConfig, undefined, 2)}\n`) },
      from: { value: teddyConfig },
    },
    train(
      "teddy-base",
      "pretrain",
      {
        model: teddyWork,
        dataset: inWork("corpus.jsonl"),
        "eval-dataset": inWork("held-out", "corpus.jsonl"),
        "eval-steps": 1000,
        "batch-size": 8,
        "learning-rate": 0.002,
        "warmup-steps": 50,
        "adam-beta2": 0.95,
      },
      ["config.json", "tokenizer.json", "tokenizer_config.json", "corpus.jsonl", join("held-out", "corpus.jsonl")].map((name) =>
        inWork(name),
      ),
    ),
    publish("teddy-base"),
    train(
      "teddy-sft",
      "train:sft",
      {
        model: model("teddy-base"),
        dataset: inWork("sft.jsonl"),
        "eval-dataset": inWork("sft-held-out.jsonl"),
        "eval-steps": 500,
        "num-train-epochs": 1,
        "batch-size": 8,
        packing: true,
        "learning-rate": 0.001,
        "warmup-steps": 20,
      },
      [weights("teddy-base"), inWork("sft.jsonl"), inWork("sft-held-out.jsonl")],
    ),
    publish("teddy-sft", "teddy-rm"),
    evaluate("teddy-base"),
    evaluate("teddy-sft"),
    sample("pairs-held-out", model("teddy-sft"), "raters", heldOutPrompts, { samples: 4, limit: 500 }),
    sample("pairs", model("teddy-sft"), panel, inWork("prompts.jsonl"), { samples: 2 }),
    { ...world("prompts", { "output-dir": inWork("validation"), seed: 1, rows: 4000 }), name: "validation prompts" },
    sample("pairs-validation", model("teddy-sft"), panel, inWork("validation", "prompts-held-out.jsonl"), { samples: 2, limit: 400 }),
    ...clear("pairs", model("teddy-sft"), inWork("prompts.jsonl")),
    tune("teddy-dpo-1", model("teddy-sft"), "pairs", 1),
    { ...world("prompts", { "output-dir": inWork("second"), seed: 2, rows: 12_000 }), name: "prompts of the second round" },
    sample("pairs-second", inWork("teddy-dpo-1"), panel, inWork("second", "prompts.jsonl"), { samples: 2 }),
    ...clear("pairs-second", inWork("teddy-dpo-1"), inWork("second", "prompts.jsonl")),
    tune("teddy-dpo", inWork("teddy-dpo-1"), "pairs-second", 2),
    publish("teddy-dpo", "teddy-rm", dpoSource),
    evaluate("teddy-dpo", "teddy-sft"),
    ...rewardStages(),
  ];
}

export const teddyRecipes: Readonly<Record<string, Recipe>> = {
  teddy: {
    about:
      "teddy-base, teddy-sft, teddy-dpo and their reward models teddy-rm, teddy-value and teddy-sft-head, which the server brings along",
    stages: teddy,
  },
  "teddy-rm-curve": { about: "how teddy-rm's accuracy grows with the number of pairs; after teddy", stages: learningCurve },
};
