/**
 * @file Where the project lies on disk, found from this module, so that commands work from any folder and from dist/
 * alike.
 */

import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { BonsaiError } from "../errors/bonsai-error.ts";

/**
 * The nearest folder above this module that holds package.json.
 * @throws BonsaiError `file_not_found` when the module was moved out of the project.
 */
export function projectRoot(): string {
  const start = dirname(fileURLToPath(import.meta.url));
  let folder = start;
  while (!existsSync(join(folder, "package.json"))) {
    const parent = dirname(folder);
    if (parent === folder)
      throw new BonsaiError("file_not_found", `No package.json in ${start} or above it: run the program from its project folder.`);
    folder = parent;
  }
  return folder;
}

/** The folder of the models: those that the project ships and those that `pull` fetched. */
export function defaultModelsFolder(): string {
  return join(projectRoot(), "models");
}

/** The program's version, from package.json. */
export function programVersion(): string {
  return (JSON.parse(readFileSync(join(projectRoot(), "package.json"), "utf8")) as { version: string }).version;
}
