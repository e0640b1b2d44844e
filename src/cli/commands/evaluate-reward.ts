/** @file `npm run evaluate -- reward`: how often reward models, and judges that give scores, prefer what was preferred. */

import { existsSync, readFileSync } from "node:fs";
import { availableParallelism, cpus } from "node:os";
import { dirname, join } from "node:path";
import { defaultConfig, quantizations, type Quantization } from "../../config/options.ts";
import type { NamedEnsemble } from "../../engine/contract/ensembles.ts";
import { startEngine } from "../../engine/worker/start-engine.ts";
import { BonsaiError } from "../../errors/bonsai-error.ts";
import { writeWholeFile } from "../../formats/written-file.ts";
import { evaluateScores, labelledDimensions, lengthScores } from "../../evaluation/evaluation.ts";
import { evaluationReport, type EvaluatedSet, type ScorerEvaluation } from "../../evaluation/evaluation-report.ts";
import type { AnswerScores, EvaluationSet } from "../../evaluation/evaluation-set.ts";
import {
  agreementOfRaters,
  agreementWithTruth,
  goldOfPick,
  isTeddySet,
  teddyMeasures,
  teddyTruth,
  type TeddyTruth,
} from "../../evaluation/teddy-evaluation.ts";
import { servedRewardModel } from "../../reward/reward-model.ts";
import { accuracyChart } from "../../evaluation/accuracy-chart.ts";
import { answerScale, scoreByJudge, scoreByModel, type ScoringProgress } from "./answer-scores.ts";
import { parseEnsemble } from "../../reward/ensemble.ts";
import { replaceSection } from "../../evaluation/card-section.ts";
import { makeJudge, readJudgeWord } from "./collect-judges.ts";
import { numberOf } from "./collect-options.ts";
import { parseArguments, quotedWord } from "./command-arguments.ts";
import { readEvaluationSet } from "../../evaluation/evaluation-rows.ts";
import { learningCurve } from "../../evaluation/learning-curve.ts";
import { defaultCacheDir } from "./load-engine.ts";
import type { ServedModel } from "../../catalog/adapter-base.ts";
import { createProgress } from "../../progress/progress.ts";
import { allServed, resolveModels, servedId } from "../../catalog/resolve-models.ts";

export const evaluateRewardHelp = `Evaluate reward models: how often the preferred answer has the higher score.

Usage: npm run evaluate -- reward --model NAME|DIR --dataset FILE [options]

  --model NAME|DIR      reward model; may be repeated, to compare
  --reward-ensemble E   NAME=MODEL+MODEL[:RULE] of models that are evaluated; RULE is mean, minimum or mean-K; may be repeated
  --judge JUDGE         a judge that gives scores, beside them or alone: gold, length=N, format=RE, lexicon=FILE, people=FILE; may be repeated
  --dataset FILE        JSON Lines of preferences, or NAME=FILE; may be repeated. Sets of the teddy world are compared with gold and raters, too
  --limit N             rows from each file's beginning (default all)
  --quantization MODE   ${quantizations.join(", ")} (default fp32)
  --seed N              of noise, raters and intervals (default 0)
  --svg FILE            where the chart goes (default accuracy.svg beside the card)
  --card FILE           model card whose section "Accuracy" is written anew
  --learning-curve      the models were trained alike on more and more data: the first set's accuracy by their numbers of comparisons, as the section
                        "Learning curve" of the card and learning-curve.svg beside it
  --help, -h`;

interface RewardOptions {
  models: string[];
  ensembles: NamedEnsemble[];
  judges: string[];
  datasets: string[];
  limit: number | undefined;
  quantization: Quantization;
  seed: number;
  svg: string | undefined;
  card: string | undefined;
  isLearningCurve: boolean;
}

/** @param args after the word reward. @throws BonsaiError; of wrong usage, `usage`. */
export async function runEvaluateReward(args: readonly string[]): Promise<void> {
  const options = readOptions(args);
  if (options === undefined) return console.log(evaluateRewardHelp);
  const { card, seed } = options;
  if (card !== undefined && !existsSync(card)) throw new BonsaiError("file_not_found", `There is no card ${card}.`, { param: "--card" });
  const sets = options.datasets.map((word) => readEvaluationSet(word, options.limit));
  const repeated = sets.find(({ name }, at) => sets.findIndex((set) => set.name === name) !== at);
  if (repeated !== undefined)
    throw new BonsaiError("usage", `Two sets are called ${repeated.name}: name one of them, as NAME=FILE.`, { param: "--dataset" });
  const models = options.models.length === 0 ? [] : await resolveModels(options.models, console.error);
  const scored = await scoreSets(sets, options, models);
  const evaluated = sets.map((set, at) => evaluateSet(set, scored[at]!, seed));
  const measured = `Measured by \`npm run evaluate -- reward ${args.map(quotedWord).join(" ")}\` on ${availableParallelism()} cores (${cpus()[0]?.model.trim()}).`;
  if (options.isLearningCurve) return writeLearningCurve(options, evaluated[0]!, models, measured);
  const chartPath = options.svg ?? (card === undefined ? undefined : join(dirname(card), "accuracy.svg"));
  const report = [...evaluationReport(evaluated, seed), "", measured];
  console.log(report.join("\n"));
  if (chartPath !== undefined) writeWholeFile(chartPath, [await accuracyChart(evaluated)]);
  if (card === undefined) return;
  const chart = options.svg === undefined ? ["![Accuracy by set, and reliability](accuracy.svg)", ""] : [];
  writeWholeFile(card, [replaceSection(readFileSync(card, "utf8"), "Accuracy", [...chart, ...report].join("\n"))]);
}

async function writeLearningCurve(
  { models, card, svg }: RewardOptions,
  set: EvaluatedSet,
  served: readonly ServedModel[],
  measured: string,
): Promise<void> {
  const all = allServed(served);
  const { lines, chart } = await learningCurve(
    set,
    models.map((word) => all.find(({ id }) => id === servedId(word))!.path),
  );
  const report = [...lines, "", measured];
  console.log(report.join("\n"));
  const chartPath = svg ?? (card === undefined ? undefined : join(dirname(card), "learning-curve.svg"));
  if (chartPath !== undefined) writeWholeFile(chartPath, [chart]);
  if (card === undefined) return;
  const image = svg === undefined ? ["![Accuracy by comparisons](learning-curve.svg)", ""] : [];
  writeWholeFile(card, [replaceSection(readFileSync(card, "utf8"), "Learning curve", [...image, ...report].join("\n"))]);
}

/** Scores of every model and judge for each set: [sets][scorers]. */
async function scoreSets(
  sets: readonly EvaluationSet[],
  options: RewardOptions,
  models: readonly ServedModel[],
): Promise<AnswerScores[][]> {
  const answerCount = sets.reduce((sum, { answers }) => sum + answers.length, 0);
  const progress = createProgress(process.stderr, console.error, answerScale);
  const scored = sets.map((): AnswerScores[] => []);
  const scoreAll = async (name: string, score: (set: EvaluationSet, tell: ScoringProgress) => Promise<AnswerScores>): Promise<void> => {
    let done = 0;
    for (const [at, set] of sets.entries())
      scored[at]!.push(await score(set, (count) => progress.update(name, (done += count), answerCount)));
    progress.end();
  };
  const judges = options.judges.map((name) => makeScoringJudge(name, options.seed));
  if (options.models.length > 0) {
    const engine = await startEngine({
      ...defaultConfig(),
      quantization: options.quantization,
      models,
      ensembles: options.ensembles,
      cacheDir: defaultCacheDir(),
      log: console.error,
    });
    try {
      for (const id of [...options.models.map(servedId), ...options.ensembles.map((ensemble) => ensemble.id)]) {
        const info = engine.models.find((model) => model.id === id)!;
        const model = servedRewardModel(engine, info);
        // Members' raw rewards have no scale in common, so that those of an ensemble are no logits.
        const isLogit = info.ensemble === undefined;
        await scoreAll(id, async (set, tell) => ({ ...(await scoreByModel(model, set, tell)), isLogit }));
      }
    } finally {
      await engine.close();
    }
  }
  for (const judge of judges) await scoreAll(judge.name, (set, tell) => scoreByJudge(judge, set, tell));
  return scored;
}

function makeScoringJudge(name: string, seed: number): ReturnType<typeof makeJudge> {
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

function readOptions(args: readonly string[]): RewardOptions | undefined {
  const { values, positionals } = parseArguments(args, flags);
  if (values.help === true) return undefined;
  if (positionals.length > 0) throw new BonsaiError("usage", `reward takes flags alone, and not ${positionals[0]}. See reward --help.`);
  const { model: models = [], judge: judges = [], dataset: datasets, quantization: mode } = values;
  if (models.length + judges.length === 0)
    throw new BonsaiError("usage", "Name what to evaluate: --model NAME or DIR.", { param: "--model" });
  if (datasets === undefined) throw new BonsaiError("usage", "Name the preferences: --dataset FILE.", { param: "--dataset" });
  const quantization = quantizations.find((known) => known === mode);
  if (quantization === undefined)
    throw new BonsaiError("usage", `--quantization is ${JSON.stringify(mode)}; use ${quantizations.join(", ")}.`, {
      param: "--quantization",
    });
  if (values["learning-curve"] === true && (models.length === 0 || judges.length > 0 || values["reward-ensemble"] !== undefined))
    throw new BonsaiError("usage", "--learning-curve is of models alone: name each by --model.", { param: "--learning-curve" });
  const ensembles = (values["reward-ensemble"] ?? []).map(parseEnsemble);
  const names = [...models.map(servedId), ...ensembles.map(({ id }) => id), ...judges, "length"];
  const repeated = names.find((name, at) => names.indexOf(name) !== at);
  if (repeated !== undefined)
    throw new BonsaiError(
      "usage",
      `Two scorers are called ${repeated}${repeated === "length" ? ", which stands beside all others anyway" : ""}.`,
      { param: "--model" },
    );
  return {
    models,
    ensembles,
    judges,
    datasets,
    limit: values.limit === undefined ? undefined : numberOf("limit", values.limit, { least: 1, whole: true }),
    quantization,
    seed: numberOf("seed", values.seed, { least: 0, whole: true }),
    svg: values.svg,
    card: values.card,
    isLearningCurve: values["learning-curve"] === true,
  };
}

const flags = {
  help: { type: "boolean", short: "h" },
  model: { type: "string", multiple: true },
  "reward-ensemble": { type: "string", multiple: true },
  judge: { type: "string", multiple: true },
  dataset: { type: "string", multiple: true },
  limit: { type: "string" },
  quantization: { type: "string", default: "fp32" },
  seed: { type: "string", default: "0" },
  svg: { type: "string" },
  card: { type: "string" },
  "learning-curve": { type: "boolean" },
} as const;
