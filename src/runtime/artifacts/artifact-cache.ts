/**
 * @file Folders of derived files on disk, one for each key: each is complete and undamaged or is made anew, and
 * together they are bounded.
 *
 * The cache may be deleted at any time, even while a server runs: mapped files stay until they are unmapped.
 */

import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { BonsaiError } from "../../errors/bonsai-error.ts";
import { checksumOfFile } from "../../formats/file-checksum.ts";
import { isScratchFolder, makeScratchFolder, removeAbandonedScratch, removeIfPermitted } from "./scratch-folder.ts";

/** Lists every file of an entry with its checksum; written last, so that what it lists was written whole. */
const manifestName = "checksums.json";

export class ArtifactCache {
  readonly #folder: string;
  readonly #maxBytes: number;
  readonly #log: (line: string) => void;

  /**
   * @param maxBytes the least recently used entries go when all together pass this
   * @param log takes a line about each entry that is damaged
   */
  constructor(folder: string, maxBytes: number, log: (line: string) => void = () => {}) {
    this.#folder = folder;
    this.#maxBytes = maxBytes;
    this.#log = log;
  }

  /** The entry's folder, which counts as used now; undefined when it is absent or damaged. Reads all of it. */
  find(key: string): string | undefined {
    removeAbandonedScratch(this.#folder);
    const folder = join(this.#folder, key);
    if (statSync(folder, { throwIfNoEntry: false }) === undefined) return undefined;
    const damage = damageOf(folder);
    if (damage !== undefined) {
      this.#log(`The prepared files in ${folder} are damaged: ${damage}. They are made anew.`);
      return undefined;
    }
    markUsed(folder);
    return folder;
  }

  /**
   * Makes an entry anew and drops old ones. Throws `file_not_found` when the cache cannot be written.
   * @param key hexadecimal digits
   * @param make fills the folder that it is given
   */
  async add(key: string, make: (folder: string) => Promise<void>): Promise<string> {
    const folder = join(this.#folder, key);
    try {
      mkdirSync(this.#folder, { recursive: true });
      const scratch = makeScratchFolder(this.#folder);
      try {
        await make(scratch);
        writeFileSync(join(scratch, manifestName), JSON.stringify(checksumsOf(scratch)));
        this.#publish(scratch, folder);
      } finally {
        rmSync(scratch, { recursive: true, force: true });
      }
    } catch (error) {
      if (!isSystemError(error)) throw error;
      throw new BonsaiError(
        "file_not_found",
        `The cache folder ${this.#folder} cannot be written: ${error.message}. Choose another with --cache-dir.`,
        { cause: error },
      );
    }
    this.#evict(key);
    return folder;
  }

  /** Another process may have made the same entry meanwhile: theirs is as good. */
  #publish(scratch: string, folder: string): void {
    try {
      renameSync(scratch, folder);
    } catch (error) {
      if (statSync(folder, { throwIfNoEntry: false }) === undefined) throw error;
      if (damageOf(folder) === undefined) return;
      // Moved aside at once, not removed file by file: the entry is never half there.
      const damaged = makeScratchFolder(this.#folder);
      try {
        renameSync(folder, join(damaged, "entry"));
        renameSync(scratch, folder);
      } finally {
        removeIfPermitted(damaged);
      }
    }
  }

  #evict(keep: string): void {
    removeAbandonedScratch(this.#folder);
    const entries = readdirSync(this.#folder).flatMap((name) => this.#describe(name));
    const newestFirst = entries.toSorted((a, b) => Number(b.name === keep) - Number(a.name === keep) || a.ageMs - b.ageMs);
    let total = 0;
    for (const { name, bytes } of newestFirst) {
      total += bytes;
      if (name !== keep && !isScratchFolder(name) && total > this.#maxBytes) removeIfPermitted(join(this.#folder, name));
    }
  }

  /** Nothing for what is not ours, and for what another process has removed meanwhile. */
  #describe(name: string): { name: string; bytes: number; ageMs: number }[] {
    if (!isScratchFolder(name) && !/^[0-9a-f]+$/.test(name)) return [];
    const path = join(this.#folder, name);
    try {
      const bytes = readdirSync(path).reduce((sum, file) => sum + statSync(join(path, file)).size, 0);
      return [{ name, bytes, ageMs: Date.now() - statSync(path).mtimeMs }];
    } catch (error) {
      if (isSystemError(error)) return [];
      throw error;
    }
  }
}

/** What is wrong with an entry, to follow a colon; undefined when every file is as it was made. */
function damageOf(folder: string): string | undefined {
  let manifest: Record<string, number>;
  try {
    manifest = JSON.parse(readFileSync(join(folder, manifestName), "utf8")) as Record<string, number>;
  } catch {
    return `${manifestName} is missing or cannot be read`;
  }
  for (const [name, checksum] of Object.entries(manifest)) {
    try {
      if (checksumOfFile(join(folder, name)) !== checksum) return `${name} has changed`;
    } catch {
      return `${name} is missing or cannot be read`;
    }
  }
  return undefined;
}

function checksumsOf(folder: string): Record<string, number> {
  return Object.fromEntries(readdirSync(folder).map((name) => [name, checksumOfFile(join(folder, name))]));
}

/** A cache that may only be read keeps the order in which it was written. */
function markUsed(folder: string): void {
  const now = new Date();
  try {
    utimesSync(folder, now, now);
  } catch {
    // The file system is read-only, or the folder is another user's.
  }
}

function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && !(error instanceof BonsaiError) && "syscall" in error;
}
