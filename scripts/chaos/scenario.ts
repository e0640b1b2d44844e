/** @file What is done in a round of chaos, and how files that it left are compared. */

import { createHash } from "node:crypto";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";

/** A draw of the round: uniform in [0, 1), the same for the same seed, round and purpose. */
export type Draw = (purpose: number) => number;

export interface RoundOutcome {
  /** Processes that were killed. */
  kills: number;
  /** One sentence for each thing that was lost or left behind. */
  losses: string[];
}

export interface Scenario {
  name: string;
  /** What is killed and what is compared afterwards. */
  about: string;
  /** Does the work once undisturbed, for the comparison. */
  prepare(): Promise<void>;
  /** @param folder empty, and the round's own */
  round(draw: Draw, folder: string): Promise<RoundOutcome>;
}

/** SHA-256 of each file under a folder that `isCompared`, by its path there. */
export function filesOf(folder: string, isCompared: (path: string) => boolean): Map<string, string> {
  const paths = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((path) => statSync(join(folder, path)).isFile());
  const compared = paths.filter(isCompared).toSorted();
  return new Map(
    compared.map((path) => [
      path,
      createHash("sha256")
        .update(readFileSync(join(folder, path)))
        .digest("hex"),
    ]),
  );
}

/** Each file that is missing, has other bytes, or should not be there. */
export function differences(found: ReadonlyMap<string, string>, right: ReadonlyMap<string, string>): string[] {
  return [...new Set([...right.keys(), ...found.keys()])].flatMap((path) => {
    if (found.get(path) === right.get(path)) return [];
    return `${path} ${!found.has(path) ? "is missing" : right.has(path) ? "has other bytes" : "was left behind"}.`;
  });
}
