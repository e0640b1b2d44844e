/** @file `npm run evaluate -- length`: how far a reward model's rewards go with the length of answers, and what they are worth with a part of that taken off. */

import { existsSync, readFileSync } from "node:fs";
import { availableParallelism, cpus } from "node:os";
import { join } from "node:path";
import { defaultConfig } from "../../config/options.ts";
import { startEngine } from "../../engine/worker/start-engine.ts";
import { BonsaiError } from "../../errors/bonsai-error.ts";
import { writeWholeFile } from "../../formats/written-file.ts";
import { evaluateScores } from "../../evaluation/evaluation.ts";
import type { AnswerScores, EvaluationSet } from "../../evaluation/evaluation-set.ts";
import { agreementOfRaters, agreementWithTruth, isTeddySet, teddyTruth } from "../../evaluation/teddy-evaluation.ts";
import { lengthCorrelation, lengthSlope, penalizedScores } from "../../evaluation/length-penalty.ts";
import { measureScale } from "../../reward/normalization.ts";
import { readRewardConfig, rewardConfigFile, writeRewardConfig } from "../../reward/reward-config.ts";
import { servedRewardModel } from "../../reward/reward-model.ts";
import { answerScale, scoreByModel } from "./answer-scores.ts";
import { replaceSection } from "../../evaluation/card-section.ts";
import { numberOf } from "./collect-options.ts";
import { parseArguments, quotedWord } from "./command-arguments.ts";
import { readEvaluationSet } from "../../evaluation/evaluation-rows.ts";
import { defaultCacheDir } from "./load-engine.ts";
import { createProgress } from "../../progress/progress.ts";
import { allServed, resolveModels, servedId } from "../../catalog/resolve-models.ts";

const help = `Measure how far a reward model goes by the length of answers, and take a part of that off its rewards.

Usage: npm run evaluate -- length --model NAME|DIR --dataset FILE [options]

  --model NAME|DIR  reward model
  --dataset FILE    JSON Lines of preferences, or NAME=FILE: not those that the model is judged by afterwards
  --limit N         rows from the file's beginning (default all)
  --share S         part of the model's liking for length to take off, from 0 to 1 (default 0.5)
  --seed N          of raters and intervals (default 0)
  --write           keep the penalty in the model's reward.json, with the scale of its rewards measured anew on the answers, and in its card
  --help, -h`;

/** Parts that the table shows beside the one that is asked for. */
const shownShares = [0, 0.25, 0.5, 0.75, 1];

interface LengthOptions {
  model: string;
  dataset: string;
  limit: number | undefined;
  share: number;
  seed: number;
  write: boolean;
}

/** @param args after the word length. @throws BonsaiError; of wrong usage, `usage`. */
export async function runEvaluateLength(args: readonly string[]): Promise<void> {
  const options = readOptions(args);
  if (options === undefined) return console.log(help);
  const { share, seed } = options;
  const set = readEvaluationSet(options.dataset, options.limit);
  const served = await resolveModels([options.model], console.error);
  const folder = allServed(served).find(({ id }) => id === servedId(options.model))!.path;
  if (!existsSync(join(folder, rewardConfigFile)))
    throw new BonsaiError("usage", `${folder} has no ${rewardConfigFile}: it is no reward model.`, { param: "--model" });
  const config = readRewardConfig(folder);
  // As it was before any penalty.
  const scores = penalizedScores(set, await scored(options, served, set), -(config.lengthPenalty?.perHundred ?? 0));
  const slope = lengthSlope(set, scores.whole);
  const reference = `${(100 * share).toFixed(0)}% of the slope of its rewards on the length of ${set.answers.length} answers to ${set.prompts.length} prompts of ${set.name}, on which the whole has its scale`;
  const shares = [...new Set([...shownShares, share])].toSorted((one, other) => one - other);
  const report = [
    `Among answers to one prompt a hundred characters more come with ${slope.toFixed(3)} more of the weighted sum of raw outputs. What rewards are worth with a part of that taken off:`,
    "",
    ...table(set, scores, slope, shares, share, seed),
    "",
    `Measured by \`npm run evaluate -- length ${args.map(quotedWord).join(" ")}\` on ${availableParallelism()} cores (${cpus()[0]?.model.trim()}).`,
  ];
  console.log(report.join("\n"));
  if (!options.write) return;
  const perHundred = share * slope;
  const holistic = measureScale([...penalizedScores(set, scores, perHundred).whole], "the weighted reward");
  const normalization = { ...config.normalization, holistic };
  writeRewardConfig(folder, { ...config, normalization, lengthPenalty: perHundred === 0 ? undefined : { perHundred, reference } });
  const card = join(folder, "README.md");
  if (existsSync(card)) writeWholeFile(card, [replaceSection(readFileSync(card, "utf8"), "Length", report.join("\n"))]);
}

async function scored(
  options: LengthOptions,
  models: Awaited<ReturnType<typeof resolveModels>>,
  set: EvaluationSet,
): Promise<AnswerScores> {
  const progress = createProgress(process.stderr, console.error, answerScale);
  const engine = await startEngine({
    ...defaultConfig(),
    quantization: "fp32",
    models: [...models],
    cacheDir: defaultCacheDir(),
    log: console.error,
  });
  try {
    const id = servedId(options.model);
    const model = servedRewardModel(
      engine,
      engine.models.find((one) => one.id === id)!,
    );
    let done = 0;
    return await scoreByModel(model, set, (count) => progress.update(id, (done += count), set.answers.length));
  } finally {
    progress.end();
    await engine.close();
  }
}

/** Lines of Markdown. Sets of the teddy world are compared with gold and raters, too. */
function table(set: EvaluationSet, scores: AnswerScores, slope: number, shares: readonly number[], chosen: number, seed: number): string[] {
  const truth = isTeddySet(set) ? teddyTruth(set, seed) : undefined;
  const among = truth && agreementOfRaters(set, truth, "score", seed).among.share;
  const rows = shares.map((share) => {
    const penalized = penalizedScores(set, scores, share * slope);
    const { accuracy } = evaluateScores(set, penalized, seed);
    const agreement = truth && agreementWithTruth(set, truth, penalized, "score", seed)!;
    const cells = [
      `${share}${share === chosen ? " (chosen)" : ""}`,
      (share * slope).toFixed(3),
      lengthCorrelation(set, penalized.whole).toFixed(3),
      accuracy.share.toFixed(3),
      ...(agreement === undefined ? [] : [agreement.withGold.share.toFixed(3), agreement.withRaters.share.toFixed(3)]),
    ];
    return `| ${cells.join(" | ")} |`;
  });
  const ofTruth = among === undefined ? [] : ["with gold", `with raters (among themselves ${among.toFixed(3)})`];
  const headings = ["part taken off", "for 100 characters", "correlation with length", "accuracy by labels", ...ofTruth];
  return [`| ${headings.join(" | ")} |`, `| ---: |${" ---: |".repeat(headings.length - 1)}`, ...rows];
}

function readOptions(args: readonly string[]): LengthOptions | undefined {
  const { values, positionals } = parseArguments(args, flags);
  if (values.help === true) return undefined;
  if (positionals.length > 0) throw new BonsaiError("usage", `length takes flags alone, and not ${positionals[0]}. See length --help.`);
  const { model, dataset } = values;
  if (model === undefined) throw new BonsaiError("usage", "Name the reward model: --model NAME or DIR.", { param: "--model" });
  if (dataset === undefined) throw new BonsaiError("usage", "Name the preferences: --dataset FILE.", { param: "--dataset" });
  return {
    model,
    dataset,
    limit: values.limit === undefined ? undefined : numberOf("limit", values.limit, { least: 1, whole: true }),
    share: numberOf("share", values.share, { least: 0, most: 1 }),
    seed: numberOf("seed", values.seed, { least: 0, whole: true }),
    write: values.write === true,
  };
}

const flags = {
  help: { type: "boolean", short: "h" },
  model: { type: "string" },
  dataset: { type: "string" },
  limit: { type: "string" },
  share: { type: "string", default: "0.5" },
  seed: { type: "string", default: "0" },
  write: { type: "boolean" },
} as const;
