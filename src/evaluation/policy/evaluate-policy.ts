/** @file Samples policies' answers to prompts, has them judged and compared with a baseline's, and reports. */

import { dirname, relative } from "node:path";
import { resolveModels, servedId } from "../../catalog/resolve-models.ts";
import { startModels } from "../../catalog/start-models.ts";
import type { Engine } from "../../engine/contract/request.ts";
import { writeWholeFile } from "../../formats/written-file.ts";
import { conversationOf } from "../../preferences/candidates.ts";
import { readPrompts, type ReadPromptRow } from "../../preferences/collect-prompts.ts";
import { judgeMaterial, modelsOfJudges, namesInThisProcess } from "../../preferences/judge-models.ts";
import { makeJudge, readJudgeWord } from "../../preferences/judge-words.ts";
import { countScale } from "../../progress/progress.ts";
import type { TaskContext } from "../../progress/task-context.ts";
import { RandomStream } from "../../random/random-stream.ts";
import { goldTable, summarizeGold, type GoldSummary } from "../../teddy/judge/gold-report.ts";
import { judge } from "../../teddy/judge/judge.ts";
import { readQuestion } from "../../teddy/world/read-question.ts";
import { bestAnswer } from "../../teddy/writer/answer.ts";
import { rowError } from "../../training/data/dataset-row.ts";
import { requireCard, writeCardSection } from "../card-section.ts";
import { measuredBy } from "../measured-by.ts";
import { styleOf, styleTable, type AnswerStyle } from "./answer-style.ts";
import { policyChart } from "./policy-chart.ts";
import { distanceBetween } from "./policy-distance.ts";
import { judgePolicies, type JudgedPolicies } from "./policy-judging.ts";
import { checkPolicyOptions, type PolicyEvaluationOptions } from "./policy-options.ts";
import { mostPromptsInFlight, samplePolicy, type PolicySamples } from "./policy-samples.ts";
import { scoreTable, winTable } from "./policy-verdict-tables.ts";
import type { PolicyEvaluation } from "./policy-evaluation.ts";
import { shownConversations } from "./shown-conversations.ts";

/**
 * Prints the report, and writes chart and card where they are asked for. @throws BonsaiError `usage`; of files, models
 * and judges
 */
export async function evaluatePolicies(options: PolicyEvaluationOptions, context: TaskContext): Promise<void> {
  checkPolicyOptions(options);
  const asksGold = options.judge.includes("gold");
  const { rows } = readPrompts(options.prompts, options.limit, (row, place) => {
    if (asksGold && readQuestion(conversationOf(row.prompt)) === undefined)
      throw rowError(place, "prompt", "must end in a question of the teddy world, since gold judges; another --judge takes any prompt");
  });
  requireCard(options.card);
  const evaluation = await evaluate(rows, options, context);
  const { policies, styles, gold, judged, baseline } = evaluation;
  const report = [...reportOf(evaluation, options), measuredBy(context.command)];
  context.print(report.join("\n"));
  if (options.chart !== undefined) writeWholeFile(options.chart, [await policyChart({ gold: gold ?? [], styles, judged, baseline })]);
  const [first] = policies;
  if (options.card === undefined || first === undefined) return;
  const section = [...report, "", "### Ten conversations", "", ...shownConversations(evaluation, first)];
  writeCardSection(options.card, asksGold ? "Gold scores" : "Comparison", section);
}

async function evaluate(
  rows: readonly ReadPromptRow[],
  options: PolicyEvaluationOptions,
  { log, startProgress }: TaskContext,
): Promise<PolicyEvaluation> {
  const { quantization } = options;
  const named = [...new Set(options.baseline === undefined ? options.model : [...options.model, options.baseline])];
  const ofJudges = namesInThisProcess(modelsOfJudges(options.judge, options.judgeUrl));
  const served = await resolveModels([...new Set([...named, ...ofJudges])], log);
  const engine = await startModels(served, { quantization, log });
  const baseline = options.baseline === undefined ? undefined : servedId(options.baseline);
  try {
    const material = judgeMaterial(engine, options, new AbortController().signal);
    const judges = options.judge.map((name) => makeJudge(name, material));
    const progress = startProgress(countScale("prompts"));
    const policies: PolicySamples[] = [];
    for (const id of named.map(servedId)) {
      policies.push(await samplePolicy(engine, id, rows, options, (done) => progress.update(id, done, rows.length)));
      progress.end();
    }
    const styles: AnswerStyle[] = [];
    for (const policy of policies) styles.push({ ...styleOf(policy, rows), ...(await distanceOf(engine, policy, baseline, rows)) });
    const judged: JudgedPolicies[] = [];
    for (const one of judges) {
      const comparesAlone = baseline !== undefined && readJudgeWord(one.name).kind === "llm";
      const judging = { rows, policies, baseline, inFlight: mostPromptsInFlight, comparesAlone };
      judged.push(await judgePolicies(one, judging, (done) => progress.update(one.name, done, rows.length)));
      progress.end();
    }
    return { rows, policies, judged, styles, baseline, gold: options.judge.includes("gold") ? goldOf(rows, policies) : undefined };
  } finally {
    await engine.close();
  }
}

async function distanceOf(
  engine: Engine,
  { name, tokens }: PolicySamples,
  baseline: string | undefined,
  rows: readonly ReadPromptRow[],
): Promise<Pick<AnswerStyle, "distance">> {
  if (baseline === undefined || name === baseline) return {};
  return {
    distance: await distanceBetween(engine, { policy: name, baseline, prompts: rows.map(({ prompt }) => conversationOf(prompt)), tokens }),
  };
}

function goldOf(rows: readonly ReadPromptRow[], policies: readonly PolicySamples[]): NonNullable<PolicyEvaluation["gold"]> {
  return policies.map(({ name, answers }) => ({
    name,
    summary: summarizeGold(answers.map((ofPrompt, index) => ofPrompt.map((answer) => judge(conversationOf(rows[index]!.prompt), answer)))),
  }));
}

function reportOf({ rows, judged, styles, gold, baseline }: PolicyEvaluation, options: PolicyEvaluationOptions): string[] {
  const { samples, temperature, judge: judges, chart, card, seed } = options;
  const wins = winTable(judged, baseline);
  // Gold's own table has its scores.
  const scores = scoreTable(judged.filter(({ judge: name }) => name !== "gold"));
  return [
    `${rows.length} prompts, ${samples} answers of each at temperature ${temperature}, judged by ${judges.join(", ").replace(/^gold\b/, "the gold program")}: means over prompts with 95% intervals.`,
    "",
    ...(gold === undefined ? [] : [goldTable(gold, oracleOf(rows, seed).single), ""]),
    ...(scores.length === 0 ? [] : [...scores, ""]),
    ...(wins.length === 0 ? [] : [...wins, ""]),
    ...styleTable(styles, baseline),
    "",
    ...(chart === undefined || card === undefined ? [] : [`![Scores and win rates](${relative(dirname(card), chart)})`, ""]),
    ...(gold ?? []).map(
      ({ name, summary: { gain, samples: of } }) =>
        `For ${name}, the best of ${of} is ${gain.mean.toFixed(3)} ± ${gain.margin.toFixed(3)} above the mean.`,
    ),
    ...(gold === undefined ? [] : [""]),
  ];
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
