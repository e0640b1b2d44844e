/**
 * @file How a reward model's accuracy grows with its data: models that differ in the number of pairs they were trained
 * on, as a table and a chart.
 */

import { join } from "node:path";
import { BonsaiError } from "../../errors/bonsai-error.ts";
import { isJsonObject, readJsonObject } from "../../formats/json-file.ts";
import type { EvaluatedSet, ScorerEvaluation } from "./reward-report.ts";
import { teddyMeasures } from "./teddy-agreement.ts";
import { lineChart } from "../../training/report/line-chart.ts";

const largestReportBytes = 2 ** 24;

export interface LearningCurve {
  /** Markdown. */
  lines: string[];
  /** An SVG document. */
  chart: string;
}

/**
 * @param paths folders of the models, in the order of the set's first scorers; training.json says how many comparisons
 * each has learnt from
 * @throws BonsaiError `file_not_found`, `invalid_model_file` for a folder whose training.json does not say so.
 */
export async function learningCurve({ set, scorers }: EvaluatedSet, paths: readonly string[]): Promise<LearningCurve> {
  const models = paths
    .map((path, at) => ({ pairs: trainedPairs(path), shares: sharesOf(scorers[at]!) }))
    .toSorted((one, other) => one.pairs - other.pairs);
  const names = [...models[0]!.shares.keys()];
  const share = (value: number | undefined): string => (value === undefined ? "" : value.toFixed(3));
  const series = names.map((name) => ({
    name,
    points: models.flatMap(({ pairs, shares }) => {
      const y = shares.get(name);
      return y === undefined ? [] : [{ x: pairs, y }];
    }),
  }));
  return {
    lines: [
      `Accuracy on ${set.name} of models that were trained alike, on more and more comparisons.`,
      "",
      `| comparisons | ${names.join(" | ")} |`,
      `| ---: |${" ---: |".repeat(names.length)}`,
      ...models.map(({ pairs, shares }) => `| ${pairs} | ${names.map((name) => share(shares.get(name))).join(" | ")} |`),
    ],
    chart: await lineChart({ xTitle: "comparisons", yTitle: "accuracy", series, marked: true }),
  };
}

/** Accuracy by what it is measured against: the labels, and of a set of the teddy world gold, by dimension too. */
function sharesOf({ evaluation, truth }: ScorerEvaluation): Map<string, number> {
  const shares = new Map([["labels", evaluation.accuracy.share]]);
  for (const measure of truth === undefined ? [] : teddyMeasures) {
    const found = truth?.byMeasure.get(measure)?.withGold.share;
    if (found !== undefined) shares.set(measure === "score" ? "gold" : `gold: ${measure}`, found);
  }
  return shares;
}

function trainedPairs(folder: string): number {
  const path = join(folder, "training.json");
  const { data } = readJsonObject(path, largestReportBytes);
  const count = isJsonObject(data) ? data["comparisons"] : undefined;
  if (typeof count === "number" && count > 0) return count;
  throw new BonsaiError(
    "invalid_model_file",
    `${path}: data.comparisons must be the number of comparisons that the model was trained on.`,
    {
      param: "data.comparisons",
    },
  );
}
