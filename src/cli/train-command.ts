/** @file The command lines of the trainers: options, help, exit status, and what Control-C does. */

import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { readTrainingOptions, trainingFlags, trainingHelp } from "../config/training-command-line.ts";
import { PretrainSchema, SftSchema, type TrainingOptions, type TrainingSchema } from "../config/training-options.ts";
import { BonsaiError } from "../errors/bonsai-error.ts";
import { trainLanguageModel } from "../train/language-model.ts";
import type { RunOutcome } from "../train/training-run.ts";
import { isAdapter } from "./adapter-base.ts";
import { resolveModels } from "./resolve-models.ts";
import { programVersion } from "./serve.ts";
import { trainingProgress } from "./training-progress.ts";

interface TrainCommand {
  stage: "pretrain" | "sft";
  /** Of package.json's scripts. */
  name: string;
  schema: TrainingSchema;
  about: string[];
}

const pretrain: TrainCommand = {
  stage: "pretrain",
  name: "pretrain",
  schema: PretrainSchema,
  about: ["Pre-train a language model: the next token of texts, packed in rows."],
};

const sft: TrainCommand = {
  stage: "sft",
  name: "train:sft",
  schema: SftSchema,
  about: ["Fine-tune a chat model on demonstrations: the tokens of the assistant alone, all weights or a LoRA adapter."],
};

/** Runs `npm run pretrain`. @returns the exit status: 0, 1 when it failed, 2 for wrong usage, 130 when it was interrupted. */
export async function runPretrainCommand(args: readonly string[]): Promise<number> {
  return runTrainCommand(pretrain, args);
}

/** Runs `npm run train:sft`. @returns as `runPretrainCommand`. */
export async function runSftCommand(args: readonly string[]): Promise<number> {
  return runTrainCommand(sft, args);
}

async function runTrainCommand(command: TrainCommand, args: readonly string[]): Promise<number> {
  try {
    const invocation = readTrainingOptions(command.schema, args);
    if (invocation.kind === "run") return await train(command, invocation.options, args);
    process.stdout.write(invocation.kind === "help" ? trainingHelp(command.schema, command.about, command.name) : `${programVersion()}\n`);
    return 0;
  } catch (error) {
    if (!(error instanceof BonsaiError)) throw error;
    console.error(`${command.name}: ${error.message}`);
    return error.code === "usage" ? 2 : 1;
  }
}

async function train(command: TrainCommand, options: TrainingOptions, args: readonly string[]): Promise<number> {
  const stop = new AbortController();
  const onSignal = (signal: NodeJS.Signals): void => {
    if (stop.signal.aborted) {
      process.removeAllListeners(signal);
      process.kill(process.pid, signal);
      return;
    }
    console.error("\nStopping after this step; a second signal stops at once and loses what came after the last checkpoint.");
    stop.abort();
  };
  process.on("SIGINT", onSignal).on("SIGTERM", onSignal);
  const progress = trainingProgress(process.stderr, console.log);
  let outcome: RunOutcome;
  try {
    outcome = await trainLanguageModel({
      stage: command.stage,
      command: ["npm run", command.name, "--", ...args.map(quoted)].join(" "),
      flags: trainingFlags(command.schema, options),
      versions: versions(),
      modelPath: await findModel(options.model),
      options,
      stop: stop.signal,
      observe: progress.observe,
      log: console.log,
    });
  } finally {
    progress.end();
    process.off("SIGINT", onSignal).off("SIGTERM", onSignal);
  }
  if (outcome.isFinished) {
    console.log(`The trained model is in ${options.outputDir}.`);
    return 0;
  }
  console.error(
    outcome.step === 0
      ? "Stopped before the first step: the same command with --resume begins it."
      : `Stopped after step ${outcome.step}, which has a checkpoint: the same command with --resume goes on from there.`,
  );
  return 130;
}

/**
 * A folder with a config is taken as it is, also without weights; anything else is what `serve` would find.
 * @throws BonsaiError `usage` for an adapter, whose base would be trained in its place.
 */
async function findModel(model: string): Promise<string> {
  if (existsSync(join(model, "config.json"))) return model;
  const found = isAdapter({ id: model, path: model }) ? undefined : (await resolveModels([model], console.log))[0];
  if (found !== undefined && found.adapters === undefined) return found.path;
  throw new BonsaiError("usage", `${model} is an adapter: give its base with --model and it with --adapter.`, { param: "--model" });
}

function versions(): Record<string, string> {
  const path = createRequire(import.meta.url).resolve("onnxruntime-node/package.json");
  const { version } = createRequire(import.meta.url)(path) as { version: string };
  return { bonsai: programVersion(), node: process.version.slice(1), "onnxruntime-node": version };
}

/** A word as a shell takes it. */
function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
