/** @file `npm run evaluate -- policy`: samples a policy's answers to prompts and reports what the gold judge of the teddy world says of them. */

import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { availableParallelism, cpus } from "node:os";
import { basename } from "node:path";
import { parseArgs } from "node:util";
import { defaultConfig } from "../config/options.ts";
import type { Engine } from "../engine/request.ts";
import { plainSampling } from "../engine/sampler.ts";
import { startEngine } from "../engine/start-engine.ts";
import { BonsaiError } from "../errors/bonsai-error.ts";
import { bestAnswer } from "../teddy/answer.ts";
import type { Message } from "../teddy/conversation.ts";
import { goldTable, summarizeGold, type GoldSummary } from "../teddy/gold-report.ts";
import { judge, type GoldScores } from "../teddy/judge.ts";
import { RandomStream } from "../teddy/random-stream.ts";
import { readQuestion } from "../teddy/read-question.ts";
import { replaceSection } from "./card-section.ts";
import { defaultCacheDir } from "./load-engine.ts";
import { createProgress, type ProgressScale } from "./progress.ts";
import { resolveModels } from "./resolve-models.ts";

const help = `Sample a policy's answers to prompts, and score them by the gold judge of the teddy world.

Usage: npm run evaluate -- policy --model NAME|DIR --prompts FILE [options]

  --model NAME|DIR   what to evaluate; may be repeated, to compare
  --prompts FILE     JSON Lines of {"prompt": [messages]}, as npm run teddy -- prompts writes them
  --limit N          prompts that are taken from the file's beginning (default 200)
  --samples N        answers of each prompt (default 16)
  --temperature T    of the samples (default 1)
  --max-tokens N     longest answer (default 160 tokens)
  --seed N           of the samples (default 0)
  --card FILE        model card whose section "Gold scores" is written anew, with ten conversations of the first model
  --help, -h`;

/** Prompts that are in flight at once. */
const concurrency = 8;

const promptScale: ProgressScale = {
  amount: (done, total) => `${done}/${total} prompts`,
  speed: (perSecond) => `${perSecond.toFixed(1)}/s`,
  whole: (total) => `${total} prompts`,
};

interface Options {
  models: string[];
  prompts: string;
  limit: number;
  samples: number;
  temperature: number;
  maxTokens: number;
  seed: number;
  card: string | undefined;
}

interface Evaluated {
  name: string;
  /** [prompts][samples]. */
  answers: string[][];
  summary: GoldSummary;
}

/** @returns the exit status: 0, 1 when it failed, 2 for wrong usage. */
export async function runEvaluateCommand(args: readonly string[]): Promise<number> {
  try {
    const options = readOptions(args);
    if (options === undefined) console.log(help);
    else await evaluatePolicies(options, args);
    return 0;
  } catch (error) {
    if (!(error instanceof BonsaiError)) throw error;
    console.error(`evaluate: ${error.message}`);
    return error.code === "usage" ? 2 : 1;
  }
}

async function evaluatePolicies(options: Options, args: readonly string[]): Promise<void> {
  const prompts = readPrompts(options.prompts).slice(0, options.limit);
  const models = await resolveModels(options.models, console.error);
  const engine = await startEngine({
    ...defaultConfig(),
    quantization: "fp32",
    models,
    cacheDir: defaultCacheDir(),
    log: console.error,
  });
  const evaluated: Evaluated[] = [];
  try {
    for (const name of engine.models.map(({ id }) => id)) evaluated.push(await evaluate(engine, name, prompts, options));
  } finally {
    await engine.close();
  }
  const oracle = summarizeGold(prompts.map((messages, index) => [judge(messages, oracleAnswer(messages, options.seed, index))]));
  const report = [
    `${prompts.length} held-out prompts, ${options.samples} answers of each at temperature ${options.temperature}, judged by the gold program: means over prompts with 95% intervals.`,
    "",
    goldTable(evaluated, oracle.single),
    "",
    ...evaluated.map(
      ({ name, summary: { gain, samples } }) =>
        `For ${name}, the best of ${samples} is ${gain.mean.toFixed(3)} ± ${gain.margin.toFixed(3)} above the mean.`,
    ),
    "",
    `Measured by \`npm run evaluate -- ${args.join(" ")}\` on ${availableParallelism()} cores (${cpus()[0]?.model.trim()}).`,
  ];
  console.log(report.join("\n"));
  if (options.card === undefined) return;
  const [first] = evaluated;
  const section = [...report, "", "### Ten conversations", "", ...(first === undefined ? [] : conversations(prompts, first))];
  writeFileSync(options.card, replaceSection(readFileSync(options.card, "utf8"), "Gold scores", section.join("\n")));
}

/** Samples answers to all prompts, several prompts at a time. */
async function evaluate(engine: Engine, model: string, prompts: readonly Message[][], options: Options): Promise<Evaluated> {
  const progress = createProgress(process.stderr, console.error, promptScale);
  const answers: string[][] = [];
  let next = 0;
  let done = 0;
  const worker = async (): Promise<void> => {
    for (let index = next++; index < prompts.length; index = next++) {
      answers[index] = await sample(engine, model, prompts[index]!, index, options);
      progress.update(model, ++done, prompts.length);
    }
  };
  await Promise.all(Array.from({ length: concurrency }, worker));
  progress.end();
  const scores = answers.map((ofPrompt, index) => ofPrompt.map((answer): GoldScores => judge(prompts[index]!, answer)));
  return { name: basename(model), answers, summary: summarizeGold(scores) };
}

async function sample(
  engine: Engine,
  model: string,
  messages: readonly Message[],
  index: number,
  { samples, temperature, maxTokens, seed }: Options,
): Promise<string[]> {
  const answers = Array.from({ length: samples }, () => "");
  const events = engine.generate({
    model,
    prompt: { kind: "messages", messages: [...messages] },
    n: samples,
    maxTokens,
    sampling: { ...plainSampling, temperature },
    seed: seed * 1_000_003 + index,
    stop: [],
    ignoreEos: false,
    logprobs: undefined,
    echo: false,
  });
  for await (const event of events) if (event.type === "delta") answers[event.index] += event.text;
  return answers;
}

function oracleAnswer(messages: readonly Message[], seed: number, index: number): string {
  return bestAnswer(readQuestion(messages)!, new RandomStream(seed, "oracle", index));
}

/** The first answers of ten prompts spread over all, as they came, with their scores. */
function conversations(prompts: readonly Message[][], { answers }: Evaluated): string[] {
  const shown = Math.min(10, prompts.length);
  return Array.from({ length: shown }, (_, at) => Math.floor((at * prompts.length) / shown)).flatMap((index) => {
    const messages = prompts[index]!;
    const answer = answers[index]![0]!;
    const { score, usefulness, friendliness, safety } = judge(messages, answer);
    return [
      ...messages.map(({ role, content }) => `> **${role}**: ${content}\n>`),
      `> **answer**: ${answer.replaceAll("\n", " ")}`,
      "",
      `Score ${score.toFixed(2)}: usefulness ${usefulness.toFixed(2)}, friendliness ${friendliness.toFixed(2)}, safety ${safety.toFixed(2)}.`,
      "",
    ];
  });
}

/** @throws BonsaiError `invalid_request`, naming the line that is no prompt of the teddy world. */
function readPrompts(path: string): Message[][] {
  if (!existsSync(path)) throw new BonsaiError("file_not_found", `There is no file ${path}.`, { param: "--prompts" });
  return readFileSync(path, "utf8")
    .split("\n")
    .flatMap((line, index) => (line.trim() === "" ? [] : [readPrompt(line, `${path}, line ${index + 1}`)]));
}

function readPrompt(line: string, where: string): Message[] {
  let row: unknown;
  try {
    row = JSON.parse(line);
  } catch (cause) {
    throw new BonsaiError("usage", `${where}: no JSON.`, { param: "--prompts", cause });
  }
  const messages = (row as { prompt?: unknown } | null)?.prompt;
  const isMessages =
    Array.isArray(messages) &&
    messages.every(
      (message: { role?: unknown; content?: unknown } | null) => typeof message?.role === "string" && typeof message.content === "string",
    );
  if (!isMessages) throw new BonsaiError("usage", `${where}: prompt must be a list of {role, content}.`, { param: "--prompts" });
  if (readQuestion(messages as Message[]) === undefined)
    throw new BonsaiError("usage", `${where}: the last message asks nothing of the teddy world.`, { param: "--prompts" });
  return messages as Message[];
}

function readOptions(args: readonly string[]): Options | undefined {
  const { values, positionals } = parse(args);
  if (values.help === true) return undefined;
  if (positionals.length !== 1 || positionals[0] !== "policy") throw new BonsaiError("usage", "Say what to evaluate: policy. See --help.");
  if (values.model === undefined) throw new BonsaiError("usage", "Name what to evaluate: --model NAME or DIR.", { param: "--model" });
  if (values.prompts === undefined) throw new BonsaiError("usage", "Name the prompts: --prompts FILE.", { param: "--prompts" });
  const number = (flag: string, value: string, least: number, whole: boolean): number => {
    const given = Number(value);
    if (value.trim() !== "" && given >= least && given < Infinity && (!whole || Number.isSafeInteger(given))) return given;
    throw new BonsaiError(
      "usage",
      `--${flag} is ${JSON.stringify(value)}; it must be ${whole ? "an integer" : "a number"} from ${least}.`,
      {
        param: `--${flag}`,
      },
    );
  };
  return {
    models: values.model,
    prompts: values.prompts,
    limit: number("limit", values.limit, 1, true),
    samples: number("samples", values.samples, 1, true),
    temperature: number("temperature", values.temperature, 0, false),
    maxTokens: number("max-tokens", values["max-tokens"], 1, true),
    seed: number("seed", values.seed, 0, true),
    card: values.card,
  };
}

const flags = {
  help: { type: "boolean", short: "h" },
  model: { type: "string", multiple: true },
  prompts: { type: "string" },
  limit: { type: "string", default: "200" },
  samples: { type: "string", default: "16" },
  temperature: { type: "string", default: "1" },
  "max-tokens": { type: "string", default: "160" },
  seed: { type: "string", default: "0" },
  card: { type: "string" },
} as const;

function parse(args: readonly string[]): ReturnType<typeof parseArgs<{ args: string[]; allowPositionals: true; options: typeof flags }>> {
  try {
    return parseArgs({ args: [...args], allowPositionals: true, options: flags });
  } catch (cause) {
    throw new BonsaiError("usage", `${(cause as Error).message} See --help.`, { cause });
  }
}
