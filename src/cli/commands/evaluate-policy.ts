/** @file `npm run evaluate -- policy`: samples policies' answers to prompts, has them judged and compared with a baseline's, and reports. */

import { existsSync, readFileSync } from "node:fs";
import { availableParallelism, cpus } from "node:os";
import { dirname, relative } from "node:path";
import { defaultConfig } from "../../config/options.ts";
import type { Engine, Prompt } from "../../engine/contract/request.ts";
import { startEngine } from "../../engine/worker/start-engine.ts";
import { BonsaiError } from "../../errors/bonsai-error.ts";
import { writeWholeFile } from "../../formats/written-file.ts";
import { conversationOf } from "../../preferences/candidates.ts";
import { bestAnswer } from "../../teddy/writer/answer.ts";
import type { Message } from "../../text/conversation/message.ts";
import { goldTable, summarizeGold, type GoldSummary } from "../../teddy/judge/gold-report.ts";
import { judge } from "../../teddy/judge/judge.ts";
import { RandomStream } from "../../random/random-stream.ts";
import { readQuestion } from "../../teddy/world/read-question.ts";
import { rowError } from "../../training/data/dataset-row.ts";
import { replaceSection } from "../../evaluation/card-section.ts";
import { makeJudge, readJudgeWord } from "./collect-judges.ts";
import { readPrompts, type ReadPromptRow } from "../../preferences/collect-prompts.ts";
import { quotedWord } from "./command-arguments.ts";
import { evaluatePolicyHelp, readEvaluatePolicyOptions, type EvaluatePolicyOptions } from "./evaluate-policy-options.ts";
import { judgeMaterial, modelsOfJudges, namesInThisProcess } from "./judge-material.ts";
import { defaultCacheDir } from "./load-engine.ts";
import { policyChart } from "../../evaluation/policy/policy-chart.ts";
import { mannerOf, mannerTable, type PolicyManner } from "../../evaluation/policy/policy-comparison.ts";
import { distanceBetween } from "../../evaluation/policy/policy-distance.ts";
import { judgePolicies, type JudgedPolicies, type SampledPolicy } from "../../evaluation/policy/policy-judging.ts";
import { scoreTable, winTable } from "../../evaluation/policy/policy-verdict-tables.ts";
import { createProgress } from "../../progress/progress.ts";
import { promptScale, sampledPieces } from "./prompt-samples.ts";
import { resolveModels, servedId } from "../../catalog/resolve-models.ts";

/** Prompts that are in flight at once. */
const mostInFlight = 8;

interface Sampled extends SampledPolicy {
  answers: string[][];
  /** Token ids of the answers. */
  tokens: number[][][];
}

/** All that was found. */
interface Evaluation {
  rows: readonly ReadPromptRow[];
  policies: readonly Sampled[];
  judged: readonly JudgedPolicies[];
  manners: readonly PolicyManner[];
  baseline: string | undefined;
  /** By policy; undefined where gold does not judge. */
  gold: { name: string; summary: GoldSummary }[] | undefined;
}

/** @param args after the word policy. @throws BonsaiError; of wrong usage, `usage`. */
export async function runEvaluatePolicy(args: readonly string[]): Promise<void> {
  const options = readEvaluatePolicyOptions(args);
  if (options === undefined) return console.log(evaluatePolicyHelp);
  const asksGold = options.judges.includes("gold");
  const { rows } = readPrompts(options.prompts, options.limit, (row, place) => {
    if (asksGold && readQuestion(conversationOf(row.prompt)) === undefined)
      throw rowError(place, "prompt", "must end in a question of the teddy world, since gold judges; another --judge takes any prompt");
  });
  const card = options.card === undefined ? undefined : readCard(options.card);
  const evaluation = await evaluate(rows, options);
  const { policies, manners, gold, judged, baseline } = evaluation;
  const measured = `Measured by \`npm run evaluate -- policy ${args.map(quotedWord).join(" ")}\` on ${availableParallelism()} cores (${cpus()[0]?.model.trim()}).`;
  const report = [...reportOf(evaluation, options), measured];
  console.log(report.join("\n"));
  if (options.chart !== undefined) writeWholeFile(options.chart, [await policyChart({ gold: gold ?? [], manners, judged, baseline })]);
  const [first] = policies;
  if (card === undefined || options.card === undefined || first === undefined) return;
  const section = [...report, "", "### Ten conversations", "", ...conversations(evaluation, first)];
  writeWholeFile(options.card, [replaceSection(card, asksGold ? "Gold scores" : "Comparison", section.join("\n"))]);
}

async function evaluate(rows: readonly ReadPromptRow[], options: EvaluatePolicyOptions): Promise<Evaluation> {
  const named = [...new Set(options.baseline === undefined ? options.models : [...options.models, options.baseline])];
  const ofJudges = namesInThisProcess(modelsOfJudges(options.judges, options.judgeUrl));
  const engine = await startEngine({
    ...defaultConfig(),
    quantization: options.quantization,
    models: await resolveModels([...new Set([...named, ...ofJudges])], console.error),
    cacheDir: defaultCacheDir(),
    log: console.error,
  });
  const baseline = options.baseline === undefined ? undefined : servedId(options.baseline);
  try {
    const material = judgeMaterial(engine, options, new AbortController().signal);
    const judges = options.judges.map((name) => makeJudge(name, material));
    const policies: Sampled[] = [];
    for (const id of named.map(servedId)) policies.push(await sampleAll(engine, id, rows, options));
    const manners: PolicyManner[] = [];
    for (const policy of policies) manners.push({ ...mannerOf(policy, rows), ...(await distanceOf(engine, policy, baseline, rows)) });
    const judged: JudgedPolicies[] = [];
    for (const one of judges) {
      const comparesAlone = baseline !== undefined && readJudgeWord(one.name).kind === "llm";
      const progress = createProgress(process.stderr, console.error, promptScale);
      const judging = { rows, policies, baseline, inFlight: mostInFlight, comparesAlone };
      judged.push(await judgePolicies(one, judging, (done) => progress.update(one.name, done, rows.length)));
      progress.end();
    }
    return { rows, policies, judged, manners, baseline, gold: options.judges.includes("gold") ? goldOf(rows, policies) : undefined };
  } finally {
    await engine.close();
  }
}

async function distanceOf(
  engine: Engine,
  { name, tokens }: Sampled,
  baseline: string | undefined,
  rows: readonly ReadPromptRow[],
): Promise<Pick<PolicyManner, "distance">> {
  if (baseline === undefined || name === baseline) return {};
  return {
    distance: await distanceBetween(engine, { policy: name, baseline, prompts: rows.map(({ prompt }) => conversationOf(prompt)), tokens }),
  };
}

function goldOf(rows: readonly ReadPromptRow[], policies: readonly Sampled[]): NonNullable<Evaluation["gold"]> {
  return policies.map(({ name, answers }) => ({
    name,
    summary: summarizeGold(answers.map((ofPrompt, index) => ofPrompt.map((answer) => judge(conversationOf(rows[index]!.prompt), answer)))),
  }));
}

function reportOf({ rows, judged, manners, gold, baseline }: Evaluation, options: EvaluatePolicyOptions): string[] {
  const { samples, temperature, judges, chart, card, seed } = options;
  const wins = winTable(judged, baseline);
  // Gold's own table has its scores.
  const scores = scoreTable(judged.filter(({ judge: name }) => name !== "gold"));
  return [
    `${rows.length} prompts, ${samples} answers of each at temperature ${temperature}, judged by ${judges.join(", ").replace(/^gold\b/, "the gold program")}: means over prompts with 95% intervals.`,
    "",
    ...(gold === undefined ? [] : [goldTable(gold, oracleOf(rows, seed).single), ""]),
    ...(scores.length === 0 ? [] : [...scores, ""]),
    ...(wins.length === 0 ? [] : [...wins, ""]),
    ...mannerTable(manners, baseline),
    "",
    ...(chart === undefined || card === undefined ? [] : [`![Scores and win rates](${relative(dirname(card), chart)})`, ""]),
    ...(gold ?? []).map(
      ({ name, summary: { gain, samples: of } }) =>
        `For ${name}, the best of ${of} is ${gain.mean.toFixed(3)} ± ${gain.margin.toFixed(3)} above the mean.`,
    ),
    ...(gold === undefined ? [] : [""]),
  ];
}

/** Samples answers to all prompts, several prompts at a time. */
async function sampleAll(engine: Engine, model: string, rows: readonly ReadPromptRow[], options: EvaluatePolicyOptions): Promise<Sampled> {
  const progress = createProgress(process.stderr, console.error, promptScale);
  const answers: string[][] = [];
  const tokens: number[][][] = [];
  let [next, done] = [0, 0];
  const worker = async (): Promise<void> => {
    for (let index = next++; index < rows.length; index = next++) {
      const texts = Array.from({ length: options.samples }, () => "");
      const ids = Array.from({ length: options.samples }, (): number[] => []);
      const prompt: Prompt = { kind: "messages", messages: [...conversationOf(rows[index]!.prompt)] };
      for await (const piece of sampledPieces(engine, model, prompt, index, options)) {
        texts[piece.index] += piece.text;
        ids[piece.index]!.push(...piece.tokenIds);
      }
      [answers[index], tokens[index]] = [texts, ids];
      progress.update(model, ++done, rows.length);
    }
  };
  const inFlight = Math.max(1, Math.min(mostInFlight, Math.floor(defaultConfig().maxSequences / options.samples)));
  await Promise.all(Array.from({ length: inFlight }, worker));
  progress.end();
  return { name: model, answers, tokens };
}

/** What the oracle's answers would score. */
function oracleOf(rows: readonly ReadPromptRow[], seed: number): GoldSummary {
  return summarizeGold(
    rows.map(({ prompt }, index) => {
      const messages = conversationOf(prompt);
      return [judge(messages, bestAnswer(readQuestion(messages)!, new RandomStream(seed, "other", index)))];
    }),
  );
}

/** The first answers of ten prompts spread over all, as they came: of a policy, and of the baseline. Where gold judges, with its scores. */
function conversations({ rows, policies, baseline, gold }: Evaluation, policy: Sampled): string[] {
  const shown = Math.min(10, rows.length);
  const answering = policies.filter((one) => one === policy || one.name === baseline);
  return Array.from({ length: shown }, (_, at) => Math.floor((at * rows.length) / shown)).flatMap((index) => {
    const messages = conversationOf(rows[index]!.prompt);
    return [
      ...messages.flatMap(({ role, content }) => [quoted(role, content), ">"]),
      ...answering.flatMap(({ name, answers }, at) => [
        ...(at === 0 ? [] : [">"]),
        quoted(answering.length === 1 ? "answer" : name, answers[index]![0]!),
      ]),
      "",
      ...(gold === undefined
        ? ["---"]
        : answering.map(
            ({ name, answers }) => `${answering.length === 1 ? "Score" : `Score of ${name}`} ${scoresOf(messages, answers[index]![0]!)}`,
          )),
      "",
    ];
  });
}

function scoresOf(messages: readonly Message[], answer: string): string {
  const { score, usefulness, friendliness, safety } = judge(messages, answer);
  return `${score.toFixed(2)}: usefulness ${usefulness.toFixed(2)}, friendliness ${friendliness.toFixed(2)}, safety ${safety.toFixed(2)}.`;
}

/** A turn as a quotation, whatever lines it has. */
function quoted(who: string, text: string): string {
  return `**${who}**: ${text}`.replaceAll(/^/gm, "> ");
}

function readCard(path: string): string {
  if (!existsSync(path)) throw new BonsaiError("file_not_found", `There is no card ${path}.`, { param: "--card" });
  return readFileSync(path, "utf8");
}
