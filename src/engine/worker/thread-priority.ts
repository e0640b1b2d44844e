/** @file The priority of the thread that computes, and of those that it starts, below the server's. */

import { readlinkSync } from "node:fs";
import { setPriority } from "node:os";

/** Above 0 is behind other threads. Threads that compute never sleep, so without it those that answer wait for a slice to end. */
const computeNiceness = 5;

/**
 * Puts this thread behind the server's, where the system lets a thread have a priority of its own (Linux: setpriority(2), "C library/kernel
 * differences"). Threads that are started afterwards inherit it.
 */
export function yieldToServer(): void {
  if (process.platform !== "linux") return;
  try {
    const threadId = Number(readlinkSync("/proc/thread-self").split("/").at(-1));
    if (Number.isInteger(threadId) && threadId !== process.pid) setPriority(threadId, computeNiceness);
  } catch {
    // A container may hide /proc or forbid it: the same answers come, some of them a few milliseconds later.
  }
}
