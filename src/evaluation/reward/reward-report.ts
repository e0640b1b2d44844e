/** @file An evaluation of scores in Markdown: a section of a reward model's card, or what the terminal shows. */

import { noiseLevels, type SetEvaluation } from "./score-accuracy.ts";
import type { EvaluationSet } from "./evaluation-set.ts";
import type { Share } from "../../statistics/intervals.ts";
import { goldDifference, teddyMeasures, type GoldOfPick, type TeddyAgreement, type TeddyMeasure } from "./teddy-agreement.ts";

/** The results of one scorer on one set. */
export interface ScorerEvaluation {
  name: string;
  evaluation: SetEvaluation;
  /** Agreement with the truth, for a set of the teddy world. */
  truth?: { byMeasure: ReadonlyMap<TeddyMeasure, TeddyAgreement>; pick: GoldOfPick } | undefined;
}

export interface EvaluatedSet {
  set: EvaluationSet;
  /** Dimensions of its labels. */
  dimensions: readonly string[];
  /** Models and judges; the length baseline is the last. */
  scorers: readonly ScorerEvaluation[];
  raters?: ReadonlyMap<TeddyMeasure, { withGold: Share; among: Share }> | undefined;
}

/** Lines of Markdown. */
export function evaluationReport(sets: readonly EvaluatedSet[], seed: number): string[] {
  const teddy = sets.filter(({ raters }) => raters !== undefined);
  return [
    "How often the preferred answer has the higher score, with 95% intervals: Wilson's where every prompt has one pair, else (marked b) the bootstrap over prompts, since pairs of one prompt are not independent. Equal scores count a half. The column length is a baseline that prefers the longer answer.",
    "",
    ...accuracyTable(sets),
    ...calibrationTable(sets),
    ...bestOfFourTable(sets),
    ...teddy.flatMap(teddyTables),
    ...noiseTable(sets, seed),
  ];
}

function accuracyTable(sets: readonly EvaluatedSet[]): string[] {
  const names = scorerNames(sets);
  const rows = sets.flatMap(({ set, dimensions, scorers }) => {
    const line = (what: string, of: (evaluation: SetEvaluation) => Share | undefined): string => {
      const shares = names.map((name) => scorers.find((scorer) => scorer.name === name)).map((scorer) => scorer && of(scorer.evaluation));
      const first = shares.find((share) => share !== undefined);
      return row(what, first?.cases ?? 0, first?.prompts ?? 0, ...shares.map(shareCell));
    };
    return [
      line(set.name, ({ accuracy }) => accuracy),
      ...dimensions.map((dimension) => line(`${set.name}: ${dimension}`, (evaluation) => evaluation.dimensions.get(dimension))),
    ];
  });
  return [...header("set", "pairs", "prompts", ...names), ...rows];
}

function calibrationTable(sets: readonly EvaluatedSet[]): string[] {
  const rows = sets.flatMap(({ set, scorers }) =>
    scorers.flatMap(({ name, evaluation: { calibration, accuracy } }) => {
      if (calibration === undefined) return [];
      const confidence = calibration.bins.reduce((sum, bin) => sum + bin.confidence * bin.count, 0) / accuracy.cases;
      return [row(set.name, name, number(calibration.expectedError), number(confidence), number(accuracy.share))];
    }),
  );
  if (rows.length === 0) return [];
  return [
    "",
    "Calibration: sigmoid of the difference of raw rewards against how often it is right, in ten bins from 0.5 to 1. A mean confidence above the accuracy means that the model is too sure of itself.",
    "",
    ...header("set", "model", "expected calibration error", "mean confidence", "accuracy"),
    ...rows,
  ];
}

function bestOfFourTable(sets: readonly EvaluatedSet[]): string[] {
  const names = scorerNames(sets);
  const rows = sets.flatMap(({ set, scorers }) => {
    const shares = names.map((name) => scorers.find((scorer) => scorer.name === name)?.evaluation.bestOfFour);
    const first = shares.find((share) => share !== undefined);
    return first === undefined ? [] : [row(set.name, first.cases, ...shares.map(shareCell), "0.250")];
  });
  if (rows.length === 0) return [];
  return [
    "",
    "Best of four: how often an answer has the highest score among itself and three others that it was preferred to.",
    "",
    ...header("set", "groups", ...names, "chance"),
    ...rows,
  ];
}

function teddyTables({ set, scorers, raters }: EvaluatedSet): string[] {
  const rows = teddyMeasures.map((measure) => {
    const raterAgreement = raters!.get(measure)!;
    const known = scorers.map(({ truth }) => truth?.byMeasure.get(measure));
    const pairs = known.find((agreement) => agreement !== undefined)?.withGold.cases ?? 0;
    return row(
      measure === "score" ? "the whole" : measure,
      pairs,
      ...known.map((agreement) => shareCell(agreement?.withGold)),
      shareCell(raterAgreement.withGold),
      ...known.map((agreement) => shareCell(agreement?.withRaters)),
      shareCell(raterAgreement.among),
    );
  });
  const names = scorers.map(({ name }) => name);
  const picks = scorers.flatMap(({ name, truth }) => (truth === undefined || truth.pick.prompts === 0 ? [] : [{ name, ...truth.pick }]));
  const [first] = picks;
  return [
    "",
    `${set.name} against the truth of the teddy world: with gold where its scores differ by ${goldDifference} or more, with raters where they decide (their verdicts are drawn anew), and of raters with each other.`,
    "",
    ...header(
      "",
      "pairs that gold tells apart",
      ...names.map((name) => `${name} with gold`),
      "raters with gold",
      ...names.map((name) => `${name} with raters`),
      "raters among themselves",
    ),
    ...rows,
    ...(first === undefined
      ? []
      : [
          "",
          `Choosing among the first four answers of ${first.prompts} prompts comes to a gold score of ${picks.map(({ name, picked }) => `${number(picked)} by ${name}`).join(", ")}, where their mean is ${number(first.mean)} and their best ${number(first.best)}.`,
        ]),
  ];
}

function noiseTable(sets: readonly EvaluatedSet[], seed: number): string[] {
  const rows = sets.flatMap(({ set, scorers }) =>
    scorers.map(({ name, evaluation: { accuracy, noisyAccuracy } }) =>
      row(
        set.name,
        name,
        ...noisyAccuracy.map(
          ({ share }, level) => `${number(share)} (${number(accuracy.share * (1 - 2 * noiseLevels[level]!) + noiseLevels[level]!)})`,
        ),
      ),
    ),
  );
  return [
    "",
    `Accuracy when each label is reversed with probability p, drawn with seed ${seed}; in brackets what is expected of an accuracy a: a (1 - 2p) + p. A perfect model would have 1 - p.`,
    "",
    ...header("set", "model", ...noiseLevels.map((noise) => `p = ${noise}`)),
    ...rows,
  ];
}

function scorerNames(sets: readonly EvaluatedSet[]): string[] {
  return [...new Set(sets.flatMap(({ scorers }) => scorers.map(({ name }) => name)))];
}

function header(...titles: string[]): string[] {
  return [row(...titles), `| --- |${" ---: |".repeat(titles.length - 1)}`];
}

function row(...cells: (string | number)[]): string {
  return `| ${cells.map((cell) => String(cell).replaceAll("|", "\\|")).join(" | ")} |`;
}

function shareCell(share: Share | undefined): string {
  if (share === undefined || share.cases === 0) return "–";
  return `${number(share.share)} [${number(share.low)}, ${number(share.high)}]${share.interval === "bootstrap" ? " b" : ""}`;
}

function number(value: number): string {
  return Number.isFinite(value) ? value.toFixed(3) : "–";
}
