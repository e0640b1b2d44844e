/** @file Keeps a measurement under docs/benchmarks and writes docs/BENCHMARKS.md from all that are kept; other documents likewise. */

import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { BenchResult } from "./bench-result.ts";
import { benchmarks, benchmarksMarkdown, type MeasuredDocument } from "./markdown.ts";

export const docsFolder = fileURLToPath(new URL("../../../docs", import.meta.url));

/** The measurements that are kept in a docs folder. */
export function keptResults(docs: string, { folder: subfolder, order }: MeasuredDocument = benchmarks): BenchResult[] {
  const folder = join(docs, subfolder);
  const rank = ({ name }: BenchResult): number => (order.includes(name) ? order.indexOf(name) : order.length);
  const names = existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith(".json")) : [];
  return names
    .toSorted()
    .map((name) => JSON.parse(readFileSync(join(folder, name), "utf8")) as BenchResult)
    .toSorted((a, b) => rank(a) - rank(b));
}

export function writeTables(docs: string, document: MeasuredDocument = benchmarks): void {
  writeFileSync(join(docs, document.file), benchmarksMarkdown(keptResults(docs, document), document));
}

/**
 * Writes NAME.json and the figures, then all tables.
 * @param figures SVG by file name
 */
export function keep(
  result: BenchResult,
  figures: ReadonlyMap<string, string>,
  docs: string,
  document: MeasuredDocument = benchmarks,
): void {
  const folder = join(docs, document.folder);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, `${result.name}.json`), `${JSON.stringify(result, undefined, 1)}\n`);
  for (const [file, svg] of figures) writeFileSync(join(folder, file), svg);
  writeTables(docs, document);
}
