/**
 * @file Folders in which a process prepares files. Their names say which process made them, so that a folder of a
 * process that was killed is known and removed.
 */

import { randomBytes } from "node:crypto";
import { mkdirSync, readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { hasEnded, ownIdentity, type ProcessIdentity } from "./process-identity.ts";

const prefix = "making-";

/** A scratch folder of a process that cannot be looked up is abandoned when nothing in it changed for this long. */
const unknownOwnerLifeMs = 3_600_000;

export function isScratchFolder(name: string): boolean {
  return name.startsWith(prefix);
}

/** Makes one. Whoever may read files of this user may read it: it can become an entry of a cache that users share. */
export function makeScratchFolder(parent: string): string {
  const { machine, id, started } = ownIdentity();
  const folder = join(parent, `${prefix}${machine}-${id}-${started}-${randomBytes(8).toString("hex")}`);
  mkdirSync(folder);
  return folder;
}

/** Removes scratch folders of processes that have ended, as far as the system permits. */
export function removeAbandonedScratch(parent: string): void {
  for (const name of namesIn(parent).filter(isScratchFolder)) {
    const path = join(parent, name);
    const owner = ownerOf(name);
    const isAbandoned =
      owner !== undefined && owner.machine === ownIdentity().machine ? hasEnded(owner) : Date.now() - changedAt(path) > unknownOwnerLifeMs;
    if (isAbandoned) removeIfPermitted(path);
  }
}

/** Removes a file or folder; one that may not be removed, or that another process is removing, is left. */
export function removeIfPermitted(path: string): void {
  try {
    rmSync(path, { recursive: true, force: true });
  } catch {
    // The file system is read-only, the files are another user's, or another process is removing them.
  }
}

function ownerOf(name: string): ProcessIdentity | undefined {
  const [, machine, id, started] = /^making-([0-9a-f]{8})-(\d+)-(\d+)-/.exec(name) ?? [];
  return machine === undefined ? undefined : { machine, id: Number(id), started: Number(started) };
}

/** The newest change of the folder or of a file in it, in milliseconds since the epoch; 0 for what is gone. */
function changedAt(folder: string): number {
  const paths = [folder, ...namesIn(folder).map((name) => join(folder, name))];
  return Math.max(...paths.map((path) => statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0));
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
