/**
 * @file Files that are written whole or not at all: they grow under another name, reach the disk, and are then renamed.
 */

import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from "node:fs";
import { dirname } from "node:path";

import { refusedWrite } from "../errors/refused-write.ts";

/** One write call's worth: Linux moves at most 2 GiB less a page at once. */
const LARGEST_WRITE_BYTES = 2 ** 30;

/**
 * Writes the pieces, in order, as the file at `path`, replacing one that is there. A piece is asked for when the ones
 * before it are written, so that only one need be in memory. On a failure the old file, if any, is still there and
 * nothing else is.
 * @throws BonsaiError `write_failed` naming the file, where the system refuses (no space, no permission).
 */
export function writeWholeFile(path: string, pieces: Iterable<Uint8Array | string>): void {
  const temporaryPath = `${path}.${process.pid}.partial`;
  onDisk(path, () => {
    const descriptor = openSync(temporaryPath, "w");
    try {
      for (const piece of pieces) writeAll(descriptor, typeof piece === "string" ? Buffer.from(piece) : piece);
      fsyncSync(descriptor);
      renameSync(temporaryPath, path);
    } catch (error) {
      rmSync(temporaryPath, { force: true });
      throw error;
    } finally {
      closeSync(descriptor);
    }
    syncFolder(dirname(path));
  });
}

/** `value` as indented JSON with a line's end, written by `writeWholeFile`. */
export function writeJsonFile(path: string, value: unknown): void {
  writeWholeFile(path, [`${JSON.stringify(value, undefined, 2)}\n`]);
}

/** Writes all bytes at the descriptor's place. */
export function writeAll(descriptor: number, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.byteLength;)
    done += writeSync(descriptor, bytes, done, Math.min(bytes.byteLength - done, LARGEST_WRITE_BYTES));
}

/** Makes the names of a folder durable: a rename is on the disk only when its folder is. */
export function syncFolder(folder: string): void {
  const descriptor = openSync(folder, "r");
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** Runs `work`; a refusal of the operating system becomes a `write_failed` that names `path`, anything else passes. */
export function onDisk<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (cause) {
    throw refusedWrite(path, cause);
  }
}
