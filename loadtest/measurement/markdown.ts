/** @file A Markdown document of measurements: every one as tables, written from its kept data alone. */

import { isMet, type BenchResult, type Cell, type Check, type Column, type Table } from "./bench-result.ts";
import type { Conditions } from "./conditions.ts";

/** A document of docs/ that is written from measurements. */
export interface MeasuredDocument {
  /** Its name in docs/. */
  file: string;
  /** The folder of docs/ in which its measurements and figures are kept. */
  folder: string;
  /** The order of the sections by the names of their measurements; others come last. */
  order: readonly string[];
  /** The lines above the first section. */
  head: readonly string[];
}

/** The whole text of a document. @param results in the order of its sections */
export function measurementsMarkdown(results: readonly BenchResult[], { head, folder }: MeasuredDocument): string {
  const isLatest = (result: BenchResult, place: number): boolean => results.findIndex(({ name }) => name === result.name) === place;
  return [...head, ...results.flatMap((result, place) => section(result, folder, isLatest(result, place)))].join("\n");
}

/** @param isLatest else it is an earlier one, on another processor */
function section(result: BenchResult, folder: string, isLatest: boolean): string[] {
  const lines = [
    `## ${result.title}${isLatest ? "" : ` (${result.conditions.processor})`}`,
    "",
    result.about,
    "",
    ...conditionLines(result),
    "",
  ];
  for (const table of result.tables) lines.push(...tableLines(table), "");
  for (const { file, caption } of result.figures) lines.push(`![${caption}](${folder}/${file})`, "");
  if (result.checks.length > 0) lines.push(...tableLines(checksTable(result.checks)), "");
  return lines;
}

function conditionLines({ command, conditions }: BenchResult): string[] {
  const versions = Object.entries(conditions.versions).map(([name, version]) => `${name} ${version}`);
  return [
    `- Command: \`${command}\`${conditions.profile === "quick" ? " (the quick profile: a smoke test, not a measurement)" : ""}`,
    `- Machine: ${machine(conditions)}; load before: ${conditions.loadBefore}`,
    `- Versions: ${versions.join(", ")}`,
    `- Measured: ${conditions.measuredAt.slice(0, 16).replace("T", " ")} UTC`,
  ];
}

function machine({ processor, cores, memoryGiB, system }: Conditions): string {
  return `${processor}, ${cores} cores, ${memoryGiB} GiB, ${system}`;
}

/** A column without a single value, such as a peer's that was absent, is left out. */
export function tableLines({ title, note, columns, rows }: Table): string[] {
  const shown = [...columns.entries()].filter(([index]) => rows.some((row) => (row[index] ?? null) !== null));
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  return [
    `### ${title}`,
    "",
    line(shown.map(([, { heading }]) => heading)),
    line(shown.map(([index]) => (rows.every((row) => typeof row[index] === "string") ? "---" : "---:"))),
    ...rows.map((row) => line(shown.map(([index, column]) => cellText(row[index] ?? null, column)))),
    ...(note === undefined ? [] : ["", note]),
  ];
}

function checksTable(checks: readonly Check[]): Table {
  return {
    title: "Held",
    columns: [{ heading: "what" }, { heading: "bound" }, { heading: "measured" }, { heading: "met" }],
    rows: checks.map((check) => {
      const unit = check.unit === "" ? "" : ` ${check.unit}`;
      return [check.claim, `${check.bound} ${check.limit}${unit}`, `${numberText(check.measured)}${unit}`, isMet(check) ? "yes" : "**no**"];
    }),
  };
}

function cellText(cell: Cell, { digits }: Column): string {
  if (cell === null) return "–";
  if (typeof cell === "string") return cell;
  if (typeof cell === "number") return numberText(cell, digits);
  if (cell.lowest === cell.highest) return numberText(cell.median, digits);
  return `${numberText(cell.median, digits)} (${numberText(cell.lowest, digits)} to ${numberText(cell.highest, digits)})`;
}

function numberText(value: number, digits?: number): string {
  if (digits !== undefined) return value.toFixed(digits);
  if (Number.isInteger(value)) return String(value);
  // Three significant digits, without an exponent, and all digits of what is larger.
  const magnitude = value === 0 ? 0 : Math.floor(Math.log10(Math.abs(value)));
  return value.toFixed(Math.min(8, Math.max(0, 2 - magnitude)));
}
