/**
 * @file On-policy rounds of `npm run train:dpo -- --rounds K`: the policy as it is answers new prompts, a judge
 * compares its answers, the policy is tuned on them, and again. Each round keeps its folder, with prompts, collection
 * and policy; a run that was ended anywhere goes on there.
 */

import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import type { DpoTrainingOptions } from "../config/dpo-training-options.ts";
import { defaultsOf, optionsOf } from "../config/option.ts";
import { BonsaiError } from "../errors/bonsai-error.ts";
import { readJsonObject, type JsonObject } from "../formats/json-file.ts";
import { adapterConfigFile } from "../formats/peft-adapter.ts";
import { onDisk, writeJsonFile, writeWholeFile } from "../formats/written-file.ts";
import type { TaskContext } from "../progress/task-context.ts";
import type { PromptRow } from "./candidates.ts";
import { metricsFileName, readMetricLines } from "../training/run/metrics-file.ts";
import { trainPolicy, type PolicyTraining } from "../training/preference/task.ts";
import { requireSameRun } from "../training/run/run-identity.ts";
import type { RunOutcome } from "../training/run/training-loop.ts";
import { replaceSection } from "../formats/markdown-section.ts";
import { CollectSchema, type CollectOptions } from "./collect-options.ts";
import { collectPreferences } from "./collect-preferences.ts";
import { judgeIdentity } from "./judge-words.ts";
import { readPrompts } from "./collect-prompts.ts";

/** File in the run's folder: what the rounds depend on, and which are done. */
const stateFile = "rounds.json";
const largestStateBytes = 2 ** 24;
const policyFolder = "policy";

/** Flags that rounds need or that say nothing without them. */
const roundFlags = {
  prompts: "--prompts",
  promptsPerRound: "--prompts-per-round",
  judge: "--judge",
} as const;

interface Round {
  /** From 1. */
  number: number;
  folder: string;
  prompts: readonly PromptRow["prompt"][];
}

/** Flags that may differ between processes of one run. */
const operation = new Set([
  "--rounds",
  "--resume",
  "--output-dir",
  "--save-steps",
  "--save-total-limit",
  "--threads",
  "--implicit-reward-dir",
]);

/** @throws BonsaiError `usage` where rounds lack something, or something is of rounds and there are none. */
export function checkRounds(options: DpoTrainingOptions): void {
  for (const [name, flag] of Object.entries(roundFlags) as [keyof typeof roundFlags, string][]) {
    const isGiven = options[name] !== "" && options[name] !== 0;
    if (options.rounds === 0 && isGiven) throw new BonsaiError("usage", `${flag} is of rounds: give --rounds as well.`, { param: flag });
    if (options.rounds > 0 && options[name] === "") throw new BonsaiError("usage", `--rounds needs ${flag}: see --help.`, { param: flag });
  }
}

/**
 * Does the rounds that are not done, and leaves the last round's policy in the output folder too.
 * @throws BonsaiError as `trainPolicy` and `collectPreferences`; `usage` for too few prompts, and where the folder
 * holds another run.
 */
export async function trainInRounds(training: PolicyTraining, startProgress: TaskContext["startProgress"]): Promise<RunOutcome> {
  const { options, log, stop } = training;
  const { outputDir } = options;
  const statePath = join(outputDir, stateFile);
  requireOwnFolder(outputDir, existsSync(statePath), options.resume);
  const { shares, sha256 } = shareOut(options);
  onDisk(outputDir, () => mkdirSync(outputDir, { recursive: true }));
  const settings = await settingsOf(training, sha256);
  const kept = existsSync(statePath) ? readJsonObject(statePath, largestStateBytes) : undefined;
  if (kept !== undefined) requireSameRun(kept["settings"] as JsonObject, settings, outputDir);
  let done = (kept?.["done"] as number | undefined) ?? 0;
  writeJsonFile(statePath, { settings, done });
  let outcome: RunOutcome = { step: 0, isFinished: true, trainSeconds: 0 };
  for (const [index, prompts] of shares.entries()) {
    const round: Round = { number: index + 1, folder: roundFolder(outputDir, index + 1), prompts };
    if (round.number <= done) continue;
    log(`Round ${round.number} of ${shares.length}: ${prompts.length} prompts.`);
    if (!(await collectRound(training, round, startProgress))) return { step: 0, isFinished: false, trainSeconds: 0 };
    outcome = await tuneRound(training, round, shares.length);
    if (!outcome.isFinished || stop.aborted) return { ...outcome, isFinished: false };
    done = round.number;
    writeJsonFile(statePath, { settings, done });
  }
  publish(outputDir, done);
  return outcome;
}

/**
 * @throws BonsaiError `usage` for a folder that holds something else, or these rounds where they are not to be gone on
 * with.
 */
function requireOwnFolder(outputDir: string, isBegun: boolean, resume: boolean): void {
  const isTaken = [metricsFileName, "config.json", adapterConfigFile].some((name) => existsSync(join(outputDir, name)));
  if (isBegun ? resume : !isTaken) return;
  const problem = isBegun
    ? `${outputDir} holds rounds that were begun: --resume goes on with them, or name another folder with --output-dir`
    : `${outputDir} holds a model or a run that is not of rounds: name another folder with --output-dir`;
  throw new BonsaiError("usage", `${problem}.`, { param: "--output-dir" });
}

function roundFolder(outputDir: string, number: number): string {
  return join(outputDir, `round-${number}`);
}

/** The prompts of each round. @throws BonsaiError as `readPrompts`; `usage` where there are too few. */
function shareOut({ rounds, prompts: path, promptsPerRound }: DpoTrainingOptions): { shares: PromptRow["prompt"][][]; sha256: string } {
  const { rows, sha256 } = readPrompts(path, undefined);
  const size = promptsPerRound === 0 ? Math.floor(rows.length / rounds) : promptsPerRound;
  if (size === 0 || rows.length < size * rounds) {
    throw new BonsaiError("usage", `${path} holds ${rows.length} prompts, and ${rounds} rounds of ${Math.max(1, size)} need more.`, {
      param: promptsPerRound === 0 ? "--prompts" : "--prompts-per-round",
    });
  }
  const shares = Array.from({ length: rounds }, (_, round) => rows.slice(round * size, (round + 1) * size).map(({ prompt }) => prompt));
  return { shares, sha256 };
}

/** All that the rounds follow from, but for how many they are. */
async function settingsOf({ flags, options }: PolicyTraining, promptsHash: string): Promise<JsonObject> {
  const kept = Object.entries(flags).filter(([flag]) => !operation.has(flag));
  const settings: JsonObject = {
    ...Object.fromEntries(kept),
    "the content of --prompts": promptsHash,
    "what --judge is": await judgeIdentity(options.judge),
    // A file that is shared among all makes them smaller the more they are.
    ...(options.promptsPerRound === 0 ? { "--rounds": options.rounds } : {}),
  };
  return JSON.parse(JSON.stringify(settings)) as JsonObject;
}

/** @returns whether all prompts of the round are answered and judged. */
async function collectRound(
  { options, stop, command, log }: PolicyTraining,
  { number, folder, prompts }: Round,
  startProgress: TaskContext["startProgress"],
): Promise<boolean> {
  const promptsPath = join(folder, "prompts.jsonl");
  onDisk(folder, () => mkdirSync(folder, { recursive: true }));
  if (!existsSync(promptsPath)) writeWholeFile(promptsPath, prompts.map((prompt) => `${JSON.stringify({ prompt })}\n`)); // prettier-ignore
  const { samples, temperature, maxTokens, judge, strongest, lengthPenalty, leastMargin, mostLengthDifference, agreeing, seed } = options;
  const collection: CollectOptions = {
    ...(defaultsOf(optionsOf(CollectSchema.properties)) as CollectOptions),
    prompts: promptsPath,
    outputDir: join(folder, "pairs"),
    resume: true,
    // Each round samples with a seed of its own.
    seed: seed + number,
    model: number === 1 ? firstPolicy(options) : join(roundFolder(options.outputDir, number - 1), policyFolder),
    samples,
    temperature,
    maxTokens,
    // Policies answer as they are trained.
    quantization: "fp32",
    judge: [judge],
    lengthPenalty,
    leastMargin,
    agreeing,
    ...(strongest === 0 ? {} : { strongest }),
    ...(mostLengthDifference === 0 ? {} : { mostLengthDifference }),
  };
  const context = { command: `${command} (round ${number})`, log: console.error, print: log, startProgress };
  const { collected, prompts: all } = await collectPreferences(collection, context, stop);
  return collected === all;
}

/** The model whose answers the first round collects. */
function firstPolicy({ model, adapter }: DpoTrainingOptions): string {
  return adapter === "" ? model : adapter;
}

/** Tunes the policy of the round before on this round's pairs. */
async function tuneRound(training: PolicyTraining, { number, folder }: Round, rounds: number): Promise<RunOutcome> {
  const { options } = training;
  const before = number === 1 ? undefined : join(roundFolder(options.outputDir, number - 1), policyFolder);
  const trainsAdapter = options.loraR > 0 || options.adapter !== "";
  return trainPolicy({
    ...training,
    options: {
      ...options,
      dataset: [...options.dataset, join(folder, "pairs", "preferences.jsonl")],
      outputDir: join(folder, policyFolder),
      adapter: trainsAdapter && before !== undefined ? before : options.adapter,
      implicitRewardDir: number === rounds ? options.implicitRewardDir : "",
      resume: true,
    },
    initialWeights: trainsAdapter ? undefined : before,
  });
}

/** Copies the last round's policy to the run's own folder, with what all rounds came to in its card. */
function publish(outputDir: string, rounds: number): void {
  const from = join(roundFolder(outputDir, rounds), policyFolder);
  onDisk(outputDir, () => {
    for (const entry of readdirSync(from, { withFileTypes: true }))
      if (entry.isFile()) cpSync(join(from, entry.name), join(outputDir, entry.name));
  });
  const card = readFileSync(join(from, "README.md"), "utf8").replace(/^# .*$/m, `# ${basename(outputDir)}`);
  writeWholeFile(join(outputDir, "README.md"), [replaceSection(card, "Rounds", roundsTable(outputDir, rounds))]);
}

/** A row for each round: its pairs, and the last evaluation of its policy. */
function roundsTable(outputDir: string, rounds: number): string {
  const shown = (value: number | undefined): string => value?.toFixed(4) ?? "";
  const rows = Array.from({ length: rounds }, (_, index) => {
    const folder = roundFolder(outputDir, index + 1);
    const pairs = readFileSync(join(folder, "pairs", "preferences.jsonl"), "utf8").split("\n").length - 1;
    const { steps, evaluations } = readMetricLines(join(folder, policyFolder, metricsFileName));
    const last: Record<string, number> = evaluations.at(-1) ?? {};
    const measured = ["eval_loss", "eval_rewards/accuracies", "eval_kl_to_reference", "eval_answer_length"].map((name) =>
      shown(last[name]),
    );
    return `| ${[index + 1, pairs, steps.length, shown(steps.at(-1)?.loss), ...measured].join(" | ")} |`;
  });
  return [
    "Each round, the policy as it was answered new prompts, its answers were compared, and it was tuned on them; the reference stayed the first one.",
    "",
    "| round | pairs | steps | last loss | held-out loss | held-out accuracy | KL | answer's tokens |",
    "| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ...rows,
  ].join("\n");
}
