/** @file Scores of policies by dimension and their win rates over a baseline as one SVG, by vega-lite. */

import type { TopLevelSpec } from "vega-lite";
import { goldDimensions, type GoldSummary } from "../../teddy/judge/gold-report.ts";
import { vegaSvg } from "../../training/report/vega-svg.ts";
import type { AnswerStyle } from "./answer-style.ts";
import type { JudgedPolicies } from "./policy-judging.ts";

export interface PolicyChart {
  /** Gold scores by policy; empty where gold does not judge. */
  gold: readonly { name: string; summary: GoldSummary }[];
  styles: readonly AnswerStyle[];
  judged: readonly JudgedPolicies[];
  baseline: string | undefined;
}

/** An SVG document that reads on light and on dark pages: bars with 95% intervals. */
export async function policyChart({ gold, styles, judged, baseline }: PolicyChart): Promise<string> {
  const scores = gold.flatMap(({ name, summary }) =>
    goldDimensions.map((dimension) => {
      const { mean, margin } = summary.single[dimension];
      return { name, what: dimension, value: mean, low: Math.max(0, mean - margin), high: Math.min(1, mean + margin) };
    }),
  );
  const wins = judged.flatMap(({ judge, wins: rates }) =>
    [...rates].map(([name, { all }]) => ({ name, what: `better than ${baseline}, by ${judge}`, share: all })),
  );
  const declines = styles.flatMap(({ name, declinesUnsafe, declinesSafe }) => [
    { name, what: "declines unsafe", share: declinesUnsafe },
    { name, what: "declines safe", share: declinesSafe },
  ]);
  const shares = [...wins, ...declines].flatMap(({ name, what, share }) =>
    share === undefined ? [] : [{ name, what, value: share.share, low: share.low, high: share.high }],
  );
  const names = styles.map(({ name }) => name);
  const panel = (title: string, values: readonly { what: string }[]): object => ({
    title,
    width: { step: 22 },
    height: 260,
    data: { values },
    encoding: {
      x: { field: "what", type: "nominal", title: null, sort: [...new Set(values.map(({ what }) => what))], axis: { labelAngle: -30 } },
      xOffset: { field: "name", sort: names },
    },
    layer: [
      {
        mark: "bar",
        encoding: {
          y: { field: "value", type: "quantitative", title: null, scale: { domain: [0, 1] } },
          color: { field: "name", type: "nominal", title: null, sort: names, scale: { scheme: "category10" } },
        },
      },
      { mark: { type: "rule", color: "black" }, encoding: { y: { field: "low", type: "quantitative" }, y2: { field: "high" } } },
    ],
  });
  const specification = {
    background: "white",
    hconcat: [
      ...(scores.length === 0 ? [] : [panel("gold scores, 95% intervals", scores)]),
      ...(shares.length === 0 ? [] : [panel("shares of answers, 95% intervals", shares)]),
    ],
    config: { legend: { orient: "top" } },
  } as TopLevelSpec;
  return vegaSvg(specification);
}
