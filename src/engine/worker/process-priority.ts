/** @file The priority of the process that computes, below the server's. */

import { constants, getPriority, setPriority } from "node:os";

/**
 * Added to the server's niceness. Threads that compute never sleep, so without it the server waits for their time
 * slices to end.
 */
const addedNiceness = 5;

/**
 * Puts this process behind the one that started it, whose niceness it has inherited. Threads that are started
 * afterwards inherit the new one.
 */
export function yieldToServer(): void {
  try {
    setPriority(Math.min(constants.priority.PRIORITY_LOW, getPriority() + addedNiceness));
  } catch {
    // A container may forbid it: the same answers come, some of them a few milliseconds later.
  }
}
