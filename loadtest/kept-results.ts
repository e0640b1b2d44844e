/** @file Results of scenarios, kept one by one, so that a run that was interrupted goes on where it stopped. */

import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { writeWholeFile } from "../src/formats/written-file.ts";

/** Results of one run, in a folder of its own. */
export class KeptResults {
  readonly #folder: string;
  readonly #run: string;

  /**
   * @param identity everything that makes the results of two runs comparable: plan, versions, machine, models. Results
   * with another identity are not used.
   */
  constructor(folder: string, identity: unknown) {
    this.#folder = folder;
    this.#run = createHash("sha256").update(JSON.stringify(identity)).digest("hex").slice(0, 16);
  }

  /** Undefined where the scenario has no result, or one of another run. */
  read(id: string): unknown {
    const path = this.#path(id);
    if (!existsSync(path)) return undefined;
    const kept = JSON.parse(readFileSync(path, "utf8")) as { run: string; result: unknown };
    return kept.run === this.#run ? kept.result : undefined;
  }

  keep(id: string, result: unknown): void {
    mkdirSync(this.#folder, { recursive: true });
    writeWholeFile(this.#path(id), [JSON.stringify({ run: this.#run, result })]);
  }

  /** Removes all results, once the reports hold them. */
  remove(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #path(id: string): string {
    return join(this.#folder, `${id.replaceAll(/[^\w.-]/g, "_")}.json`);
  }
}
