/**
 * @file Measures how far a reward model's rewards grow with the length of answers, and what they are worth when a part
 * of that is subtracted.
 */

import { existsSync } from "node:fs";
import { join } from "node:path";
import type { ServedModel } from "../../catalog/adapter-base.ts";
import { allServed } from "../../catalog/attach-models.ts";
import { resolveModels, servedId } from "../../catalog/resolve-models.ts";
import { rewardModelOf, startModels } from "../../catalog/start-models.ts";
import { BonsaiError } from "../../errors/bonsai-error.ts";
import { countScale } from "../../progress/progress.ts";
import type { TaskContext } from "../../progress/task-context.ts";
import { measureScale } from "../../reward/normalization.ts";
import { readRewardConfig, rewardConfigFile, writeRewardConfig } from "../../reward/reward-config.ts";
import { writeCardSection } from "../card-section.ts";
import { measuredBy } from "../measured-by.ts";
import { scoreByModel } from "../reward/answer-scores.ts";
import { readEvaluationSet } from "../reward/evaluation-set-file.ts";
import type { AnswerScores, EvaluationSet } from "../reward/evaluation-set.ts";
import { evaluateScores } from "../reward/score-accuracy.ts";
import { agreementOfRaters, agreementWithTruth, isTeddySet, teddyTruth } from "../reward/teddy-agreement.ts";
import type { LengthOptions } from "./length-options.ts";
import { lengthCorrelation, lengthSlope, penalizedScores } from "./length-penalty.ts";

/** Parts of the slope that the table shows beside the one that is asked for. */
const shownShares = [0, 0.25, 0.5, 0.75, 1];

/**
 * Prints the report; with `write` it keeps the penalty in the model's folder. @throws BonsaiError `usage` for what is
 * no reward model
 */
export async function evaluateLength(options: LengthOptions, context: TaskContext): Promise<void> {
  const { share, seed } = options;
  const set = readEvaluationSet(options.dataset, options.limit);
  const served = await resolveModels([options.model], context.log);
  const folder = allServed(served).find(({ id }) => id === servedId(options.model))!.path;
  if (!existsSync(join(folder, rewardConfigFile)))
    throw new BonsaiError("usage", `${folder} has no ${rewardConfigFile}: it is no reward model.`, { param: "--model" });
  const config = readRewardConfig(folder);
  // The rewards as they were before any penalty.
  const scores = penalizedScores(set, await scoreAnswers(options.model, served, set, context), -(config.lengthPenalty?.perHundred ?? 0));
  const slope = lengthSlope(set, scores.whole);
  const shares = [...new Set([...shownShares, share])].toSorted((one, other) => one - other);
  const report = [
    `Among answers to one prompt, the weighted sum of raw outputs grows by ${slope.toFixed(3)} for every hundred characters. The table shows what rewards are worth when a part of that is subtracted:`,
    "",
    ...table(set, scores, slope, shares, share, seed),
    "",
    measuredBy(context.command),
  ];
  context.print(report.join("\n"));
  if (!options.write) return;
  const perHundred = share * slope;
  const holistic = measureScale([...penalizedScores(set, scores, perHundred).whole], "the weighted reward");
  const normalization = { ...config.normalization, holistic };
  const reference = `${(100 * share).toFixed(0)}% of the slope of its rewards on the length of ${set.answers.length} answers to ${set.prompts.length} prompts of ${set.name}, on which the whole has its scale`;
  writeRewardConfig(folder, { ...config, normalization, lengthPenalty: perHundred === 0 ? undefined : { perHundred, reference } });
  const card = join(folder, "README.md");
  if (existsSync(card)) writeCardSection(card, "Length", report);
}

async function scoreAnswers(
  name: string,
  served: readonly ServedModel[],
  set: EvaluationSet,
  { log, startProgress }: TaskContext,
): Promise<AnswerScores> {
  const progress = startProgress(countScale("answers", 0));
  const engine = await startModels(served, { quantization: "fp32", log });
  try {
    const model = rewardModelOf(engine, name);
    let done = 0;
    return await scoreByModel(model, set, (count) => progress.update(model.name, (done += count), set.answers.length));
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
  const headings = ["part subtracted", "for 100 characters", "correlation with length", "accuracy by labels", ...ofTruth];
  return [`| ${headings.join(" | ")} |`, `| ---: |${" ---: |".repeat(headings.length - 1)}`, ...rows];
}
