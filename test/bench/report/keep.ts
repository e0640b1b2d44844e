/** @file Keeps a measurement under docs/benchmarks and writes docs/BENCHMARKS.md from all that are kept. */

import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { BenchResult } from "./bench-result.ts";
import { benchmarksMarkdown } from "./markdown.ts";

/** The order of the sections; measurements it does not name come last. */
const order = ["engine", "quantization", "modes", "memory", "latency", "soak"];

export const docsFolder = fileURLToPath(new URL("../../../docs", import.meta.url));

/** The measurements that are kept in a docs folder. */
export function keptResults(docs: string): BenchResult[] {
  const folder = join(docs, "benchmarks");
  const rank = ({ name }: BenchResult): number => (order.includes(name) ? order.indexOf(name) : order.length);
  const names = existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith(".json")) : [];
  return names
    .toSorted()
    .map((name) => JSON.parse(readFileSync(join(folder, name), "utf8")) as BenchResult)
    .toSorted((a, b) => rank(a) - rank(b));
}

export function writeTables(docs: string): void {
  writeFileSync(join(docs, "BENCHMARKS.md"), benchmarksMarkdown(keptResults(docs)));
}

/**
 * Writes NAME.json and the figures, then all tables.
 * @param figures SVG by file name
 */
export function keep(result: BenchResult, figures: ReadonlyMap<string, string>, docs: string): void {
  const folder = join(docs, "benchmarks");
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, `${result.name}.json`), `${JSON.stringify(result, undefined, 1)}\n`);
  for (const [file, svg] of figures) writeFileSync(join(folder, file), svg);
  writeTables(docs);
}
