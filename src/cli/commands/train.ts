/** @file The command lines of the trainers: options, help, exit status, and what Control-C does. */

import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import type { Static, TObject } from "typebox";
import { DpoSchema } from "../../config/dpo-training-options.ts";
import { RewardSchema } from "../../config/reward-training-options.ts";
import { readTrainingOptions, trainingFlags, trainingHelp, type SharedTrainingOptions } from "../../config/training-command-line.ts";
import { PretrainSchema, SftSchema } from "../../config/training-options.ts";
import { BonsaiError } from "../../errors/bonsai-error.ts";
import { trainLanguageModel } from "../../training/language/task.ts";
import { trainPolicy } from "../../training/preference/task.ts";
import { trainRewardModel } from "../../training/reward/task.ts";
import type { RunOutcome } from "../../training/run/training-loop.ts";
import type { TrainingRequest } from "../../training/run/training-task.ts";
import { trainValueModel } from "../../training/value/task.ts";
import { isAdapter } from "../../catalog/adapter-base.ts";
import { programVersion } from "../../catalog/project-root.ts";
import { checkRounds, trainInRounds } from "../../preferences/on-policy-rounds.ts";
import { createProgress } from "../../progress/progress.ts";
import { stopSignal } from "../../progress/stop-signal.ts";
import { resolveModels } from "../../catalog/resolve-models.ts";
import { quotedWord } from "../run-command.ts";
import { trainingProgress } from "../terminal/training-progress.ts";

interface TrainCommand<Schema extends TObject> {
  /** Name of the script in package.json. */
  name: string;
  schema: Schema;
  about: string[];
  train: (training: TrainingRequest<Static<Schema>>) => Promise<RunOutcome>;
}

const pretrain: TrainCommand<typeof PretrainSchema> = {
  name: "pretrain",
  schema: PretrainSchema,
  about: ["Pre-train a language model: the next token of texts, packed in rows."],
  train: async (training) => trainLanguageModel({ stage: "pretrain", ...training }),
};

const sft: TrainCommand<typeof SftSchema> = {
  name: "train:sft",
  schema: SftSchema,
  about: ["Fine-tune a chat model on demonstrations: the tokens of the assistant alone, all weights or a LoRA adapter."],
  train: async (training) => trainLanguageModel({ stage: "sft", ...training }),
};

const reward: TrainCommand<typeof RewardSchema> = {
  name: "train:reward",
  schema: RewardSchema,
  about: [
    "Train a reward model on preferences: pairs or ranked lists of answers, in one dimension or several; or a value model on scored answers.",
  ],
  train: async (training) => (training.options.form === "value" ? trainValueModel(training) : trainRewardModel(training)),
};

const dpo: TrainCommand<typeof DpoSchema> = {
  name: "train:dpo",
  schema: DpoSchema,
  about: ["Tune a policy on preferences: DPO and its relatives, ORPO, SimPO and KTO; all weights or a LoRA adapter."],
  train: async (training) => {
    checkRounds(training.options);
    return training.options.rounds > 0
      ? trainInRounds(training, (scale) => createProgress(process.stderr, console.error, scale))
      : trainPolicy(training);
  },
};

/**
 * Runs `npm run pretrain`.
 * @returns the exit status: 0, 1 when it failed, 2 for wrong usage, 130 when it was interrupted.
 */
export async function runPretrainCommand(args: readonly string[]): Promise<number> {
  return runTrainCommand(pretrain, args);
}

/** Runs `npm run train:sft`. @returns as `runPretrainCommand`. */
export async function runSftCommand(args: readonly string[]): Promise<number> {
  return runTrainCommand(sft, args);
}

/** Runs `npm run train:reward`. @returns as `runPretrainCommand`. */
export async function runRewardCommand(args: readonly string[]): Promise<number> {
  return runTrainCommand(reward, args);
}

/** Runs `npm run train:dpo`. @returns as `runPretrainCommand`. */
export async function runDpoCommand(args: readonly string[]): Promise<number> {
  return runTrainCommand(dpo, args);
}

async function runTrainCommand<Schema extends TObject>(command: TrainCommand<Schema>, args: readonly string[]): Promise<number> {
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

const stoppingText =
  "\nStopping after this step; a second signal, more than a second after the first, stops at once and loses what came " +
  "after the last checkpoint.";

async function train<Schema extends TObject>(
  command: TrainCommand<Schema>,
  options: Static<Schema>,
  args: readonly string[],
): Promise<number> {
  const { model, outputDir } = options as unknown as SharedTrainingOptions;
  const stop = stopSignal("Stopped at once: the same command with --resume goes on from the last checkpoint.");
  stop.signal.addEventListener("abort", () => console.error(stoppingText), { once: true });
  const progress = trainingProgress(process.stderr, console.log);
  let outcome: RunOutcome;
  try {
    outcome = await command.train({
      command: ["npm run", command.name, "--", ...args.map(quotedWord)].join(" "),
      flags: trainingFlags(command.schema, options),
      versions: versions(),
      modelPath: await findModel(model),
      options,
      stop: stop.signal,
      observe: progress.observe,
      log: console.log,
    });
  } finally {
    progress.end();
    stop.release();
  }
  if (outcome.isFinished) {
    console.log(`The trained model is in ${outputDir}.`);
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
