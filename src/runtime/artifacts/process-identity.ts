/**
 * @file Which process something belongs to: a process id alone may be given out again, and means nothing in another
 * container.
 */

import { createHash } from "node:crypto";
import { readFileSync, readlinkSync } from "node:fs";
import { hostname } from "node:os";

export interface ProcessIdentity {
  /** Host and container, hashed: process ids are only compared where this is equal. 8 hexadecimal digits. */
  machine: string;
  id: number;
  /** When it started, in the clock ticks of Linux since boot; 0 where the system does not tell. */
  started: number;
}

let own: ProcessIdentity | undefined;

export function ownIdentity(): ProcessIdentity {
  return (own ??= { machine: machine(), id: process.pid, started: startOf(process.pid) ?? 0 });
}

/** Whether the process is known to have ended. Nothing is known of a process of another machine. */
export function hasEnded({ machine: where, id, started }: ProcessIdentity): boolean {
  if (where !== ownIdentity().machine) return false;
  try {
    process.kill(id, 0);
  } catch (error) {
    // A process of another user lives, and may not be signalled.
    if ((error as NodeJS.ErrnoException).code !== "EPERM") return true;
  }
  return startOf(id) !== started;
}

/** Holds this thread until a child has ended, at most for `mostMs`: for what must follow its end on exit. */
export function waitForEnd(id: number, mostMs: number): void {
  const clock = new Int32Array(new SharedArrayBuffer(4));
  const started = startOf(id) ?? 0;
  const endMs = performance.now() + mostMs;
  while (performance.now() < endMs && !hasEnded({ machine: ownIdentity().machine, id, started })) Atomics.wait(clock, 0, 0, 5);
}

function machine(): string {
  return createHash("sha256").update(`${hostname()}\0${processNamespace()}`).digest("hex").slice(0, 8);
}

function processNamespace(): string {
  try {
    return readlinkSync("/proc/self/ns/pid");
  } catch {
    return "";
  }
}

/**
 * proc_pid_stat(5), field 22; the name in field 2 may hold spaces and brackets. A process that has ended, and that its
 * parent has not asked about yet (field 3 is Z), has none.
 */
function startOf(id: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${id}/stat`, "latin1");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return fields[0] === "Z" ? undefined : Number(fields[19] ?? 0);
  } catch {
    return 0;
  }
}
