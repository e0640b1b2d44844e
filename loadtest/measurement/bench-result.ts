/** @file The result of a measurement: plain data that is kept as JSON and shown as tables. */

import type { Conditions } from "./conditions.ts";

/** A number with its spread, a text, or nothing. */
export type Cell = number | string | null | { median: number; lowest: number; highest: number };

export interface Column {
  heading: string;
  /** Digits after the point, for numbers; 3 significant digits without it. */
  digits?: number;
}

export interface Table {
  title: string;
  /** A paragraph under the table. */
  note?: string;
  columns: Column[];
  rows: Cell[][];
}

/** A bound that the measured value must keep. */
export interface Check {
  claim: string;
  measured: number;
  unit: string;
  bound: "at most" | "at least";
  limit: number;
}

export interface Figure {
  /** File name beside the JSON. */
  file: string;
  caption: string;
}

export interface BenchResult {
  name: string;
  title: string;
  /** A paragraph that says what was measured, and how. */
  about: string;
  /** The command that runs it again. */
  command: string;
  conditions: Conditions;
  tables: Table[];
  checks: Check[];
  figures: Figure[];
  /** The data that the tables were made from. */
  raw: unknown;
}

/** A line for each check whose bound is not kept. */
export function missedChecks(checks: readonly Check[]): string[] {
  return checks
    .filter((check) => !isMet(check))
    .map(({ claim, measured, bound, limit, unit }) => `Missed: ${claim}: ${measured} ${unit}, not ${bound} ${limit}.`);
}

export function isMet({ measured, bound, limit }: Check): boolean {
  return bound === "at most" ? measured <= limit : measured >= limit;
}
