/**
 * @file Makes a model of `models/` from nothing: `npm run recipe -- teddy`. Each stage is a command that can be run alone; a recipe that was
 * interrupted goes on where it stopped, and does nothing again that is done.
 */

import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { BonsaiError } from "../src/errors/bonsai-error.ts";
import { parseArguments } from "../src/cli/command-arguments.ts";
import { minilmRecipes } from "./recipes/minilm.ts";
import { smollm2DpoRecipes } from "./recipes/smollm2-dpo.ts";
import { smollm2SftRecipes } from "./recipes/smollm2-sft.ts";
import { flagWords, publishModel, workFolder, type Recipe, type Stage } from "./recipes/stage.ts";

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

/** What writes the teddy world's texts and its tokenizer. It takes seconds, so that any change writes them again. */
const worldSources = ["src/teddy", "src/text/bpe-trainer.ts", "src/text/pair-queue.ts", "scripts/teddy-world.ts"];

function teddy(): Stage[] {
  const work = join(workFolder, "teddy");
  const inWork = (...names: string[]): string => join(work, ...names);
  const model = (name: string): string => join("models", name);
  const world = (command: string, flags: Parameters<typeof flagWords>[0] = {}): Stage => ({
    name: command,
    work: { script: "teddy-world", args: [command, ...flagWords({ "output-dir": work, ...flags })] },
    from: { files: worldSources },
  });
  const train = (name: string, script: string, flags: Parameters<typeof flagWords>[0], files: string[], more: string[] = []): Stage => ({
    name,
    trains: inWork(name),
    work: { script, args: [...flagWords({ ...flags, "max-length": 256, "save-dtype": "bfloat16", "output-dir": inWork(name) }), ...more] },
    from: { files },
  });
  const publish = (name: string, itsRewardModel?: string): Stage => ({
    name: `publish ${name}`,
    work: { here: () => publishModel(inWork(name), name, { rewardModel: itsRewardModel }) },
    from: { files: [inWork(name, "model.safetensors")] },
  });
  const weights = (name: string): string => join(model(name), "model.safetensors");
  const heldOutPrompts = inWork("prompts-held-out.jsonl");
  const pairsOf = (name: string): string => inWork(name, "preferences.jsonl");
  /** Preferences of these judges, of which the first labels and gold is asked for the report alone. */
  const collect = (name: string, judges: string[], flags: Parameters<typeof flagWords>[0], files: string[]): Stage => ({
    name,
    trains: inWork(name),
    work: {
      script: "collect-preferences",
      args: [...flagWords({ ...flags, "output-dir": inWork(name) }), ...judges.flatMap((judge) => ["--judge", judge])],
    },
    from: { files: [...files, "src/teddy", "src/reward"] },
  });
  /** Answers of teddy-sft, compared. */
  const sample = (name: string, judge: string, prompts: string, samples: number, limit?: number): Stage => {
    const flags = { model: model("teddy-sft"), prompts, samples, quantization: "fp32", ...(limit === undefined ? {} : { limit }) };
    return collect(name, [judge, "gold"], flags, [weights("teddy-sft"), prompts]);
  };
  const panel = "raters=5";
  const rewardDimensions = { usefulness: 0.4, friendliness: 0.3, safety: 0.3 };
  const evaluate = (name: string): Stage => ({
    name: `evaluate ${name}`,
    work: {
      script: "evaluate",
      args: ["policy", ...flagWords({ model: model(name), prompts: heldOutPrompts, card: join(model(name), "README.md") })],
    },
    from: { files: [weights(name), heldOutPrompts, "src/teddy"] },
  });
  return [
    world("corpus", { tokens: 12_000_000 }),
    { ...world("corpus", { "output-dir": inWork("held-out"), seed: 1, tokens: 60_000 }), name: "held-out texts" },
    world("tokenizer", { "vocab-size": teddyConfig.vocab_size }),
    world("sft", { rows: 40_000 }),
    world("prompts", { rows: 20_000 }),
    {
      name: "config",
      work: { here: () => writeFileSync(inWork("config.json"), `${JSON.stringify(teddyConfig, undefined, 2)}\n`) },
      from: { value: teddyConfig },
    },
    train(
      "teddy-base",
      "pretrain",
      {
        model: work,
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
      "train-sft",
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
    sample("pairs", "raters", inWork("prompts.jsonl"), 2),
    sample("pairs-held-out", "raters", heldOutPrompts, 4, 500),
    // Pairs of less noise, for models that are tuned on few: each judged by the majority of all raters.
    collect("pairs-panel", [panel, "gold"], { prompts: pairsOf("pairs"), samples: 0, limit: 8799 }, [pairsOf("pairs")]),
    { ...world("prompts", { "output-dir": inWork("validation"), seed: 1, rows: 4000 }), name: "validation prompts" },
    sample("pairs-validation", panel, inWork("validation", "prompts-held-out.jsonl"), 2, 400),
    train(
      "teddy-rm",
      "train-reward",
      {
        model: model("teddy-sft"),
        dataset: pairsOf("pairs"),
        "eval-dataset": pairsOf("pairs-held-out"),
        "eval-steps": 500,
        "num-train-epochs": 1,
        "batch-size": 8,
        packing: true,
        "learning-rate": 0.0005,
        "warmup-steps": 20,
      },
      [weights("teddy-sft"), pairsOf("pairs"), pairsOf("pairs-held-out")],
      Object.entries(rewardDimensions).flatMap(([name, weight]) => ["--dimensions", name, "--dimension-weights", String(weight)]),
    ),
    publish("teddy-rm"),
    {
      name: "evaluate teddy-rm",
      work: {
        script: "evaluate",
        args: [
          "reward",
          ...flagWords({
            model: model("teddy-rm"),
            dataset: `held-out=${pairsOf("pairs-held-out")}`,
            card: join(model("teddy-rm"), "README.md"),
          }),
        ],
      },
      from: { files: [weights("teddy-rm"), pairsOf("pairs-held-out"), "src/teddy"] },
    },
  ];
}

const recipes: Readonly<Record<string, Recipe>> = {
  teddy: { about: "teddy-base, teddy-sft and their reward model teddy-rm, which the server brings along", stages: teddy },
  ...minilmRecipes,
  ...smollm2DpoRecipes,
  ...smollm2SftRecipes,
};

/** The exit status of a script. A signal is passed on: the stage saves its work and ends, and then so does this. */
async function runScript(script: string, args: readonly string[]): Promise<number> {
  const child = spawn(process.execPath, ["--import", "tsx", join("scripts", `${script}.ts`), ...args], { stdio: "inherit" });
  const pass = (signal: NodeJS.Signals): void => void child.kill(signal);
  // Control-C goes to the whole group of the terminal: the child has it already.
  const wait = (): void => undefined;
  process.on("SIGTERM", pass).on("SIGINT", wait);
  try {
    return await new Promise((resolve, reject) => child.on("error", reject).on("close", (status) => resolve(status ?? 1)));
  } finally {
    process.off("SIGTERM", pass).off("SIGINT", wait);
  }
}

/** Names all that a stage's result follows from. */
function stageKey({ name, work, from }: Stage): string {
  const hash = createHash("sha256").update(JSON.stringify([name, work, from.value]));
  for (const path of (from.files ?? []).flatMap(filesUnder)) hash.update(`\0${path}\0`).update(readFileSync(path));
  return hash.digest("hex");
}

function filesUnder(path: string): string[] {
  if (!existsSync(path)) return [];
  if (!statSync(path).isDirectory()) return [path];
  return readdirSync(path, { recursive: true, encoding: "utf8" })
    .map((name) => join(path, name))
    .filter((name) => statSync(name).isFile())
    .toSorted();
}

/** Runs a stage unless it was done from the same beginnings. @returns the exit status */
async function runStage(stage: Stage, folder: string): Promise<number> {
  const key = stageKey(stage);
  const [begun, done] = ["begun", "done"].map((kind) => join(folder, kind, stage.name.replaceAll(/\W+/g, "-"))) as [string, string];
  const has = (marker: string): boolean => existsSync(marker) && readFileSync(marker, "utf8") === key;
  if (has(done)) {
    console.log(`= ${stage.name}: done before`);
    return 0;
  }
  console.log(`= ${stage.name}`);
  const startMs = performance.now();
  const { work, trains } = stage;
  // A run that began otherwise is no beginning of this one.
  if (trains !== undefined && !has(begun)) rmSync(trains, { recursive: true, force: true });
  writeFileSync(begun, key);
  if ("here" in work) work.here();
  else {
    const status = await runScript(work.script, [...work.args, ...(trains !== undefined && existsSync(trains) ? ["--resume"] : [])]);
    if (status !== 0) return status;
  }
  writeFileSync(done, key);
  console.log(`= ${stage.name}: ${((performance.now() - startMs) / 60_000).toFixed(1)} minutes`);
  return 0;
}

async function run(args: readonly string[]): Promise<number> {
  const names = Object.entries(recipes).map(([name, { about }]) => `  ${name}   ${about}`);
  const { values, positionals } = parseArguments(args, flags);
  if (values.help === true) {
    console.log(
      [
        "Usage: npm run recipe -- NAME",
        "",
        ...names,
        "",
        `What is not kept lies in ${workFolder}/NAME; the same command goes on from there.`,
      ].join("\n"),
    );
    return 0;
  }
  const [name, ...rest] = positionals;
  const recipe = name !== undefined && Object.hasOwn(recipes, name) ? recipes[name] : undefined;
  if (recipe === undefined || rest.length > 0)
    throw new BonsaiError("usage", `Name one recipe: ${Object.keys(recipes).join(", ")}. See --help.`);
  const folder = join(workFolder, name!);
  for (const kind of ["begun", "done"]) mkdirSync(join(folder, kind), { recursive: true });
  for (const stage of recipe.stages()) {
    const status = await runStage(stage, folder);
    if (status === 0) continue;
    console.error(`recipe: ${stage.name} ended with status ${status}. The same command goes on from there.`);
    return status;
  }
  return 0;
}

const flags = { help: { type: "boolean", short: "h" } } as const;

try {
  process.exitCode = await run(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof BonsaiError)) throw error;
  console.error(`recipe: ${error.message}`);
  process.exitCode = error.code === "usage" ? 2 : 1;
}
