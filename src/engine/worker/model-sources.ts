/** @file Notices that the files which models were loaded from change on disk, by their sizes, times and inodes. */

import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import type { WorkerSetup } from "./messages.ts";

export class ModelSources {
  readonly #paths: ReadonlySet<string>;
  /** The state of each path at the last load. */
  readonly #loaded = new Map<string, string>();
  readonly #changed = new Set<string>();

  constructor({ models }: WorkerSetup) {
    this.#paths = new Set(
      models.flatMap(({ path, encoder = path, adapters = [], heads = [], implicitRewards = [] }) => [
        path,
        encoder,
        ...[...adapters, ...heads, ...implicitRewards].map((part) => part.path),
      ]),
    );
  }

  /** Takes the present state as the one that is loaded: called before a load, so that no later change is missed. */
  remember(): void {
    this.#changed.clear();
    for (const path of this.#paths) this.#loaded.set(path, stateOf(path));
  }

  /** @returns the paths that are found to differ from what was loaded, each once */
  newlyChanged(): string[] {
    const found = [...this.#paths].filter((path) => !this.#changed.has(path) && stateOf(path) !== this.#loaded.get(path));
    for (const path of found) this.#changed.add(path);
    return found;
  }

  /** How many files and folders of models have been found to differ. */
  get changedCount(): number {
    return this.#changed.size;
  }
}

/** The state of a file, or of all files of a folder. Without access it is the reason. */
function stateOf(path: string): string {
  try {
    const names = statSync(path).isDirectory() ? readdirSync(path).toSorted() : [""];
    return JSON.stringify(
      names.map((name) => {
        const { size, mtimeMs, ino } = statSync(join(path, name));
        return [name, size, mtimeMs, ino];
      }),
    );
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? String(error);
  }
}
