/**
 * @file The lock on an output folder, which belongs to one process at a time, and the folder inside it for graphs and
 *   frozen weights. What a killed process left there is removed by the next one.
 */

import { mkdirSync, readdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join, resolve } from "node:path";
import * as lockfile from "proper-lockfile";
import { BonsaiError } from "../../errors/bonsai-error.ts";
import { refusedWrite } from "../../errors/refused-write.ts";
import { onDisk } from "../../formats/written-file.ts";

const ownerFile = "owner.json";

/**
 * A lock that was not refreshed for this long is stale. A live process refreshes often, but not while it tokenises a
 * large data set.
 */
const staleMs = 300_000;
const refreshMs = 10_000;

/** The guard is held for milliseconds, while one process decides whether the lock is free. */
const guardOptions = { realpath: false, stale: 10_000, retries: { retries: 100, minTimeout: 50, maxTimeout: 200 } };

/** Locks that this process holds: a process id in a lock may be that of a killed process before it. */
const held = new Set<string>();

export interface WorkFolder {
  path: string;
  /** @throws BonsaiError `write_failed` where another process took the folder, as after the machine slept. */
  requireHeld: () => void;
  remove: () => Promise<void>;
}

interface Owner {
  host: string;
  process: number;
}

/**
 * Takes the output folder for this process: two runs in one folder would overwrite each other's checkpoints.
 *
 * The lock of a process that is known to be dead is taken over at once; any other, also one of another host, only when
 * it is stale.
 * @throws BonsaiError `usage` where another process holds the folder; `write_failed`.
 */
export async function openWorkFolder(outputDir: string): Promise<WorkFolder> {
  const path = resolve(outputDir, ".work");
  const lockfilePath = `${path}.lock`;
  onDisk(outputDir, () => mkdirSync(outputDir, { recursive: true }));
  let lost: Error | undefined;
  // Whether a lock is free and taking it must be one step: of two processes that find a dead owner, one would break the
  // other's new lock.
  const releaseGuard = await onDiskAsync(path, async () =>
    lockfile.lock(`${path}-guard`, { ...guardOptions, lockfilePath: `${path}.guard` }),
  );
  try {
    const owner = readOwner(join(path, ownerFile));
    if (owner !== undefined && isDead(owner, path)) onDisk(path, () => rmSync(lockfilePath, { recursive: true, force: true }));
    const release = await onDiskAsync(path, async () =>
      lockfile.lock(path, {
        lockfilePath,
        realpath: false,
        stale: staleMs,
        update: refreshMs,
        onCompromised: (cause) => (lost = cause),
      }),
    ).catch((error: unknown) => {
      throw isLocked(error) ? heldElsewhere(outputDir, owner, lockfilePath) : error;
    });
    held.add(path);
    onDisk(path, () => {
      rmSync(path, { recursive: true, force: true });
      mkdirSync(path);
      for (const name of readdirSync(outputDir)) if (/\.\d+\.partial$/.test(name)) rmSync(join(outputDir, name), { force: true });
      writeFileSync(join(path, ownerFile), JSON.stringify({ host: hostname(), process: process.pid } satisfies Owner));
    });
    const requireHeld = (): void => {
      if (lost === undefined) return;
      throw new BonsaiError("write_failed", `Another process took over ${outputDir}: this run writes nothing more.`, { cause: lost });
    };
    const remove = async (): Promise<void> => {
      held.delete(path);
      // What is there belongs to the process that took over.
      if (lost !== undefined) return;
      rmSync(path, { recursive: true, force: true });
      await release();
      removeIfEmpty(outputDir);
    };
    return { path, requireHeld, remove };
  } finally {
    await releaseGuard();
  }
}

/** Runs `work`; a refusal of the operating system becomes `write_failed`, and a lock that is held passes. */
async function onDiskAsync<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    throw isLocked(cause) ? cause : refusedWrite(path, cause);
  }
}

function isLocked(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ELOCKED";
}

function heldElsewhere(outputDir: string, owner: Owner | undefined, lockfilePath: string): BonsaiError {
  const who =
    owner === undefined ? "Another process" : `The process ${owner.process}${owner.host === hostname() ? "" : ` of ${owner.host}`}`;
  return new BonsaiError(
    "usage",
    `${who} trains into ${outputDir}: wait for it or stop it, or name another folder with --output-dir. (If it is no trainer, remove ${lockfilePath}.)`,
    { param: "--output-dir" },
  );
}

/** Undefined where there is no file, or a torn one. */
function readOwner(path: string): Owner | undefined {
  try {
    const { host, process: id } = JSON.parse(readFileSync(path, "utf8")) as { host?: unknown; process?: unknown };
    return typeof host === "string" && typeof id === "number" ? { host, process: id } : undefined;
  } catch {
    return undefined;
  }
}

/** Whether the owner is known to be gone; nothing is known of a process of another host. */
function isDead({ host, process: id }: Owner, path: string): boolean {
  if (host !== hostname()) return false;
  if (id === process.pid) return !held.has(path);
  try {
    process.kill(id, 0);
    return false;
  } catch (error) {
    // A process of another user lives, and may not be signalled.
    return (error as NodeJS.ErrnoException).code !== "EPERM";
  }
}

/** A run that was refused before it began leaves no folder of its own. */
function removeIfEmpty(folder: string): void {
  try {
    rmdirSync(folder);
  } catch {
    // It holds something.
  }
}
