/** @file Columns and cells of a table of times: median, p90, p99 and the highest. */

import type { Cell, Column } from "../../../loadtest/measurement/bench-result.ts";
import { quantile } from "../../../src/statistics/quantiles.ts";

const shares = { median: 0.5, p90: 0.9, p99: 0.99, highest: 1 };

export const quantileColumns: readonly Column[] = [
  ...Object.keys(shares).map((share) => ({ heading: `${share} (ms)` })),
  { heading: "measured", digits: 0 },
];

/** @param values at least one, in milliseconds */
export function quantileCells(values: readonly number[]): Cell[] {
  return [...Object.values(shares).map((share) => quantile(values, share)), values.length];
}
