/** @file Line charts as SVG, by vega-lite. */

import type { TopLevelSpec } from "vega-lite";
import { vegaSvg } from "./vega-svg.ts";

export interface LineChart {
  xTitle: string;
  yTitle: string;
  series: { name: string; points: { x: number; y: number }[] }[];
  /** Points marked on the lines: for few of them. */
  marked?: boolean;
}

/** An SVG document that reads on light and on dark pages. */
export async function lineChart({ xTitle, yTitle, series, marked = false }: LineChart): Promise<string> {
  const specification: TopLevelSpec = {
    width: 640,
    height: 280,
    background: "white",
    data: { values: series.flatMap(({ name, points }) => points.map(({ x, y }) => ({ name, x, y }))) },
    mark: { type: "line", point: marked },
    encoding: {
      x: { field: "x", type: "quantitative", title: xTitle },
      y: { field: "y", type: "quantitative", title: yTitle, scale: { zero: true } },
      color: { field: "name", type: "nominal", title: null, sort: series.map(({ name }) => name), scale: { scheme: "category10" } },
    },
    config: { legend: { orient: "top", labelLimit: 0 } },
  };
  return vegaSvg(specification);
}
