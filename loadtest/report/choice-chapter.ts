/** @file The chapter that decides: quality against latency and against tokens, and what to choose for a budget. */

import { adviseFor, paretoFrontier, type MeasuredMean } from "../../src/bestofn/operating-points.ts";
import type { Cell, Check, Table } from "../../test/bench/report/bench-result.ts";
import type { MeasuredPoint } from "../quality/measured-points.ts";
import type { Chapter } from "./chapter.ts";
import { choiceFigure } from "./choice-figure.ts";

const budgetsMs = [125, 250, 500, 800, 1500];

export interface ChoiceFacts {
  points: readonly MeasuredPoint[];
  /** Prompts of which all candidates were judged, and those with pruned answers. */
  prompts: number;
  prunedPrompts: number;
  /** Share of timed answers that are the judged choice. */
  agreement: number;
}

export async function choiceChapter({ points, prompts, prunedPrompts, agreement }: ChoiceFacts): Promise<Chapter> {
  const frontier = new Set(paretoFrontier(points, ({ latencyMs }) => latencyMs.p50).map(({ id }) => id));
  const checks: Check[] = [
    {
      claim: "timed answers that are, byte for byte, the choice whose quality is stated (unpruned)",
      measured: agreement,
      unit: "",
      bound: "at least",
      limit: 1,
    },
  ];
  return {
    name: "choice",
    title: "Which to choose",
    about: [
      `Gold is the true score of the teddy world's judge, in [0, 1], and the win rate is over one answer of teddy-sft (a tie counts a half), both on ${prompts} held-out prompts, with 95% intervals over prompts.`,
      `The unpruned ones are expectations over all choices of N among 32 candidates of each prompt; pruned ones add the mean difference to them on the first ${prunedPrompts}.`,
      "Times are those of one client alone, from sending to the last byte. Tokens count all candidates.",
    ].join("\n"),
    tables: [pointsTable(points, frontier), budgetTable(points)],
    checks,
    figures: [
      {
        file: "choice.svg",
        caption: "Gold score against latency and against tokens, by number of candidates",
        svg: await choiceFigure(points),
      },
    ],
    raw: { points },
  };
}

export function withInterval({ mean, low, high }: MeasuredMean, digits = 3): string {
  return `${mean.toFixed(digits)} [${low.toFixed(digits)}, ${high.toFixed(digits)}]`;
}

function pointsTable(points: readonly MeasuredPoint[], frontier: ReadonlySet<string>): Table {
  return {
    title: "Quality, latency and tokens",
    note: "No other is both faster (p50) and better than those that say so.",
    columns: [
      { heading: "answer" },
      { heading: "gold" },
      { heading: "win rate" },
      { heading: "p50 (ms)", digits: 0 },
      { heading: "p90 (ms)", digits: 0 },
      { heading: "p99 (ms)", digits: 0 },
      { heading: "timed", digits: 0 },
      { heading: "first token, p50 (ms)", digits: 0 },
      { heading: "tokens generated", digits: 0 },
      { heading: "per token returned", digits: 1 },
      { heading: "unbeaten" },
    ],
    rows: points.map((point): Cell[] => [
      point.title,
      withInterval(point.gold),
      withInterval(point.winRate),
      point.latencyMs.p50,
      point.latencyMs.p90,
      point.latencyMs.p99,
      point.latencyMs.measured,
      point.firstTokenMs.p50,
      point.tokensGenerated,
      point.tokensGenerated / point.tokensReturned,
      frontier.has(point.id) ? "yes" : "",
    ]),
  };
}

function budgetTable(points: readonly MeasuredPoint[]): Table {
  return {
    title: "For a latency budget",
    note: "Nine of ten answers (p90) came within the budget; chosen is the way whose interval begins highest. What is as good within noise has a mean gold score inside the interval of the chosen one, in less time.",
    columns: [
      { heading: "budget (ms)", digits: 0 },
      { heading: "choose" },
      { heading: "gold" },
      { heading: "p90 (ms)", digits: 0 },
      { heading: "faster, and as good within noise" },
    ],
    rows: budgetsMs.map((budgetMs): Cell[] => {
      const advice = adviseFor(points, budgetMs, "p90");
      if (advice === undefined) return [budgetMs, "nothing is that fast", null, null, null];
      const { chosen, fasterWithinNoise: faster } = advice;
      const named = faster === undefined ? "" : `${faster.title}: ${faster.gold.mean.toFixed(3)} in ${faster.latencyMs.p90.toFixed(0)} ms`;
      return [budgetMs, chosen.title, withInterval(chosen.gold), chosen.latencyMs.p90, named];
    }),
  };
}
