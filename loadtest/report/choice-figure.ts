/**
 * @file The figure that decides: quality against latency and against tokens, a line for each model, pruned ones dashed,
 * a number at each point.
 */

import type { TopLevelSpec } from "vega-lite";
import { paretoFrontier, type MeasuredMean } from "../../src/evaluation/operating-points.ts";
import { vegaSvg } from "../../src/training/report/vega-svg.ts";
import type { MeasuredWay } from "../quality/measured-points.ts";
import type { Quality } from "./ways-table.ts";

const panelSize = { width: 430, height: 340 };
/** A hue for each model, the lighter one for its pruned answers. */
const hues: readonly (readonly [string, string])[] = [
  ["#1f5fa8", "#74a9dc"],
  ["#c8540a", "#f3a261"],
  ["#1b7f4b", "#7cc79b"],
  ["#6b3fa0", "#b39ad6"],
];

interface Shown {
  series: string;
  n: number;
  cost: number;
  mean: number;
  low: number;
  high: number;
}

export async function choiceFigure<W extends MeasuredWay>(points: readonly W[], quality: Quality<W>): Promise<string> {
  const models = [...new Set(points.map(modelOf))];
  const names = models.flatMap((model) => [model, prunedName(model)]).filter((name) => points.some((point) => seriesOf(point) === name));
  const domain = qualityDomain(points.map(quality.of));
  const panel = (title: string, axis: string, cost: (point: W) => number): object => {
    const color = {
      field: "series",
      type: "nominal",
      title: null,
      sort: names,
      scale: { domain: names, range: names.map((name) => hueOf(name, models)) },
    };
    const x = {
      field: "cost",
      type: "quantitative",
      title: axis,
      scale: { type: "log", nice: false, padding: 18 },
      axis: { grid: true, format: "~s", tickCount: 6 },
    };
    const y = { type: "quantitative", title: quality.axis, scale: { domain, zero: false } };
    const at = { x, y: { ...y, field: "mean" } };
    const values = points.map((point): Shown => shown(point, cost(point), quality.of(point)));
    // The line of a model's pruned answers begins at its one answer, too.
    const begins = points
      .filter(({ bestOf }) => bestOf === 1)
      .map((point): Shown => ({ ...shown(point, cost(point), quality.of(point)), series: prunedName(modelOf(point)) }))
      .filter(({ series }) => names.includes(series));
    const frontier = paretoFrontier(points, cost, (point) => quality.of(point).mean).map((point) =>
      shown(point, cost(point), quality.of(point)),
    );
    return {
      title,
      ...panelSize,
      data: { values },
      layer: [
        {
          data: { values: frontier },
          mark: { type: "line", interpolate: "step-after", color: "#e2e2e2", strokeWidth: 9, strokeJoin: "round" },
          encoding: at,
        },
        { mark: { type: "rule", opacity: 0.35 }, encoding: { x, y: { ...y, field: "low" }, y2: { field: "high" }, color } },
        {
          data: { values: [...begins, ...values] },
          mark: { type: "line", strokeWidth: 2 },
          encoding: {
            ...at,
            color,
            order: { field: "n", type: "quantitative" },
            strokeDash: { field: "series", type: "nominal", title: null, sort: names, scale: { domain: names, range: names.map(dashOf) } },
          },
        },
        { mark: { type: "point", filled: true, size: 60, opacity: 1 }, encoding: { ...at, color } },
        ...[true, false].map((pruned) => ({
          data: { values: values.filter(({ series }) => series.endsWith("pruned") === pruned) },
          mark: { type: "text", dy: pruned ? 13 : -11, dx: pruned ? 5 : -5, fontSize: 12, fontWeight: "bold" },
          encoding: { ...at, text: { field: "n", type: "nominal" }, color },
        })),
      ],
    };
  };
  return vegaSvg({
    background: "white",
    title: {
      text: "What N candidates buy: the number at a point is N, bars are 95% intervals, no point beats the grey line",
      anchor: "middle",
      fontWeight: "normal",
    },
    hconcat: [
      panel("against latency", "median time of a whole answer, one client (ms)", ({ latencyMs }) => latencyMs.p50),
      panel("against tokens", "tokens generated for an answer", ({ tokensGenerated }) => tokensGenerated),
    ],
    config: {
      legend: { orient: "top", labelFontSize: 13, labelLimit: 300, symbolSize: 160, symbolOpacity: 1 },
      axis: { labelFontSize: 12, titleFontSize: 12 },
      title: { fontSize: 13 },
    },
  } as TopLevelSpec);
}

const modelOf = ({ title }: MeasuredWay): string => title.split(",")[0]!;
const prunedName = (model: string): string => `${model}, pruned`;
const seriesOf = (point: MeasuredWay): string => (point.pruned ? prunedName(modelOf(point)) : modelOf(point));
const dashOf = (series: string): number[] => (series.endsWith("pruned") ? [5, 4] : [1, 0]);

function hueOf(series: string, models: readonly string[]): string {
  const place = models.findIndex((model) => series === model || series === prunedName(model));
  return hues[place % hues.length]![series === models[place] ? 0 : 1];
}

function shown(point: MeasuredWay, cost: number, { mean, low, high }: MeasuredMean): Shown {
  return { series: seriesOf(point), n: point.bestOf, cost, mean, low, high };
}

/** Around all intervals, by twentieths. */
function qualityDomain(qualities: readonly MeasuredMean[]): [number, number] {
  const lowest = Math.min(...qualities.map(({ low }) => low));
  const highest = Math.max(...qualities.map(({ high }) => high));
  return [Math.floor(lowest * 20) / 20, Math.ceil(highest * 20) / 20];
}
