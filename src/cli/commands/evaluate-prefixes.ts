/** @file `npm run evaluate -- prefixes`: how well a reward model's judgement of beginnings tells that of whole answers, and what pruning by it saves. */

import { existsSync, readFileSync } from "node:fs";
import { availableParallelism, cpus } from "node:os";
import { join } from "node:path";
import { measurePrefixes, perfectPrefixes, type MeasuredAnswer } from "../../evaluation/prefixes/prefix-correlation.ts";
import { perfectReport, prefixReport, prunedRows, type RecordedGroup } from "../../evaluation/prefixes/prefix-report.ts";
import type { RecordedAnswer } from "../../best-of-n/pruning/replay.ts";
import { defaultConfig } from "../../config/options.ts";
import type { Engine, Prompt } from "../../engine/contract/request.ts";
import type { PrefixMeasurement } from "../../engine/contract/reward-description.ts";
import { startEngine } from "../../engine/worker/start-engine.ts";
import { BonsaiError } from "../../errors/bonsai-error.ts";
import { writeWholeFile } from "../../formats/written-file.ts";
import { conversationOf } from "../../preferences/candidates.ts";
import { readRewardConfig, rewardConfigFile, writeRewardConfig } from "../../reward/reward-config.ts";
import { servedRewardModel } from "../../reward/reward-model.ts";
import type { RewardModel } from "../../reward/rewarded-answer.ts";
import type { Message } from "../../text/conversation/message.ts";
import { judge } from "../../teddy/judge/judge.ts";
import { readQuestion } from "../../teddy/world/read-question.ts";
import { replaceSection } from "../../evaluation/card-section.ts";
import { numberOf } from "./collect-options.ts";
import { readPrompts } from "../../preferences/collect-prompts.ts";
import { parseArguments, quotedWord } from "./command-arguments.ts";
import { defaultCacheDir } from "./load-engine.ts";
import { createProgress } from "../../progress/progress.ts";
import { promptScale, sampledPieces } from "./prompt-samples.ts";
import { allServed, resolveModels, servedId } from "../../catalog/resolve-models.ts";

const help = `Measure what a reward model's judgement of beginnings is worth, for Best-of-N with prune: "auto".

Usage: npm run evaluate -- prefixes --model NAME|DIR --reward-model NAME|DIR --prompts FILE [options]

  --model NAME|DIR         policy that writes the answers
  --reward-model NAME|DIR  reward model that is measured
  --value-model NAME|DIR   value model that judges the beginnings in its place (train:reward --form value)
  --prompts FILE           JSON Lines of {"prompt": [messages]}; gold is asked too where all are questions of the teddy world
  --limit N                prompts that are taken from the file's beginning (default 200)
  --samples N              answers of each prompt (default 16)
  --temperature T          of the samples (default 1)
  --max-tokens N           longest answer (default 160 tokens)
  --lengths N,N,…          tokens of the beginnings that are measured (default 4,8,12,16,24,32,48,64,96,128)
  --continuations N        also let the policy go on N times from every beginning, which tells what a perfect judge of beginnings would know (default 0)
  --seed N                 of the samples (default 0)
  --write                  keep the measurement in the reward model's reward.json, where the server finds it, and in its card
  --help, -h`;

/** Prompts that are in flight at once. */
const mostInFlight = 4;
/** Texts of one scoring request. */
const textsOfRequest = 64;

interface PrefixOptions {
  model: string;
  rewardModel: string;
  valueModel: string | undefined;
  prompts: string;
  limit: number;
  samples: number;
  temperature: number;
  maxTokens: number;
  lengths: number[];
  continuations: number;
  seed: number;
  write: boolean;
}

/** @param args after the word prefixes. @throws BonsaiError; of wrong usage, `usage`. */
export async function runEvaluatePrefixes(args: readonly string[]): Promise<void> {
  const options = readOptions(args);
  if (options === undefined) return console.log(help);
  const prompts = readPrompts(options.prompts, options.limit).rows.map(({ prompt }) => conversationOf(prompt));
  const named = [options.model, options.rewardModel, ...(options.valueModel === undefined ? [] : [options.valueModel])];
  const served = await resolveModels(named, console.error);
  const rewardModelId = servedId(options.rewardModel);
  const folder = allServed(served).find(({ id }) => id === rewardModelId)!.path;
  const config = existsSync(join(folder, rewardConfigFile)) ? readRewardConfig(folder) : undefined;
  if (options.write && config === undefined)
    throw new BonsaiError(
      "usage",
      `--write keeps the measurement in the reward model's ${rewardConfigFile}, and ${rewardModelId} has none: leave --write out, or name a folder that has one.`,
      { param: "--write" },
    );
  const engine = await startEngine({
    ...defaultConfig(),
    quantization: "fp32",
    models: served,
    cacheDir: defaultCacheDir(),
    log: console.error,
  });
  let groups: SampledGroup[];
  try {
    groups = await record(engine, prompts, options);
  } finally {
    await engine.close();
  }
  const reference = `${prompts.length} prompts, ${options.samples} answers of ${servedId(options.model)} to each at temperature ${options.temperature}`;
  const answers = groups.map((group) => measuredAnswers(group, options.lengths));
  const measured: PrefixMeasurement = {
    ...measurePrefixes(answers, options.lengths, reference),
    ...(options.valueModel === undefined ? {} : { valueModel: servedId(options.valueModel) }),
  };
  const sizes = [4, 8, 16, 32].filter((size) => size <= options.samples);
  const report = [
    ...prefixReport(measured, prunedRows(groups, measured, sizes)),
    ...(options.continuations === 0
      ? []
      : ["", ...perfectReport(perfectPrefixes(answers, options.lengths, measured), sizes, options.continuations)]),
    "",
    `Measured by \`npm run evaluate -- prefixes ${args.map(quotedWord).join(" ")}\` on ${availableParallelism()} cores (${cpus()[0]?.model.trim()}).`,
  ];
  console.log(report.join("\n"));
  if (config === undefined || !options.write) return;
  writeRewardConfig(folder, { ...config, prefixes: measured.correlations.length === 0 ? undefined : measured });
  const card = join(folder, "README.md");
  if (existsSync(card)) writeWholeFile(card, [replaceSection(readFileSync(card, "utf8"), "Beginnings", report.join("\n"))]);
}

interface SampledAnswer extends RecordedAnswer {
  ids: number[];
  /** By the lengths that are measured: other answers of the same beginning; none where the answer is no longer than that. */
  continued: string[][];
}

interface SampledGroup extends RecordedGroup {
  answers: readonly SampledAnswer[];
}

/** Samples the candidates of all prompts and scores them, their beginnings and what else was made of those. */
async function record(engine: Engine, prompts: readonly (readonly Message[])[], options: PrefixOptions): Promise<SampledGroup[]> {
  const modelOf = (name: string): RewardModel =>
    servedRewardModel(
      engine,
      engine.models.find(({ id }) => id === servedId(name))!,
    );
  const reward = modelOf(options.rewardModel);
  const value = options.valueModel === undefined ? undefined : modelOf(options.valueModel);
  const isTeddy = prompts.every((prompt) => readQuestion(prompt) !== undefined);
  const progress = createProgress(process.stderr, console.error, promptScale);
  const groups: SampledGroup[] = [];
  let [next, done] = [0, 0];
  const worker = async (): Promise<void> => {
    for (let index = next++; index < prompts.length; index = next++) {
      const prompt = prompts[index]!;
      const answers = await sample(engine, prompt, index, options);
      if (options.continuations > 0) await continueBeginnings(engine, prompt, index, answers, options);
      const [wholes, beginnings] = [wholeTexts(answers), beginningTexts(answers, options.lengths)];
      const rewards = await rewardsOf(reward, prompt, value === undefined ? distinct([...wholes, ...beginnings]) : wholes);
      const values = value && (await rewardsOf(value, prompt, beginnings));
      const truth = isTeddy ? answers.map(({ pieces }) => judge(prompt, pieces.join("")).score) : undefined;
      groups[index] = { answers, rewards, values, truth };
      progress.update(reward.name, ++done, prompts.length);
    }
  };
  await Promise.all(Array.from({ length: Math.min(mostInFlight, prompts.length) }, worker));
  progress.end();
  return groups;
}

async function sample(engine: Engine, messages: readonly Message[], index: number, options: PrefixOptions): Promise<SampledAnswer[]> {
  const answers = Array.from({ length: options.samples }, (): SampledAnswer & { pieces: string[] } => ({
    pieces: [],
    ids: [],
    continued: [],
  }));
  const prompt: Prompt = { kind: "messages", messages: [...messages] };
  for await (const { index: answer, text, tokenIds } of sampledPieces(engine, servedId(options.model), prompt, index, options)) {
    // The text of several tokens counts as the last one's.
    tokenIds.forEach((_, at) => answers[answer]!.pieces.push(at === tokenIds.length - 1 ? text : ""));
    answers[answer]!.ids.push(...tokenIds);
  }
  return answers;
}

/** Lets the policy go on from each measured beginning of each answer, as it went on the first time but by other draws. */
async function continueBeginnings(
  engine: Engine,
  messages: readonly Message[],
  index: number,
  answers: readonly SampledAnswer[],
  options: PrefixOptions,
): Promise<void> {
  const model = servedId(options.model);
  const promptIds = await engine.tokenize(model, { kind: "messages", messages: [...messages] });
  const continueFrom = async ({ pieces, ids }: SampledAnswer, answer: number, length: number): Promise<string[]> => {
    if (length >= pieces.length) return [];
    const beginning = pieces.slice(0, length).join("");
    const texts = Array.from({ length: options.continuations }, () => beginning);
    const prompt: Prompt = { kind: "tokens", ids: [...promptIds, ...ids.slice(0, length)] };
    const sampling = {
      ...options,
      samples: options.continuations,
      maxTokens: options.maxTokens - length,
      // Not the draws of any prompt's first answers.
      seed: options.seed + (1 + answer) * 1_000 + length,
    };
    for await (const piece of sampledPieces(engine, model, prompt, index, sampling)) texts[piece.index] += piece.text;
    return texts;
  };
  // One answer after the other: its beginnings are rows enough for a batch.
  for (const [at, answer] of answers.entries())
    answer.continued = await Promise.all(options.lengths.map((length) => continueFrom(answer, at, length)));
}

/** Whole answers, and what else was made of their beginnings. */
const wholeTexts = (answers: readonly SampledAnswer[]): string[] =>
  distinct(answers.flatMap(({ pieces, continued }) => [pieces.join(""), ...continued.flat()]));

/** Beginnings of those lengths. */
const beginningTexts = (answers: readonly SampledAnswer[], lengths: readonly number[]): string[] =>
  distinct(
    answers.flatMap(({ pieces }) => lengths.filter((length) => length < pieces.length).map((length) => pieces.slice(0, length).join(""))),
  );

/** Each once, without blank ones. */
const distinct = (texts: readonly string[]): string[] => [...new Set(texts)].filter((text) => text.trim() !== "");

async function rewardsOf(model: RewardModel, prompt: readonly Message[], texts: readonly string[]): Promise<Map<string, number>> {
  const rewards = new Map<string, number>();
  for (let start = 0; start < texts.length; start += textsOfRequest) {
    const part = texts.slice(start, start + textsOfRequest);
    const inputs = part.map((content) => ({ messages: [...prompt, { role: "assistant", content }], param: "messages" }));
    const scores = await model.score(inputs, { truncate: true });
    scores.forEach(({ reward }, at) => rewards.set(part[at]!, reward));
  }
  return rewards;
}

function measuredAnswers({ answers, rewards, values = rewards }: SampledGroup, lengths: readonly number[]): MeasuredAnswer[] {
  return answers.map(({ pieces, continued }) => ({
    tokens: pieces.length,
    reward: rewards.get(pieces.join("")),
    prefixRewards: lengths.map((length) => (length < pieces.length ? values.get(pieces.slice(0, length).join("")) : undefined)),
    continuedRewards: continued.map((texts) => {
      const known = texts.map((text) => rewards.get(text)).filter((reward) => reward !== undefined);
      return known.length === 0 ? undefined : known.reduce((sum, reward) => sum + reward, 0) / known.length;
    }),
  }));
}

function readOptions(args: readonly string[]): PrefixOptions | undefined {
  const { values, positionals } = parseArguments(args, flags);
  if (values.help === true) return undefined;
  if (positionals.length > 0) throw new BonsaiError("usage", `${JSON.stringify(positionals[0])} belongs to no flag. See --help.`);
  const required = (flag: "model" | "reward-model" | "prompts"): string => {
    const value = values[flag];
    if (value === undefined) throw new BonsaiError("usage", `Give --${flag}. See --help.`, { param: `--${flag}` });
    return value;
  };
  const lengths = values.lengths.split(",").map((word) => numberOf("lengths", word, { least: 1, most: 1_000_000, whole: true }));
  if (lengths.some((length, at) => at > 0 && length <= lengths[at - 1]!))
    throw new BonsaiError("usage", "--lengths must ascend, such as 8,16,32.", { param: "--lengths" });
  return {
    model: required("model"),
    rewardModel: required("reward-model"),
    valueModel: values["value-model"],
    prompts: required("prompts"),
    limit: numberOf("limit", values.limit, { least: 1, whole: true }),
    samples: numberOf("samples", values.samples, { least: 2, most: defaultConfig().maxSequences, whole: true }),
    temperature: numberOf("temperature", values.temperature, { least: 0 }),
    maxTokens: numberOf("max-tokens", values["max-tokens"], { least: 1, whole: true }),
    lengths,
    continuations: numberOf("continuations", values.continuations, { least: 0, most: defaultConfig().maxSequences, whole: true }),
    seed: numberOf("seed", values.seed, { least: 0, whole: true }),
    write: values.write === true,
  };
}

const flags = {
  help: { type: "boolean", short: "h" },
  model: { type: "string" },
  "reward-model": { type: "string" },
  "value-model": { type: "string" },
  prompts: { type: "string" },
  limit: { type: "string", default: "200" },
  samples: { type: "string", default: "16" },
  temperature: { type: "string", default: "1" },
  "max-tokens": { type: "string", default: "160" },
  lengths: { type: "string", default: "4,8,12,16,24,32,48,64,96,128" },
  continuations: { type: "string", default: "0" },
  seed: { type: "string", default: "0" },
  write: { type: "boolean" },
} as const;
