/**
 * @file Files that do not belong to the project, and that measurements and some tests need: SmolLM2 and the shared
 * data.
 */

import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { defaultModelsFolder, projectRoot } from "../../src/catalog/project-root.ts";

/**
 * SmolLM2-135M-Instruct as GGUF: the file that BONSAI_TEST_SMOLLM2 names, or the pulled one. Undefined where it does
 * not exist.
 */
export function smolLM2Path(): string | undefined {
  const named = process.env["BONSAI_TEST_SMOLLM2"];
  if (named !== undefined && named !== "") return existsSync(named) ? named : undefined;
  const folder = join(defaultModelsFolder(), "smollm2-135m-instruct");
  const file = existsSync(folder) ? readdirSync(folder).find((name) => name.endsWith(".gguf")) : undefined;
  return file && join(folder, file);
}

/** What to do where `smolLM2Path` finds nothing. */
export const smolLM2Absent = "SmolLM2 is absent: npm run pull -- smollm2-135m-instruct, or set BONSAI_TEST_SMOLLM2";

/** @throws Error where `smolLM2Path` finds nothing */
export function requireSmolLM2(): string {
  const path = smolLM2Path();
  if (path === undefined) throw new Error(smolLM2Absent);
  return path;
}

/** A file or folder of the shared data that lies beside the project. Undefined where it does not exist. */
export function sharedDataPath(path: string): string | undefined {
  const file = join(projectRoot(), "..", "shared", "data", path);
  return existsSync(file) ? file : undefined;
}
