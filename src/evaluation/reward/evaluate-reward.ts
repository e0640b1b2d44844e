/** @file Measures how often reward models, and judges that give scores, prefer the answer that was preferred. */

import { dirname, join } from "node:path";
import type { ServedModel } from "../../catalog/adapter-base.ts";
import { allServed } from "../../catalog/attach-models.ts";
import { resolveModels, servedId } from "../../catalog/resolve-models.ts";
import { startModels } from "../../catalog/start-models.ts";
import type { NamedEnsemble } from "../../engine/contract/ensembles.ts";
import { BonsaiError } from "../../errors/bonsai-error.ts";
import { writeWholeFile } from "../../formats/written-file.ts";
import type { Judge } from "../../judges/judges.ts";
import { makeJudge, readJudgeWord } from "../../preferences/judge-words.ts";
import { countScale } from "../../progress/progress.ts";
import type { TaskContext } from "../../progress/task-context.ts";
import { servedRewardModel } from "../../reward/reward-model.ts";
import { requireCard, writeCardSection } from "../card-section.ts";
import { measuredBy } from "../measured-by.ts";
import { accuracyChart } from "./accuracy-chart.ts";
import { scoreByJudge, scoreByModel, type ScoringProgress } from "./answer-scores.ts";
import { readEvaluationSet } from "./evaluation-set-file.ts";
import type { AnswerScores, EvaluationSet } from "./evaluation-set.ts";
import { learningCurve } from "./learning-curve.ts";
import { checkRewardOptions, type RewardEvaluationOptions } from "./reward-options.ts";
import { evaluationReport, type EvaluatedSet, type ScorerEvaluation } from "./reward-report.ts";
import { evaluateScores, labelledDimensions, lengthScores } from "./score-accuracy.ts";
import {
  agreementOfRaters,
  agreementWithTruth,
  goldOfPick,
  isTeddySet,
  teddyMeasures,
  teddyTruth,
  type TeddyTruth,
} from "./teddy-agreement.ts";

/**
 * Prints the report, and writes chart and card where they are asked for. @throws BonsaiError `usage`; of files and
 * models
 */
export async function evaluateReward(options: RewardEvaluationOptions, context: TaskContext): Promise<void> {
  const ensembles = checkRewardOptions(options);
  const { card, svg, seed } = options;
  requireCard(card);
  const sets = options.dataset.map((word) => readEvaluationSet(word, options.limit));
  const repeated = sets.find(({ name }, at) => sets.findIndex((set) => set.name === name) !== at);
  if (repeated !== undefined)
    throw new BonsaiError("usage", `Two sets are called ${repeated.name}: name one of them, as NAME=FILE.`, { param: "--dataset" });
  const models = options.model.length === 0 ? [] : await resolveModels(options.model, context.log);
  const scored = await scoreSets(sets, options, models, ensembles, context);
  const evaluated = sets.map((set, at) => evaluateSet(set, scored[at]!, seed));
  const { title, image, lines, chart }: ChartedReport = options.learningCurve
    ? await curveReport(evaluated[0]!, options.model, models)
    : { title: "Accuracy", image: accuracyImage, lines: evaluationReport(evaluated, seed), chart: () => accuracyChart(evaluated) };
  const report = [...lines, "", measuredBy(context.command)];
  context.print(report.join("\n"));
  const chartPath = svg ?? (card === undefined ? undefined : join(dirname(card), image.file));
  if (chartPath !== undefined) writeWholeFile(chartPath, [await chart()]);
  if (card === undefined) return;
  const shown = svg === undefined ? [`![${image.text}](${image.file})`, ""] : [];
  writeCardSection(card, title, [...shown, ...report]);
}

/** A report that becomes a section of a card, with a chart beside it. */
interface ChartedReport {
  title: string;
  image: { file: string; text: string };
  lines: string[];
  /** Draws an SVG document. */
  chart: () => Promise<string>;
}

const accuracyImage: ChartedReport["image"] = { file: "accuracy.svg", text: "Accuracy by set, and reliability" };

async function curveReport(set: EvaluatedSet, names: readonly string[], served: readonly ServedModel[]): Promise<ChartedReport> {
  const all = allServed(served);
  const folders = names.map((name) => all.find(({ id }) => id === servedId(name))!.path);
  const image = { file: "learning-curve.svg", text: "Accuracy by comparisons" };
  const { lines, chart } = await learningCurve(set, folders);
  return { title: "Learning curve", image, lines, chart: async () => chart };
}

/** Scores of every model and judge for each set: [sets][scorers]. */
async function scoreSets(
  sets: readonly EvaluationSet[],
  options: RewardEvaluationOptions,
  models: readonly ServedModel[],
  ensembles: readonly NamedEnsemble[],
  { log, startProgress }: TaskContext,
): Promise<AnswerScores[][]> {
  const answerCount = sets.reduce((sum, { answers }) => sum + answers.length, 0);
  const progress = startProgress(countScale("answers", 0));
  const scored = sets.map((): AnswerScores[] => []);
  const scoreAll = async (
    name: string,
    score: (set: EvaluationSet, onProgress: ScoringProgress) => Promise<AnswerScores>,
  ): Promise<void> => {
    let done = 0;
    for (const [at, set] of sets.entries())
      scored[at]!.push(await score(set, (count) => progress.update(name, (done += count), answerCount)));
    progress.end();
  };
  const judges = options.judge.map((name) => makeScoringJudge(name, options.seed));
  if (models.length > 0) {
    const engine = await startModels(models, { quantization: options.quantization, ensembles, log });
    try {
      for (const id of [...options.model.map(servedId), ...ensembles.map((ensemble) => ensemble.id)]) {
        const info = engine.models.find((model) => model.id === id)!;
        const model = servedRewardModel(engine, info);
        // Members' raw rewards have no scale in common, so that those of an ensemble are no logits.
        const isLogit = info.ensemble === undefined;
        await scoreAll(id, async (set, onProgress) => ({ ...(await scoreByModel(model, set, onProgress)), isLogit }));
      }
    } finally {
      await engine.close();
    }
  }
  for (const judge of judges) await scoreAll(judge.name, (set, onProgress) => scoreByJudge(judge, set, onProgress));
  return scored;
}

function makeScoringJudge(name: string, seed: number): Judge {
  const { kind } = readJudgeWord(name);
  if (["llm", "reward", "rewrite", "bleu", "rouge-l"].includes(kind))
    throw new BonsaiError("usage", `--judge ${name}: it gives answers alone no score here; use --model for a reward model.`, {
      param: "--judge",
    });
  const none = (): never => {
    throw new Error("a judge without a model asked for one");
  };
  const material = {
    languageModel: none,
    rewardModel: none,
    criterion: undefined,
    judgeTokens: 1,
    equalBelow: 0,
    seed,
    signal: new AbortController().signal,
  };
  return makeJudge(name, material);
}

function evaluateSet(set: EvaluationSet, scored: readonly AnswerScores[], seed: number): EvaluatedSet {
  const dimensions = labelledDimensions(set);
  const truth = isTeddySet(set) ? teddyTruth(set, seed) : undefined;
  const all = [...scored, lengthScores(set, truth === undefined ? dimensions : [...teddyMeasures])];
  const scorers = all.map((scores): ScorerEvaluation => ({
    name: scores.name,
    evaluation: evaluateScores(set, scores, seed),
    truth: truth && { byMeasure: agreements(set, truth, scores, seed), pick: goldOfPick(set, truth, scores) },
  }));
  const raters = truth && new Map(teddyMeasures.map((measure) => [measure, agreementOfRaters(set, truth, measure, seed)] as const));
  return { set, dimensions, scorers, raters };
}

function agreements(
  set: EvaluationSet,
  truth: TeddyTruth,
  scores: AnswerScores,
  seed: number,
): NonNullable<ScorerEvaluation["truth"]>["byMeasure"] {
  const known = teddyMeasures.flatMap((measure) => {
    const agreement = agreementWithTruth(set, truth, scores, measure, seed);
    return agreement === undefined ? [] : [[measure, agreement] as const];
  });
  return new Map(known);
}
