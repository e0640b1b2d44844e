/**
 * @file Finds the prepared files of a model in the cache, or makes them: in the cache, or in the temporary folder where
 * the system does not permit to write there.
 */

import { lstatSync, mkdirSync } from "node:fs";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { BonsaiError } from "../../errors/bonsai-error.ts";
import { refusedWrite } from "../../errors/refused-write.ts";
import { ArtifactCache } from "./artifact-cache.ts";
import { removeAbandonedScratch } from "./scratch-folder.ts";

export interface CacheOptions {
  cacheDir: string;
  /** The least recently used entries go when all together pass this. */
  maxCacheBytes: number;
  log: (line: string) => void;
}

/** What was said in a log already. */
const said = new WeakMap<CacheOptions["log"], Set<string>>();

/**
 * The folder of the prepared files.
 * @param key hexadecimal digits, a hash of what the files are made from
 * @param model its path and how it is quantised, for the log
 * @param make fills the folder that it is given
 * @throws BonsaiError `file_not_found` where neither folder can be written; whatever `make` throws
 */
export async function findOrMake(
  key: string,
  { cacheDir, maxCacheBytes, log }: CacheOptions,
  model: string,
  make: (folder: string) => Promise<void>,
): Promise<string> {
  let isAnnounced = false;
  const makeAnnounced = async (folder: string): Promise<void> => {
    const explanation = isNew(log, "prepared once") ? "; each model is prepared once, and later starts use the result" : "";
    if (!isAnnounced) log(`Preparing ${model}${explanation}.`);
    isAnnounced = true;
    await make(folder);
  };
  const cache = new ArtifactCache(cacheDir, maxCacheBytes, log);
  try {
    return cache.find(key) ?? (await cache.add(key, makeAnnounced));
  } catch (error) {
    const temporaryFolder = isForbidden(error) ? privateTemporaryFolder() : undefined;
    if (temporaryFolder === undefined) throw error;
    const { message } = refusedWrite(`The cache folder ${cacheDir}`, (error as Error).cause) as Error;
    const line = `${message} What is not in it is prepared in ${temporaryFolder}; --cache-dir chooses another folder.`;
    if (isNew(log, line)) log(line);
    const spare = new ArtifactCache(temporaryFolder, maxCacheBytes, log);
    return spare.find(key) ?? (await spare.add(key, makeAnnounced));
  }
}

/** Removes what processes that were killed while they prepared models have left, here and in the temporary folder. */
export function removeLeftFiles(cacheDir: string): void {
  removeAbandonedScratch(cacheDir);
  const temporaryFolder = temporaryCacheFolder();
  if (isPrivate(temporaryFolder)) removeAbandonedScratch(temporaryFolder);
}

/** Whether this is said in the log for the first time. */
function isNew(log: CacheOptions["log"], line: string): boolean {
  const lines = said.get(log) ?? new Set();
  said.set(log, lines);
  return lines.size < lines.add(line).size;
}

/** Whether the system permits no writing in the cache folder; a full disk or a file in its place is another matter. */
function isForbidden(error: unknown): boolean {
  if (!(error instanceof BonsaiError) || error.code !== "file_not_found") return false;
  return ["EROFS", "EACCES", "EPERM"].includes((error.cause as NodeJS.ErrnoException).code ?? "");
}

function temporaryCacheFolder(): string {
  return join(tmpdir(), `bonsai-cache-${userInfo().uid}`);
}

/**
 * A folder under the system's temporary folder that this user alone can write, made when absent; undefined where that
 * is impossible, or where another user made one of its name.
 */
function privateTemporaryFolder(): string | undefined {
  const folder = temporaryCacheFolder();
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  } catch {
    return undefined;
  }
  return isPrivate(folder) ? folder : undefined;
}

/** Whether it is a folder, no link to one, that this user alone can write. */
function isPrivate(folder: string): boolean {
  const { uid } = userInfo();
  const found = lstatSync(folder, { throwIfNoEntry: false });
  return found?.isDirectory() === true && (uid < 0 || (found.uid === uid && (found.mode & 0o022) === 0));
}
