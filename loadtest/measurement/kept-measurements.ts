/**
 * @file Keeps measurements as JSON in a folder of docs/, and writes a Markdown document from all that are kept there.
 */

import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { projectRoot } from "../../src/catalog/project-root.ts";
import type { BenchResult } from "./bench-result.ts";
import { measurementsMarkdown, type MeasuredDocument } from "./markdown.ts";

export const docsFolder = join(projectRoot(), "docs");

/** The measurements that are kept in a docs folder. */
export function keptMeasurements(docs: string, { folder: subfolder, order }: MeasuredDocument): BenchResult[] {
  const folder = join(docs, subfolder);
  const rank = ({ name }: BenchResult): number => (order.includes(name) ? order.indexOf(name) : order.length);
  const names = existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith(".json")) : [];
  return names
    .toSorted()
    .map((name) => JSON.parse(readFileSync(join(folder, name), "utf8")) as BenchResult)
    .toSorted(
      (a, b) => rank(a) - rank(b) || a.name.localeCompare(b.name) || b.conditions.measuredAt.localeCompare(a.conditions.measuredAt),
    );
}

/** Writes the document anew from what is kept. */
export function writeDocument(docs: string, document: MeasuredDocument): void {
  writeFileSync(join(docs, document.file), measurementsMarkdown(keptMeasurements(docs, document), document));
}

/**
 * Writes NAME.json and the figures, then the document. An earlier result of another processor stays beside it, as
 * NAME@PROCESSOR.json: processors differ in what they can do, and none speaks for the others.
 * @param figures SVG by file name
 */
export function keepMeasurement(result: BenchResult, figures: ReadonlyMap<string, string>, docs: string, document: MeasuredDocument): void {
  const folder = join(docs, document.folder);
  mkdirSync(folder, { recursive: true });
  keepOtherProcessor(result, folder);
  writeFileSync(join(folder, `${result.name}.json`), jsonOf(result));
  for (const [file, svg] of figures) writeFileSync(join(folder, file), svg);
  writeDocument(docs, document);
}

/** Renames an earlier result of another processor, and removes one of this processor that was renamed before. */
function keepOtherProcessor({ name, conditions }: BenchResult, folder: string): void {
  const otherPath = (processor: string): string => join(folder, `${name}@${slug(processor)}.json`);
  // A renamed result of this processor is older than the new one.
  const older = readResult(otherPath(conditions.processor));
  for (const { file } of older?.figures ?? []) rmSync(join(folder, file), { force: true });
  rmSync(otherPath(conditions.processor), { force: true });
  const before = readResult(join(folder, `${name}.json`));
  if (before === undefined || slug(before.conditions.processor) === slug(conditions.processor)) return;
  const figures = before.figures.map((figure) => ({
    ...figure,
    file: figure.file.replace(/(?=\.\w+$)/, `@${slug(before.conditions.processor)}`),
  }));
  for (const [at, { file }] of before.figures.entries()) renameSync(join(folder, file), join(folder, figures[at]!.file));
  writeFileSync(otherPath(before.conditions.processor), jsonOf({ ...before, figures }));
}

function readResult(path: string): BenchResult | undefined {
  return existsSync(path) ? (JSON.parse(readFileSync(path, "utf8")) as BenchResult) : undefined;
}

const jsonOf = (result: BenchResult): string => `${JSON.stringify(result, undefined, 1)}\n`;

/** "Intel(R) Xeon(R) Processor" as "intel-xeon". */
function slug(processor: string): string {
  const words = processor.toLowerCase().replaceAll(/\((r|tm)\)|\b(processor|cpu)\b|@.*$/g, " ");
  return words.match(/[a-z0-9]+/g)?.join("-") ?? "unknown";
}
