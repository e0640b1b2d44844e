/** @file What a measurement leaves behind: plain data that is kept as JSON and shown as tables. */

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

/** A promise that the measurement can keep or miss. */
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
  /** What was measured and how, a paragraph. */
  about: string;
  /** How to run it again. */
  command: string;
  conditions: Conditions;
  tables: Table[];
  checks: Check[];
  figures: Figure[];
  /** What the tables were made from. */
  raw: unknown;
}

export function isMet({ measured, bound, limit }: Check): boolean {
  return bound === "at most" ? measured <= limit : measured >= limit;
}
