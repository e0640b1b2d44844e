/**
 * @file Makes a model of `models/` from nothing: `npm run recipe -- teddy`. Each stage is a command that can be run
 * alone; a recipe that was interrupted goes on where it stopped, and does nothing again that is done.
 */

import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Type } from "typebox";
import { BonsaiError } from "../src/errors/bonsai-error.ts";
import { runCommand, type Command } from "../src/cli/run-command.ts";
import { didYouMean } from "../src/config/suggestion.ts";
import { minilmRecipes } from "./recipes/minilm.ts";
import { smollm2DpoRecipes } from "./recipes/smollm2-dpo.ts";
import { smollm2SftRecipes } from "./recipes/smollm2-sft.ts";
import { workFolder, type Recipe, type Stage } from "./recipes/stage.ts";
import { teddyRecipes } from "./recipes/teddy.ts";

const recipes: Readonly<Record<string, Recipe>> = {
  ...teddyRecipes,
  ...minilmRecipes,
  ...smollm2DpoRecipes,
  ...smollm2SftRecipes,
};

/**
 * The exit status of a program of this project. A signal is passed on: the stage saves its work and ends, and then so
 * does this.
 */
async function runProgram(words: readonly string[]): Promise<number> {
  const child = spawn(process.execPath, ["--import", "tsx", ...words], { stdio: "inherit" });
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

/** Runs a stage unless it was done before from the same inputs. @returns the exit status */
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
  // A run of other inputs cannot be resumed as this one.
  if (trains !== undefined && !has(begun)) rmSync(trains, { recursive: true, force: true });
  writeFileSync(begun, key);
  if ("here" in work) work.here();
  else {
    const program = "command" in work ? ["src/cli/main.ts", work.command] : [`scripts/${work.script}.ts`];
    const status = await runProgram([...program, ...work.args, ...(trains !== undefined && existsSync(trains) ? ["--resume"] : [])]);
    if (status !== 0) return status;
  }
  writeFileSync(done, key);
  console.log(`= ${stage.name}: ${((performance.now() - startMs) / 60_000).toFixed(1)} minutes`);
  return 0;
}

async function make(name: string): Promise<number> {
  const recipe = Object.hasOwn(recipes, name) ? recipes[name] : undefined;
  if (recipe === undefined)
    throw new BonsaiError("usage", `There is no recipe ${name}.${didYouMean(name, Object.keys(recipes))} ${nameOne}`);
  const folder = join(workFolder, name);
  for (const kind of ["begun", "done"]) mkdirSync(join(folder, kind), { recursive: true });
  for (const stage of recipe.stages()) {
    const status = await runStage(stage, folder);
    if (status === 0) continue;
    console.error(`recipe: ${stage.name} ended with status ${status}. The same command goes on from there.`);
    return status;
  }
  return 0;
}

const nameOne = `Name one recipe: ${Object.keys(recipes).join(", ")}.`;
const NoOptions = Type.Object({});

const command: Command<typeof NoOptions> = {
  name: "recipe",
  about: `Make a model of models/ from nothing. What is not kept lies in ${workFolder}/NAME; the same command goes on from there.`,
  usage: ["NAME"],
  words: { metavar: "NAME", description: "One of the recipes below.", minimum: 1, maximum: 1, whenWrong: nameOne },
  schema: NoOptions,
  notes: [["Recipes:", ...Object.entries(recipes).map(([name, { about }]) => `  ${name}   ${about}`)].join("\n")],
  run: async (_, { words: [name] }) => make(name!),
};

process.exitCode = await runCommand(command, process.argv.slice(2));
