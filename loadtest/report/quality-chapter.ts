/**
 * @file The chapter of quality by N: gold beside the learned reward and the KL bound, where over-optimisation shows,
 * and what pruning keeps.
 */

import type { TopLevelSpec } from "vega-lite";
import { klBoundNats } from "../../src/best-of-n/result.ts";
import { estimateMean, type Estimate } from "../../src/statistics/intervals.ts";
import { vegaSvg } from "../../src/training/report/vega-svg.ts";
import type { Cell, Table } from "../measurement/bench-result.ts";
import { expectedBest, expectedSoft, winShare } from "../quality/best-of-estimate.ts";
import type { MeasuredPoint } from "../quality/measured-points.ts";
import type { JudgedCandidate, QualityResult } from "../scenarios/quality.ts";
import type { EnsembleResult } from "../scenarios/ensemble.ts";
import { automaticWords, type Ensemble, type MeasuredModel } from "../variants.ts";
import type { Chapter } from "./chapter.ts";

/** In units of the reward, which has deviation 1 on its reference set. */
const softTemperatures = [0.25, 1];

export interface QualityOfModel {
  model: MeasuredModel;
  quality: QualityResult;
  /** Rewards of the same candidates by ensembles. */
  ensembles: readonly { ensemble: Ensemble; rewards: EnsembleResult }[];
}

const bestReward = "best reward";

/** One N of one model and one way to choose. */
interface QualityRow {
  model: string;
  n: number;
  klBoundNats: number;
  learned: Estimate;
  gold: Estimate;
  winRate: Estimate;
  soft: Estimate[];
  /** Gold of what ensembles choose. */
  ensembles: Estimate[];
  /** Gold of the candidate with the highest gold: what a perfect reward model would reach. */
  ceiling: Estimate;
}

export async function qualityChapter(
  models: readonly QualityOfModel[],
  baseline: readonly (readonly number[])[],
  points: readonly MeasuredPoint[],
  counts: readonly number[],
): Promise<Chapter> {
  const rows = models.flatMap((measured) => counts.map((n) => rowOf(measured, baseline, n)));
  const ensembles = models[0]!.ensembles.map(({ ensemble }) => ensemble);
  return {
    name: "quality",
    title: "Quality by number of candidates",
    about: [
      `${models.map(({ model }) => model.id).join(" and ")} at temperature 1, answers chosen by ${[...new Set(models.map(({ model }) => model.rewardModel))].join(", ")}, whose raters taught it; gold is the truth that they see through noise.`,
      "Where the learned reward keeps rising and gold does not, choosing harder only flatters the reward model (over-optimisation). The KL bound, log N - (N - 1) / N, is the most that the choice moves the policy.",
    ].join("\n"),
    tables: [numbersTable(rows, ensembles), ...pruningTable(points)],
    checks: [],
    figures: [
      {
        file: "quality.svg",
        caption: "Learned reward and gold score by KL bound",
        svg: await qualityFigure(rows, ensembles),
      },
    ],
    raw: { rows },
  };
}

function rowOf({ model: { title }, quality, ensembles }: QualityOfModel, baseline: readonly (readonly number[])[], n: number): QualityRow {
  const over = (of: (group: readonly JudgedCandidate[], prompt: number) => number): Estimate => estimateMean(quality.map(of));
  const gold = (candidate: JudgedCandidate): number => candidate.gold;
  return {
    model: title,
    n,
    klBoundNats: klBoundNats(n),
    learned: over((group) => expectedBest(group, n, ({ reward }) => reward ?? 0)),
    gold: over((group) => expectedBest(group, n, gold)),
    winRate: over((group, prompt) => expectedBest(group, n, (candidate) => winShare(candidate.gold, baseline[prompt]!))),
    soft: softTemperatures.map((temperature) => over((group) => expectedSoft(group, n, temperature, gold))),
    ensembles: ensembles.map(({ rewards }) =>
      over((group, prompt) =>
        expectedBest(
          group.map((candidate, place) => ({ ...candidate, reward: rewards[prompt]![place]! })),
          n,
          gold,
        ),
      ),
    ),
    ceiling: over((group) =>
      expectedBest(
        group.map((candidate) => ({ ...candidate, reward: candidate.gold })),
        n,
        gold,
      ),
    ),
  };
}

const text = ({ mean, margin }: Estimate): string => `${mean.toFixed(3)} ± ${margin.toFixed(3)}`;

function numbersTable(rows: readonly QualityRow[], ensembles: readonly Ensemble[]): Table {
  return {
    title: "Learned reward and gold",
    note: `${ensembles.length === 0 ? "" : `An ensemble is of ${ensembles[0]!.members.join(" and ")}: it doubts where they differ. `}Soft selection draws a candidate with probability proportional to exp(reward / T). The best by gold is what a perfect reward model would choose.`,
    columns: [
      { heading: "model" },
      { heading: "N", digits: 0 },
      { heading: "KL bound (nats)", digits: 2 },
      { heading: "learned reward" },
      { heading: "gold" },
      { heading: "win rate" },
      ...softTemperatures.map((temperature) => ({ heading: `gold, soft T = ${temperature}` })),
      ...ensembles.map(({ title }) => ({ heading: `gold, ensemble (${title})` })),
      { heading: "gold of the best by gold" },
    ],
    rows: rows.map((row): Cell[] => [
      row.model,
      row.n,
      row.klBoundNats,
      text(row.learned),
      text(row.gold),
      text(row.winRate),
      ...row.soft.map(text),
      ...row.ensembles.map(text),
      text(row.ceiling),
    ]),
  };
}

/** How much of the gain over one answer the pruned variants keep. */
function pruningTable(points: readonly MeasuredPoint[]): Table[] {
  const find = (model: string, bestOf: number, pruned: boolean): MeasuredPoint | undefined =>
    points.find((point) => point.model === model && point.bestOf === bestOf && point.pruned === pruned);
  const rows = points
    .filter(({ pruned }) => pruned)
    .flatMap((point): Cell[][] => {
      const [single, whole] = [find(point.model, 1, false), find(point.model, point.bestOf, false)];
      if (single === undefined || whole === undefined) return [];
      const gain = (of: MeasuredPoint): number => of.gold.mean - single.gold.mean;
      return [
        [point.title, gain(whole), gain(point), point.tokensGenerated / whole.tokensGenerated, point.latencyMs.p50 / whole.latencyMs.p50],
      ];
    });
  if (rows.length === 0) return [];
  return [
    {
      title: "What pruning keeps",
      note: `Gain in gold over one answer of the same model; tokens and median time as parts of those without pruning. Pruned: ${automaticWords}.`,
      columns: [
        { heading: "answer" },
        { heading: "gain unpruned", digits: 3 },
        { heading: "gain pruned", digits: 3 },
        { heading: "tokens", digits: 2 },
        { heading: "time", digits: 2 },
      ],
      rows,
    },
  ];
}

/** The learned reward of each model, and for each model the gold score by every way to choose. */
async function qualityFigure(rows: readonly QualityRow[], ensembles: readonly Ensemble[]): Promise<string> {
  const values = rows.flatMap(({ model, n, klBoundNats: kl, learned, gold, soft, ensembles: ofEnsembles }) => {
    const value = (panel: string, series: string, { mean, margin }: Estimate): object => ({
      panel,
      series,
      n: String(n),
      kl,
      mean,
      low: mean - margin,
      high: mean + margin,
    });
    return [
      value("learned", model, learned),
      value(model, bestReward, gold),
      ...soft.map((one, index) => value(model, `soft, T = ${softTemperatures[index]}`, one)),
      ...ofEnsembles.map((one, index) => value(model, `ensemble, ${ensembles[index]!.title}`, one)),
    ];
  });
  const golds = rows.flatMap(({ gold, soft, ensembles: of }) => [gold, ...soft, ...of]);
  // One scale for all models' gold, which lies in [0, 1].
  const domain = [Math.min(...golds.map(({ mean, margin }) => mean - margin)), Math.max(...golds.map(({ mean, margin }) => mean + margin))];
  const panel = (name: string, title: string, yScale: object): object => {
    const x = { field: "kl", type: "quantitative", title: "KL bound (nats); the number is N" };
    const y = { field: "mean", type: "quantitative", title: null, scale: { zero: false, ...yScale } };
    const color = { field: "series", type: "nominal", title: null, scale: { scheme: "category10" } };
    return {
      title,
      width: 320,
      height: 280,
      transform: [{ filter: `datum.panel == '${name}'` }],
      layer: [
        { mark: { type: "errorband", opacity: 0.12 }, encoding: { x, y: { ...y, field: "high" }, y2: { field: "low" }, color } },
        { mark: { type: "line", point: true }, encoding: { x, y, color } },
        {
          transform: [{ filter: `datum.panel == 'learned' || datum.series == '${bestReward}'` }],
          mark: { type: "text", dy: -10, fontWeight: "bold" },
          encoding: { x, y, color, text: { field: "n" } },
        },
      ],
    };
  };
  const models = [...new Set(rows.map(({ model }) => model))];
  return vegaSvg({
    background: "white",
    data: { values },
    hconcat: [
      panel("learned", "learned reward of the chosen answer", {}),
      ...models.map((model) => panel(model, `gold score of the chosen answer: ${model}`, { domain, nice: true })),
    ],
    resolve: { scale: { color: "independent" } },
    config: { legend: { orient: "top", columns: 2, labelLimit: 300, symbolOpacity: 1 } },
  } as TopLevelSpec);
}
