/** @file `npm run evaluate -- prefixes`: how well a reward model's judgement of beginnings tells that of whole answers, and what pruning by it saves. */

import { existsSync, readFileSync } from "node:fs";
import { availableParallelism, cpus } from "node:os";
import { join } from "node:path";
import { measurePrefixes } from "../bestofn/prefix-correlation.ts";
import { prefixReport, prunedRows, type RecordedGroup } from "../bestofn/prefix-report.ts";
import type { RecordedAnswer } from "../bestofn/replay.ts";
import { defaultConfig } from "../config/options.ts";
import type { Engine } from "../engine/request.ts";
import { startEngine } from "../engine/start-engine.ts";
import { BonsaiError } from "../errors/bonsai-error.ts";
import { writeWholeFile } from "../formats/written-file.ts";
import { conversationOf } from "../reward/candidates.ts";
import { readRewardConfig, rewardConfigFile, writeRewardConfig } from "../reward/reward-config.ts";
import { servedRewardModel } from "../reward/reward-model.ts";
import type { RewardModel } from "../reward/rewarded-answer.ts";
import type { Message } from "../teddy/conversation.ts";
import { judge } from "../teddy/judge.ts";
import { readQuestion } from "../teddy/read-question.ts";
import { replaceSection } from "./card-section.ts";
import { numberOf } from "./collect-options.ts";
import { readPrompts } from "./collect-prompts.ts";
import { parseArguments, quotedWord } from "./command-arguments.ts";
import { defaultCacheDir } from "./load-engine.ts";
import { createProgress } from "./progress.ts";
import { promptScale, sampledPieces } from "./prompt-samples.ts";
import { allServed, resolveModels, servedId } from "./resolve-models.ts";

const help = `Measure what a reward model's judgement of beginnings is worth, for Best-of-N with prune: "auto".

Usage: npm run evaluate -- prefixes --model NAME|DIR --reward-model NAME|DIR --prompts FILE [options]

  --model NAME|DIR         policy that writes the answers
  --reward-model NAME|DIR  reward model that is measured
  --prompts FILE           JSON Lines of {"prompt": [messages]}; gold is asked too where all are questions of the teddy world
  --limit N                prompts that are taken from the file's beginning (default 200)
  --samples N              answers of each prompt (default 16)
  --temperature T          of the samples (default 1)
  --max-tokens N           longest answer (default 160 tokens)
  --lengths N,N,…          tokens of the beginnings that are measured (default 4,8,12,16,24,32,48,64,96,128)
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
  prompts: string;
  limit: number;
  samples: number;
  temperature: number;
  maxTokens: number;
  lengths: number[];
  seed: number;
  write: boolean;
}

/** @param args after the word prefixes. @throws BonsaiError; of wrong usage, `usage`. */
export async function runEvaluatePrefixes(args: readonly string[]): Promise<void> {
  const options = readOptions(args);
  if (options === undefined) return console.log(help);
  const prompts = readPrompts(options.prompts, options.limit).rows.map(({ prompt }) => conversationOf(prompt));
  const served = await resolveModels([options.model, options.rewardModel], console.error);
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
  let groups: RecordedGroup[];
  try {
    groups = await record(engine, prompts, options);
  } finally {
    await engine.close();
  }
  const reference = `${prompts.length} prompts, ${options.samples} answers of ${servedId(options.model)} to each at temperature ${options.temperature}`;
  const measured = measurePrefixes(
    groups.map((group) => measuredAnswers(group, options.lengths)),
    options.lengths,
    reference,
  );
  const sizes = [4, 8, 16, 32].filter((size) => size <= options.samples);
  const report = [
    ...prefixReport(measured, prunedRows(groups, measured, sizes)),
    "",
    `Measured by \`npm run evaluate -- prefixes ${args.map(quotedWord).join(" ")}\` on ${availableParallelism()} cores (${cpus()[0]?.model.trim()}).`,
  ];
  console.log(report.join("\n"));
  if (config === undefined || !options.write) return;
  writeRewardConfig(folder, { ...config, prefixes: measured.correlations.length === 0 ? undefined : measured });
  const card = join(folder, "README.md");
  if (existsSync(card)) writeWholeFile(card, [replaceSection(readFileSync(card, "utf8"), "Beginnings", report.join("\n"))]);
}

/** Samples the candidates of all prompts and scores them and their beginnings. */
async function record(engine: Engine, prompts: readonly (readonly Message[])[], options: PrefixOptions): Promise<RecordedGroup[]> {
  const reward = servedRewardModel(
    engine,
    engine.models.find(({ id }) => id === servedId(options.rewardModel))!,
  );
  const isTeddy = prompts.every((prompt) => readQuestion(prompt) !== undefined);
  const progress = createProgress(process.stderr, console.error, promptScale);
  const groups: RecordedGroup[] = [];
  let [next, done] = [0, 0];
  const worker = async (): Promise<void> => {
    for (let index = next++; index < prompts.length; index = next++) {
      const prompt = prompts[index]!;
      const answers = await sample(engine, prompt, index, options);
      const rewards = await rewardsOf(reward, prompt, textsOf(answers, options.lengths));
      const truth = isTeddy ? answers.map(({ pieces }) => judge(prompt, pieces.join("")).score) : undefined;
      groups[index] = { answers, rewards, truth };
      progress.update(reward.name, ++done, prompts.length);
    }
  };
  await Promise.all(Array.from({ length: Math.min(mostInFlight, prompts.length) }, worker));
  progress.end();
  return groups;
}

async function sample(engine: Engine, messages: readonly Message[], index: number, options: PrefixOptions): Promise<RecordedAnswer[]> {
  const answers = Array.from({ length: options.samples }, () => ({ pieces: [] as string[] }));
  for await (const { index: answer, text, tokenIds } of sampledPieces(engine, servedId(options.model), messages, index, options)) {
    // The text of several tokens counts as the last one's.
    tokenIds.forEach((_, at) => answers[answer]!.pieces.push(at === tokenIds.length - 1 ? text : ""));
  }
  return answers;
}

/** Whole answers, and their beginnings of those lengths, each once. */
function textsOf(answers: readonly RecordedAnswer[], lengths: readonly number[]): string[] {
  const texts = answers.flatMap(({ pieces }) => [
    pieces.join(""),
    ...lengths.filter((length) => length < pieces.length).map((length) => pieces.slice(0, length).join("")),
  ]);
  return [...new Set(texts)].filter((text) => text.trim() !== "");
}

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

function measuredAnswers({ answers, rewards }: RecordedGroup, lengths: readonly number[]): Parameters<typeof measurePrefixes>[0][number] {
  return answers.map(({ pieces }) => ({
    tokens: pieces.length,
    reward: rewards.get(pieces.join("")),
    prefixRewards: lengths.map((length) => (length < pieces.length ? rewards.get(pieces.slice(0, length).join("")) : undefined)),
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
    prompts: required("prompts"),
    limit: numberOf("limit", values.limit, { least: 1, whole: true }),
    samples: numberOf("samples", values.samples, { least: 2, most: defaultConfig().maxSequences, whole: true }),
    temperature: numberOf("temperature", values.temperature, { least: 0 }),
    maxTokens: numberOf("max-tokens", values["max-tokens"], { least: 1, whole: true }),
    lengths,
    seed: numberOf("seed", values.seed, { least: 0, whole: true }),
    write: values.write === true,
  };
}

const flags = {
  help: { type: "boolean", short: "h" },
  model: { type: "string" },
  "reward-model": { type: "string" },
  prompts: { type: "string" },
  limit: { type: "string", default: "200" },
  samples: { type: "string", default: "16" },
  temperature: { type: "string", default: "1" },
  "max-tokens": { type: "string", default: "160" },
  lengths: { type: "string", default: "4,8,12,16,24,32,48,64,96,128" },
  seed: { type: "string", default: "0" },
  write: { type: "boolean" },
} as const;
