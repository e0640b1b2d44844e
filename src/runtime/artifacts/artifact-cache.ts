/**
 * @file Folders of derived files on disk, one for each key: each is complete or is not there, and together they are
 * bounded.
 *
 * The cache may be deleted at any time, even while a server runs: mapped files stay until they are unmapped.
 */

import { mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { BonsaiError } from "../../errors/bonsai-error.ts";

/** Names every file of an entry with its bytes; written last, so that what it names was written whole. */
const manifestName = "files.json";

const scratchPrefix = "making-";

/** A scratch folder this old belongs to a process that died. */
const scratchLifeMs = 3_600_000;

export class ArtifactCache {
  readonly #folder: string;
  readonly #maxBytes: number;

  /** @param maxBytes the least recently used entries go when all together pass this */
  constructor(folder: string, maxBytes: number) {
    this.#folder = folder;
    this.#maxBytes = maxBytes;
  }

  /** The entry's folder, which counts as used now; undefined when it is absent or not as it was made. */
  find(key: string): string | undefined {
    const folder = join(this.#folder, key);
    if (!isComplete(folder)) return undefined;
    const now = new Date();
    utimesSync(folder, now, now);
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
      const scratch = mkdtempSync(join(this.#folder, scratchPrefix));
      try {
        await make(scratch);
        writeFileSync(join(scratch, manifestName), JSON.stringify(sizesOf(scratch)));
        publish(scratch, folder);
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

  #evict(keep: string): void {
    const entries = readdirSync(this.#folder).flatMap((name) => this.#describe(name));
    let total = 0;
    for (const { name, bytes, ageMs } of entries.toSorted(
      (a, b) => Number(b.name === keep) - Number(a.name === keep) || a.ageMs - b.ageMs,
    )) {
      const isScratch = name.startsWith(scratchPrefix);
      if (!isScratch) total += bytes;
      const goes = isScratch ? ageMs > scratchLifeMs : name !== keep && total > this.#maxBytes;
      if (goes) rmSync(join(this.#folder, name), { recursive: true, force: true });
    }
  }

  /** Nothing for what is not ours, and for what another process has removed meanwhile. */
  #describe(name: string): { name: string; bytes: number; ageMs: number }[] {
    if (!name.startsWith(scratchPrefix) && !/^[0-9a-f]+$/.test(name)) return [];
    const path = join(this.#folder, name);
    try {
      const bytes = Object.values(sizesOf(path)).reduce((sum, size) => sum + size, 0);
      return [{ name, bytes, ageMs: Date.now() - statSync(path).mtimeMs }];
    } catch (error) {
      if (isSystemError(error)) return [];
      throw error;
    }
  }
}

function isComplete(folder: string): boolean {
  let manifest: Record<string, number>;
  let sizes: Record<string, number>;
  try {
    manifest = JSON.parse(readFileSync(join(folder, manifestName), "utf8")) as Record<string, number>;
    sizes = sizesOf(folder);
  } catch {
    // Absent, half removed or damaged: it will be made anew.
    return false;
  }
  return Object.entries(manifest).every(([name, bytes]) => sizes[name] === bytes);
}

function sizesOf(folder: string): Record<string, number> {
  return Object.fromEntries(readdirSync(folder).map((name) => [name, statSync(join(folder, name)).size]));
}

/** Another process may have made the same entry meanwhile: theirs is as good. */
function publish(scratch: string, folder: string): void {
  if (!isComplete(folder)) rmSync(folder, { recursive: true, force: true });
  try {
    renameSync(scratch, folder);
  } catch (error) {
    if (!isComplete(folder)) throw error;
  }
}

function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && !(error instanceof BonsaiError) && "syscall" in error;
}
