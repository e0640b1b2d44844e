/** @file The chapter that decides: quality against latency and against tokens, and what to choose for a budget. */

import { adviseFor } from "../../src/evaluation/operating-points.ts";
import type { Cell, Table } from "../measurement/bench-result.ts";
import type { MeasuredPoint } from "../quality/measured-points.ts";
import { automaticWords } from "../variants.ts";
import type { Chapter } from "./chapter.ts";
import { choiceFigure } from "./choice-figure.ts";
import { agreementCheck, waysTable, withInterval, type Quality } from "./ways-table.ts";

const budgetsMs = [125, 250, 500, 800, 1500];

export interface ChoiceFacts {
  points: readonly MeasuredPoint[];
  /** Prompts whose candidates were all judged, and those with pruned answers. */
  prompts: number;
  prunedPrompts: number;
  /** Share of timed answers that are the judged choice. */
  agreement: number;
}

const gold: Quality<MeasuredPoint> = { column: "gold", axis: "gold score", of: (point) => point.gold };

export async function choiceChapter({ points, prompts, prunedPrompts, agreement }: ChoiceFacts): Promise<Chapter> {
  return {
    name: "choice",
    title: "Which to choose",
    about: [
      `Gold is the true score of the teddy world's judge, in [0, 1], and the win rate is over one answer of teddy-sft (a tie counts a half), both on ${prompts} held-out prompts, with 95% intervals over prompts.`,
      `The unpruned ones are expectations over all choices of N among 32 candidates of each prompt; pruned ones, ${automaticWords}, add the mean difference to them on the first ${prunedPrompts}.`,
      "Times are those of one client alone, from sending to the last byte. Tokens count all candidates.",
    ].join("\n"),
    tables: [waysTable(points, gold), budgetTable(points)],
    checks: [agreementCheck(agreement)],
    figures: [
      {
        file: "choice.svg",
        caption: "Gold score against latency and against tokens, by number of candidates",
        svg: await choiceFigure(points, gold),
      },
    ],
    raw: { points },
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
