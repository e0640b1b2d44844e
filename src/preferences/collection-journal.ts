/**
 * @file The journal of a collection: a line of settings, then a line for each prompt, in order. It is only ever added
 * to, so that whatever kills the program leaves whole lines and at most one torn one, which is cut off when it goes on.
 */

import { closeSync, existsSync, fsyncSync, openSync, statSync, truncateSync } from "node:fs";
import { isDeepStrictEqual } from "node:util";
import { BonsaiError } from "../errors/bonsai-error.ts";
import { BoundedFile } from "../formats/bounded-file.ts";
import { isJsonObject, type JsonObject } from "../formats/json-file.ts";
import { onDisk, writeAll } from "../formats/written-file.ts";
import type { CollectedPrompt, CollectionPlan } from "./collection.ts";
import { journalRowProblem } from "./journal-row.ts";
import { readJsonLines } from "../formats/json-lines.ts";

/** Lines after which the disk is waited for: what a power cut may take. */
const linesPerSync = 64;
const lineFeed = 0x0a;

export class CollectionJournal {
  /** What was collected before, in order of prompts. */
  readonly collected: CollectedPrompt[];
  readonly #path: string;
  readonly #descriptor: number;
  #unsynced = 0;

  private constructor(path: string, collected: CollectedPrompt[]) {
    this.#path = path;
    this.collected = collected;
    this.#descriptor = onDisk(path, () => openSync(path, "a"));
  }

  /**
   * Opens a journal, or begins one.
   * @param settings all that the lines follow from
   * @param plan what the rows must fit
   * @param resume whether it may have been begun before
   * @throws BonsaiError `usage` where the journal is of other settings, naming one, or there and not to be gone on
   * with; `invalid_dataset` naming the line, where it is no journal; `write_failed`.
   */
  static open(path: string, settings: JsonObject, plan: Pick<CollectionPlan, "form" | "judges">, resume: boolean): CollectionJournal {
    if (existsSync(path)) cutTornLine(path);
    const isBegun = existsSync(path) && statSync(path).size > 0;
    if (isBegun && !resume) {
      const message = `${path} is of a collection that was begun before: --resume goes on with it, or name another folder with --output-dir.`;
      throw new BonsaiError("usage", message, { param: "--output-dir" });
    }
    if (!isBegun) {
      const journal = new CollectionJournal(path, []);
      journal.#write({ settings });
      journal.#sync();
      return journal;
    }
    const [first, ...lines] = readJsonLines(path);
    requireSame(path, first?.row["settings"], settings);
    const collected = lines.map(({ row, line }, at) => {
      const problem = row["index"] === at ? journalRowProblem(row, plan) : `is not of prompt ${at}`;
      if (problem !== undefined)
        throw new BonsaiError("invalid_dataset", `${path}:${line} ${problem}: the file was changed. Begin anew in another folder.`);
      return row as unknown as CollectedPrompt;
    });
    return new CollectionJournal(path, collected);
  }

  /** Keeps what was found about the next prompt. @throws BonsaiError `write_failed`. */
  add(collected: CollectedPrompt): void {
    if (collected.index !== this.collected.length) throw new Error(`prompt ${collected.index} came after ${this.collected.length} prompts`);
    this.#write(collected);
    this.collected.push(collected);
    if (++this.#unsynced >= linesPerSync) this.#sync();
  }

  close(): void {
    this.#sync();
    closeSync(this.#descriptor);
  }

  #write(line: unknown): void {
    onDisk(this.#path, () => writeAll(this.#descriptor, Buffer.from(`${JSON.stringify(line)}\n`)));
  }

  #sync(): void {
    onDisk(this.#path, () => fsyncSync(this.#descriptor));
    this.#unsynced = 0;
  }
}

/** Cuts off what follows the last line's end. */
function cutTornLine(path: string): void {
  const file = new BoundedFile(path);
  let end = file.size;
  try {
    const pieceBytes = 2 ** 16;
    while (end > 0) {
      const start = Math.max(0, end - pieceBytes);
      const found = file.read(start, end - start, "the last line").lastIndexOf(lineFeed);
      if (found >= 0) {
        end = start + found + 1;
        break;
      }
      end = start;
    }
  } finally {
    file.close();
  }
  if (end < file.size) onDisk(path, () => truncateSync(path, end));
}

function requireSame(path: string, begun: unknown, now: JsonObject): void {
  const before = isJsonObject(begun) ? begun : undefined;
  const changed = [...new Set([...Object.keys(before ?? {}), ...Object.keys(now)])].find(
    (key) => !isDeepStrictEqual(before?.[key], now[key]),
  );
  if (before !== undefined && changed === undefined) return;
  const was = before === undefined ? "no settings" : `${changed} ${JSON.stringify(before[changed!]) ?? "absent"}`;
  throw new BonsaiError(
    "usage",
    `${path} was begun with ${was}, and not with ${JSON.stringify(now[changed!]) ?? "none"}: go on with the same settings, or name another --output-dir.`,
    { param: "--output-dir" },
  );
}
