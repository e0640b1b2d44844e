/** @file One pull of a model at a time: a second one waits for the first, and takes over from one that died. */

import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import * as lockfile from "proper-lockfile";
import { BonsaiError } from "../errors/bonsai-error.ts";

/** A holder that has not refreshed its lock for this long is dead; a living one does so every third of it. */
const staleMs = 15_000;
const pollIntervalMs = 300;

/**
 * Runs `work` while holding the lock of `folder`, which is made when absent.
 * @param onWait called once when another process holds the lock.
 * @param work gets a signal that is aborted with `signal`, and when the lock is lost (the machine slept, and another
 *   process took over): two writers of one file must not be.
 * @throws BonsaiError `file_not_found` when the lock cannot be made there; whatever `work` throws or a signal was
 * aborted with.
 */
export async function withPullLock<T>(
  folder: string,
  onWait: () => void,
  signal: AbortSignal | undefined,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const lost = new AbortController();
  const release = await acquire(folder, onWait, signal, lost);
  try {
    return await work(signal === undefined ? lost.signal : AbortSignal.any([signal, lost.signal]));
  } finally {
    if (!lost.signal.aborted) await release();
  }
}

async function acquire(
  folder: string,
  onWait: () => void,
  signal: AbortSignal | undefined,
  lost: AbortController,
): Promise<() => Promise<void>> {
  let hasWaited = false;
  while (true) {
    signal?.throwIfAborted();
    try {
      await mkdir(folder, { recursive: true });
      return await lockfile.lock(folder, {
        lockfilePath: join(folder, ".pull.lock"),
        stale: staleMs,
        update: staleMs / 3,
        realpath: false,
        onCompromised: (cause) =>
          lost.abort(new BonsaiError("download_failed", "Another pull took over: wait for it, or run this one again.", { cause })),
      });
    } catch (cause) {
      if (!(cause instanceof Error && "code" in cause && cause.code === "ELOCKED")) {
        const reason = cause instanceof Error ? cause.message : String(cause);
        throw new BonsaiError("file_not_found", `The folder ${folder} cannot be written: ${reason}.`, { cause });
      }
      if (!hasWaited) onWait();
      hasWaited = true;
      await sleep(pollIntervalMs, undefined, { signal });
    }
  }
}
