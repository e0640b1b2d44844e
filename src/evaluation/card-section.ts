/** @file A report as a section of a model's card. */

import { existsSync, readFileSync } from "node:fs";
import { BonsaiError } from "../errors/bonsai-error.ts";
import { replaceSection } from "../formats/markdown-section.ts";
import { writeWholeFile } from "../formats/written-file.ts";

/** @throws BonsaiError `file_not_found` for a card that is not there: before an evaluation, which takes long */
export function requireCard(path: string | undefined): void {
  if (path !== undefined && !existsSync(path)) throw new BonsaiError("file_not_found", `There is no card ${path}.`, { param: "--card" });
}

/**
 * Writes the section `title` of a card anew; the other sections stay as they are. @throws BonsaiError `write_failed`
 */
export function writeCardSection(path: string, title: string, lines: readonly string[]): void {
  writeWholeFile(path, [replaceSection(readFileSync(path, "utf8"), title, lines.join("\n"))]);
}
