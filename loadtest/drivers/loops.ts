/**
 * @file Closed and open loops over any driver: clients that each wait for their answers, or arrivals that do not wait
 * for answers.
 */

import { setTimeout as sleep } from "node:timers/promises";
import type { Driver, Observation } from "./observation.ts";

/** What a loop observed. */
export interface LoopResult {
  observations: Observation[];
  /** Seconds from the first request to the last answer. */
  seconds: number;
}

/** Where requests go. `body` gives a request's body by its number, from 0. */
export interface Target {
  url: string;
  driver: Driver;
  body: (index: number) => unknown;
  signal: AbortSignal;
}

/**
 * Each client sends one request after the other until all together have sent `requests`, or `seconds` are over.
 * Requests in flight are answered before the loop ends.
 * @throws the signal's reason when it is aborted
 */
export async function closedLoop(
  { url, driver, body, signal }: Target,
  { clients, requests = Infinity, seconds = Infinity }: { clients: number; requests?: number; seconds?: number },
): Promise<LoopResult> {
  const observations: Observation[] = [];
  const startMs = performance.now();
  let next = 0;
  const client = async (): Promise<void> => {
    while (next < requests && performance.now() - startMs < seconds * 1000 && !signal.aborted) {
      const index = next++;
      observations[index] = await driver(url, body(index), performance.now(), signal);
    }
  };
  await Promise.all(Array.from({ length: clients }, client));
  signal.throwIfAborted();
  return { observations, seconds: (performance.now() - startMs) / 1000 };
}

/**
 * Sends requests at the given times, whether or not others have been answered, and waits for all answers. Times count
 * from when a request was due, not from when it was sent: else a stall of this process would hide its own delay (Tene's
 * "coordinated omission").
 * @param arrivalsMs after the start, ascending
 * @throws the signal's reason when it is aborted
 */
export async function openLoop({ url, driver, body, signal }: Target, arrivalsMs: readonly number[]): Promise<LoopResult> {
  const startMs = performance.now();
  const asked: Promise<Observation>[] = [];
  for (const [index, atMs] of arrivalsMs.entries()) {
    const waitMs = startMs + atMs - performance.now();
    if (waitMs > 0) await sleep(waitMs, undefined, { signal }).catch(() => {});
    signal.throwIfAborted();
    asked.push(driver(url, body(index), startMs + atMs, signal));
  }
  const observations = await Promise.all(asked);
  signal.throwIfAborted();
  return { observations, seconds: (performance.now() - startMs) / 1000 };
}
