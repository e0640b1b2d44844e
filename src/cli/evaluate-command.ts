/** @file `npm run evaluate -- policy`: samples a policy's answers to prompts and reports what the gold judge of the teddy world says of them; and the way to `reward`. */

import { existsSync, readFileSync } from "node:fs";
import { availableParallelism, cpus } from "node:os";
import { dirname, relative } from "node:path";
import { defaultConfig } from "../config/options.ts";
import type { Engine } from "../engine/request.ts";
import { startEngine } from "../engine/start-engine.ts";
import { BonsaiError } from "../errors/bonsai-error.ts";
import { parseArguments } from "./command-arguments.ts";
import { isJsonObject } from "../formats/json-file.ts";
import { writeWholeFile } from "../formats/written-file.ts";
import { bestAnswer } from "../teddy/answer.ts";
import type { Message } from "../teddy/conversation.ts";
import { goldTable, summarizeGold, type GoldSummary } from "../teddy/gold-report.ts";
import { judge, type GoldScores } from "../teddy/judge.ts";
import { RandomStream } from "../teddy/random-stream.ts";
import { readQuestion } from "../teddy/read-question.ts";
import { rowError } from "../train/dataset-row.ts";
import { readJsonLines } from "../train/json-lines.ts";
import { replaceSection } from "./card-section.ts";
import { runEvaluatePrefixes } from "./evaluate-prefixes-command.ts";
import { policyChart } from "./policy-chart.ts";
import { mannerOf, mannerTable, winRateOf, type PolicyManner } from "./policy-comparison.ts";
import { distanceBetween } from "./policy-distance.ts";
import { runEvaluateReward } from "./evaluate-reward-command.ts";
import { defaultCacheDir } from "./load-engine.ts";
import { createProgress } from "./progress.ts";
import { promptScale, sampledPieces } from "./prompt-samples.ts";
import { resolveModels, servedId } from "./resolve-models.ts";

const help = `Sample a policy's answers to prompts, and score them by the gold judge of the teddy world.

Usage: npm run evaluate -- policy --model NAME|DIR --prompts FILE [options]
       npm run evaluate -- reward --model NAME|DIR --dataset FILE [options]; see reward --help
       npm run evaluate -- prefixes --model NAME|DIR --reward-model NAME|DIR --prompts FILE [options]; see prefixes --help

  --model NAME|DIR   what to evaluate; may be repeated, to compare
  --prompts FILE     JSON Lines of {"prompt": [messages]}, as npm run teddy -- prompts writes them
  --limit N          prompts that are taken from the file's beginning (default 200)
  --samples N        answers of each prompt (default 16)
  --temperature T    of the samples (default 1)
  --max-tokens N     longest answer (default 160 tokens)
  --seed N           of the samples (default 0)
  --baseline NAME|DIR what the models are compared with, answer by answer: win rates, and the distance KL(model || baseline)
  --card FILE        model card whose section "Gold scores" is written anew, with ten conversations of the first model
  --chart FILE       where scores and win rates are drawn, as SVG
  --help, -h`;

/** Prompts that are in flight at once. */
const mostInFlight = 8;

interface Options {
  models: string[];
  prompts: string;
  limit: number;
  samples: number;
  temperature: number;
  maxTokens: number;
  seed: number;
  baseline: string | undefined;
  card: string | undefined;
  chart: string | undefined;
}

interface Evaluated {
  name: string;
  /** [prompts][samples]. */
  answers: string[][];
  /** Token ids of the answers. */
  tokens: number[][][];
  scores: GoldScores[][];
  summary: GoldSummary;
}

const otherCommands = new Map([
  ["reward", runEvaluateReward],
  ["prefixes", runEvaluatePrefixes],
]);

/** @returns the exit status: 0, 1 when it failed, 2 for wrong usage. */
export async function runEvaluateCommand(args: readonly string[]): Promise<number> {
  try {
    const [command, ...rest] = args;
    const other = otherCommands.get(command ?? "");
    const options = other === undefined ? readOptions(args) : undefined;
    if (other !== undefined) await other(rest);
    else if (options === undefined) console.log(help);
    else await evaluatePolicies(options, args);
    return 0;
  } catch (error) {
    if (!(error instanceof BonsaiError)) throw error;
    console.error(`evaluate: ${error.message}`);
    return error.code === "usage" ? 2 : 1;
  }
}

async function evaluatePolicies(options: Options, args: readonly string[]): Promise<void> {
  const prompts = readPrompts(options.prompts, options.limit);
  const card = options.card === undefined ? undefined : readCard(options.card);
  const named = options.baseline === undefined ? options.models : [...options.models, options.baseline];
  const engine = await startEngine({
    ...defaultConfig(),
    quantization: "fp32",
    models: await resolveModels(named, console.error),
    cacheDir: defaultCacheDir(),
    log: console.error,
  });
  const evaluated: Evaluated[] = [];
  const manners: PolicyManner[] = [];
  const baselineId = options.baseline === undefined ? undefined : servedId(options.baseline);
  try {
    for (const id of named.map(servedId)) evaluated.push(await evaluate(engine, id, prompts, options));
    const baseline = evaluated.find(({ name }) => name === baselineId);
    for (const policy of evaluated) {
      const compared = baseline === undefined || policy === baseline ? undefined : baseline;
      manners.push({
        ...mannerOf(policy, prompts),
        ...(compared === undefined
          ? {}
          : {
              winRate: winRateOf(policy.scores, compared.scores),
              distance: await distanceBetween(engine, { policy: policy.name, baseline: compared.name, prompts, tokens: policy.tokens }),
            }),
      });
    }
  } finally {
    await engine.close();
  }
  const oracle = summarizeGold(prompts.map((messages, index) => [judge(messages, oracleAnswer(messages, options.seed, index))]));
  const report = [
    `${prompts.length} prompts, ${options.samples} answers of each at temperature ${options.temperature}, judged by the gold program: means over prompts with 95% intervals.`,
    "",
    goldTable(evaluated, oracle.single),
    "",
    ...mannerTable(manners, baselineId),
    "",
    ...(options.chart === undefined || options.card === undefined
      ? []
      : [`![Scores and win rates](${relative(dirname(options.card), options.chart)})`, ""]),
    ...evaluated.map(
      ({ name, summary: { gain, samples } }) =>
        `For ${name}, the best of ${samples} is ${gain.mean.toFixed(3)} ± ${gain.margin.toFixed(3)} above the mean.`,
    ),
    "",
    `Measured by \`npm run evaluate -- ${args.join(" ")}\` on ${availableParallelism()} cores (${cpus()[0]?.model.trim()}).`,
  ];
  console.log(report.join("\n"));
  if (options.chart !== undefined) writeWholeFile(options.chart, [await policyChart(evaluated, manners, baselineId)]);
  const [first] = evaluated;
  if (card === undefined || options.card === undefined || first === undefined) return;
  const section = [...report, "", "### Ten conversations", "", ...conversations(prompts, first)];
  writeWholeFile(options.card, [replaceSection(card, "Gold scores", section.join("\n"))]);
}

/** Samples answers to all prompts, several prompts at a time. */
async function evaluate(engine: Engine, model: string, prompts: readonly Message[][], options: Options): Promise<Evaluated> {
  const progress = createProgress(process.stderr, console.error, promptScale);
  const answers: string[][] = [];
  const tokens: number[][][] = [];
  let next = 0;
  let done = 0;
  const worker = async (): Promise<void> => {
    for (let index = next++; index < prompts.length; index = next++) {
      ({ answers: answers[index], tokens: tokens[index] } = await sample(engine, model, prompts[index]!, index, options));
      progress.update(model, ++done, prompts.length);
    }
  };
  const inFlight = Math.max(1, Math.min(mostInFlight, Math.floor(defaultConfig().maxSequences / options.samples)));
  await Promise.all(Array.from({ length: inFlight }, worker));
  progress.end();
  const scores = answers.map((ofPrompt, index) => ofPrompt.map((answer): GoldScores => judge(prompts[index]!, answer)));
  return { name: model, answers, tokens, scores, summary: summarizeGold(scores) };
}

async function sample(
  engine: Engine,
  model: string,
  messages: readonly Message[],
  index: number,
  options: Options,
): Promise<{ answers: string[]; tokens: number[][] }> {
  const answers = Array.from({ length: options.samples }, () => "");
  const tokens = Array.from({ length: options.samples }, (): number[] => []);
  for await (const piece of sampledPieces(engine, model, messages, index, options)) {
    answers[piece.index] += piece.text;
    tokens[piece.index]!.push(...piece.tokenIds);
  }
  return { answers, tokens };
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
      ...messages.flatMap(({ role, content }) => [quoted(role, content), ">"]),
      quoted("answer", answer),
      "",
      `Score ${score.toFixed(2)}: usefulness ${usefulness.toFixed(2)}, friendliness ${friendliness.toFixed(2)}, safety ${safety.toFixed(2)}.`,
      "",
    ];
  });
}

/** A turn as a quotation, whatever lines it has. */
function quoted(who: string, text: string): string {
  return `**${who}**: ${text}`.replaceAll(/^/gm, "> ");
}

function readCard(path: string): string {
  if (!existsSync(path)) throw new BonsaiError("file_not_found", `There is no card ${path}.`, { param: "--card" });
  return readFileSync(path, "utf8");
}

/** The first `limit` prompts, at least one. @throws BonsaiError `file_not_found`; `invalid_dataset`, naming the line that is no prompt of the teddy world. */
function readPrompts(path: string, limit: number): Message[][] {
  const prompts: Message[][] = [];
  for (const { line, row } of readJsonLines(path)) {
    const { prompt } = row;
    const isMessages =
      Array.isArray(prompt) &&
      prompt.every((message) => isJsonObject(message) && typeof message["role"] === "string" && typeof message["content"] === "string");
    if (!isMessages) throw rowError({ path, line }, "prompt", "must be a list of {role, content}");
    const messages = prompt as unknown as Message[];
    if (readQuestion(messages) === undefined) throw rowError({ path, line }, "prompt", "must end in a question of the teddy world");
    prompts.push(messages);
    if (prompts.length === limit) break;
  }
  if (prompts.length === 0) throw new BonsaiError("invalid_dataset", `${path} holds no prompts.`, { param: "--prompts" });
  return prompts;
}

function readOptions(args: readonly string[]): Options | undefined {
  const { values, positionals } = parseArguments(args, flags);
  if (values.help === true) return undefined;
  if (positionals.length !== 1 || positionals[0] !== "policy")
    throw new BonsaiError("usage", "Say what to evaluate: policy, reward or prefixes. See --help.");
  if (values.model === undefined) throw new BonsaiError("usage", "Name what to evaluate: --model NAME or DIR.", { param: "--model" });
  if (values.prompts === undefined) throw new BonsaiError("usage", "Name the prompts: --prompts FILE.", { param: "--prompts" });
  const number = (flag: string, value: string, least: number, whole: boolean, most = Number.MAX_SAFE_INTEGER): number => {
    const given = Number(value);
    if (value.trim() !== "" && given >= least && given <= most && (!whole || Number.isSafeInteger(given))) return given;
    const range = most === Number.MAX_SAFE_INTEGER ? `from ${least}` : `from ${least} to ${most}`;
    throw new BonsaiError("usage", `--${flag} is ${JSON.stringify(value)}; it must be ${whole ? "an integer" : "a number"} ${range}.`, {
      param: `--${flag}`,
    });
  };
  return {
    models: values.model,
    prompts: values.prompts,
    limit: number("limit", values.limit, 1, true),
    samples: number("samples", values.samples, 1, true, defaultConfig().maxSequences),
    temperature: number("temperature", values.temperature, 0, false),
    maxTokens: number("max-tokens", values["max-tokens"], 1, true),
    seed: number("seed", values.seed, 0, true),
    baseline: values.baseline,
    card: values.card,
    chart: values.chart,
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
  baseline: { type: "string" },
  card: { type: "string" },
  chart: { type: "string" },
} as const;
