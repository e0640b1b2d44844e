/** @file What tests read out of the project's Markdown: fenced snippets and tables. */

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** Absolute path of a file that is named from the project's root. */
export const inProject = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));

export const readDocument = (path: string): string => readFileSync(inProject(path), "utf8");

export interface Snippet {
  /** Word after the fence, such as "js". */
  language: string;
  text: string;
  /** Line of the fence, from 1. */
  line: number;
}

export function snippets(markdown: string): Snippet[] {
  return [...markdown.matchAll(/^```(\w+)\n([^]*?)^```$/gm)].map((match) => ({
    language: match[1]!,
    text: match[2]!,
    line: markdown.slice(0, match.index).split("\n").length,
  }));
}

/** Commands of a shell snippet, one a line: comments are left out, continued lines are joined. */
export function commands({ text }: Snippet): string[] {
  return text
    .replaceAll("\\\n", " ")
    .split("\n")
    .map((line) => line.replace(/\s+#.*$/, "").trim())
    .filter((line) => line !== "" && !line.startsWith("#"));
}

/** Cells of the table whose header row begins with these columns. */
export function tableRows(markdown: string, header: readonly string[]): string[][] {
  const cells = (line: string): string[] =>
    line
      .split("|")
      .slice(1, -1)
      .map((cell) => cell.trim());
  const lines = markdown.split("\n");
  const first = lines.findIndex((line) => line.startsWith(`| ${header.join(" | ")} |`));
  if (first < 0) throw new Error(`There is no table with the header ${header.join(", ")}.`);
  const rows = lines.slice(first + 2);
  const end = rows.findIndex((line) => !line.startsWith("|"));
  return rows.slice(0, end < 0 ? undefined : end).map(cells);
}
