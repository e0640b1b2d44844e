/** @file The priority of the thread that computes, and of those that it starts, below the server's. */

import { readlinkSync } from "node:fs";
import { constants, getPriority, setPriority } from "node:os";

/**
 * Added to the server thread's niceness. Threads that compute never sleep, so without it the server thread waits for
 * their time slices to end.
 */
const addedNiceness = 5;

/**
 * Puts this thread behind the server's, where the system lets a thread have a priority of its own (Linux:
 * setpriority(2), "C library/kernel differences"). Threads that are started afterwards inherit it.
 */
export function yieldToServer(): void {
  if (process.platform !== "linux") return;
  try {
    const threadId = Number(readlinkSync("/proc/thread-self").split("/").at(-1));
    // Relative to the server's: a program that was started under `nice` would else have threads that outrank the one
    // that answers.
    const niceness = Math.min(constants.priority.PRIORITY_LOW, getPriority(process.pid) + addedNiceness);
    if (Number.isInteger(threadId) && threadId !== process.pid) setPriority(threadId, niceness);
  } catch {
    // A container may hide /proc or forbid it: the same answers come, some of them a few milliseconds later.
  }
}
