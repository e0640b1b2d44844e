/** @file Accuracy by set and the reliability curve of reward models as one SVG, by vega-lite. */

import type { TopLevelSpec } from "vega-lite";
import type { EvaluatedSet } from "./reward-report.ts";
import { vegaSvg } from "../../training/report/vega-svg.ts";

/** An SVG document that reads on light and on dark pages: bars with 95% intervals, and confidence against accuracy. */
export async function accuracyChart(sets: readonly EvaluatedSet[]): Promise<string> {
  const bars = sets.flatMap(({ set, scorers }) =>
    scorers.map(({ name, evaluation: { accuracy } }) => ({
      set: set.name,
      name,
      accuracy: accuracy.share,
      low: accuracy.low,
      high: accuracy.high,
    })),
  );
  const points = sets.flatMap(({ set, scorers }) =>
    scorers.flatMap(({ name, evaluation }) =>
      (evaluation.calibration?.bins ?? []).map(({ confidence, accuracy, count }) => ({
        series: `${name} on ${set.name}`,
        confidence,
        accuracy,
        count,
      })),
    ),
  );
  const names = [...new Set(bars.map(({ name }) => name))];
  const color = { field: "name", type: "nominal", title: null, sort: names, scale: { scheme: "category10" } } as const;
  const accuracyScale = { domain: [0, 1] };
  const accuracyPanel = {
    title: "accuracy, 95% intervals",
    width: { step: 24 },
    height: 260,
    data: { values: bars },
    encoding: { x: { field: "set", type: "nominal", title: null, axis: { labelAngle: -30 } }, xOffset: { field: "name", sort: names } },
    layer: [
      { mark: "bar", encoding: { y: { field: "accuracy", type: "quantitative", title: "accuracy", scale: accuracyScale }, color } },
      { mark: { type: "rule", color: "black" }, encoding: { y: { field: "low", type: "quantitative" }, y2: { field: "high" } } },
      {
        mark: { type: "rule", strokeDash: [4, 4], color: "gray" },
        encoding: { x: { value: 0 }, x2: { value: "width" }, xOffset: { value: 0 }, y: { datum: 0.5 } },
      },
    ],
  };
  const reliabilityPanel = {
    title: "reliability",
    width: 260,
    height: 260,
    layer: [
      {
        data: { values: [0.5, 1].map((end) => ({ end })) },
        mark: { type: "line", strokeDash: [4, 4], color: "gray" },
        encoding: { x: { field: "end", type: "quantitative" }, y: { field: "end", type: "quantitative" } },
      },
      {
        data: { values: points },
        mark: { type: "line", point: true },
        encoding: {
          x: { field: "confidence", type: "quantitative", title: "confidence", scale: { domain: [0.5, 1] } },
          y: { field: "accuracy", type: "quantitative", title: "accuracy", scale: { domain: [0, 1] } },
          color: { field: "series", type: "nominal", title: null, scale: { scheme: "category10" } },
        },
      },
    ],
  };
  const specification = {
    background: "white",
    hconcat: [accuracyPanel, ...(points.length === 0 ? [] : [reliabilityPanel])],
    resolve: { scale: { color: "independent" } },
    config: { legend: { orient: "top", columns: 1, labelLimit: 300 } },
  } as TopLevelSpec;
  return vegaSvg(specification);
}
