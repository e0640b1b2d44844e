/**
 * @file The table of ways to answer, with quality, latency and tokens, and the check that all three are of the same
 * answers.
 */

import { paretoFrontier, type MeasuredMean } from "../../src/evaluation/operating-points.ts";
import type { Cell, Check, Table } from "../measurement/bench-result.ts";
import type { MeasuredWay } from "../quality/measured-points.ts";

/** The quality that ways to answer are compared by. */
export interface Quality<W extends MeasuredWay> {
  /** Its name in a table, and on a figure's axis. */
  column: string;
  axis: string;
  of: (way: W) => MeasuredMean;
}

export function withInterval({ mean, low, high }: MeasuredMean, digits = 3): string {
  return `${mean.toFixed(digits)} [${low.toFixed(digits)}, ${high.toFixed(digits)}]`;
}

export function waysTable<W extends MeasuredWay>(ways: readonly W[], quality: Quality<W>): Table {
  const unbeaten = paretoFrontier(
    ways,
    ({ latencyMs }) => latencyMs.p50,
    (way) => quality.of(way).mean,
  );
  return {
    title: "Quality, latency and tokens",
    note: "No other is both faster (p50) and better than those that say so.",
    columns: [
      { heading: "answer" },
      { heading: quality.column },
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
    rows: ways.map((way): Cell[] => [
      way.title,
      withInterval(quality.of(way)),
      withInterval(way.winRate),
      way.latencyMs.p50,
      way.latencyMs.p90,
      way.latencyMs.p99,
      way.latencyMs.measured,
      way.firstTokenMs.p50,
      way.tokensGenerated,
      way.tokensGenerated / way.tokensReturned,
      unbeaten.includes(way) ? "yes" : "",
    ]),
  };
}

/** @param agreement share of the timed answers */
export function agreementCheck(agreement: number): Check {
  return {
    claim: "timed answers that are, byte for byte, the choice whose quality is stated (unpruned)",
    measured: agreement,
    unit: "",
    bound: "at least",
    limit: 1,
  };
}
