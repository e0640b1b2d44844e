/** @file The server's own metrics over a load: tokens, event loop, memory, from two readings of its /metrics. */

import { setTimeout as sleep } from "node:timers/promises";

/** The server's metrics over a load. */
export interface ServerDuring {
  tokensGenerated: number;
  /** In answers of Best-of-N alone. */
  bestOfReturned: number;
  bestOfGenerated: number;
  /** How late the event loop ran a timer, p99 and maximum, milliseconds. */
  eventLoopDelayMs: { p99: number; highest: number };
  /** At the end of the load, 10^6 bytes. */
  residentMB: number;
}

/**
 * Node's histogram holds the whole time between two runs of its timer, so an idle loop shows this much (prom-client's
 * default).
 */
const timerMs = 10;
/** The histogram is empty right after a reading, so the next one waits. */
const settleMs = 30;

/**
 * Runs a load and reads the server's metrics around it. Each reading resets the event loop's histogram, so nothing else
 * may read it meanwhile.
 */
export async function duringLoad<T>(url: string, load: () => Promise<T>): Promise<{ result: T; server: ServerDuring }> {
  const before = await readSamples(url);
  const result = await load();
  await sleep(settleMs);
  const after = await readSamples(url);
  return { result, server: difference(before, after) };
}

export function difference(before: ReadonlyMap<string, number>, after: ReadonlyMap<string, number>): ServerDuring {
  const grown = (matches: (name: string) => boolean): number => sum(after, matches) - sum(before, matches);
  const ofUse = (use: string) => (name: string) => name.startsWith("bonsai_best_of_tokens_total{") && name.includes(`use="${use}"`);
  const lateMs = (name: string): number => Math.max(0, (after.get(name) ?? 0) * 1000 - timerMs);
  return {
    tokensGenerated: grown((name) => name === "bonsai_generated_tokens_total"),
    bestOfReturned: grown(ofUse("returned")),
    bestOfGenerated: grown(ofUse("generated")),
    eventLoopDelayMs: { p99: lateMs("nodejs_eventloop_lag_p99_seconds"), highest: lateMs("nodejs_eventloop_lag_max_seconds") },
    residentMB: ((after.get("process_resident_memory_bytes") ?? 0) + (after.get("bonsai_worker_resident_memory_bytes") ?? 0)) / 1e6,
  };
}

function sum(samples: ReadonlyMap<string, number>, matches: (name: string) => boolean): number {
  return [...samples].filter(([name]) => matches(name)).reduce((total, [, value]) => total + value, 0);
}

/** Values of GET /metrics by name with labels. */
export async function readSamples(url: string): Promise<Map<string, number>> {
  const answer = await fetch(`${url}/metrics`);
  return parseSamples(await answer.text());
}

/** Values by name with labels, as Prometheus' text format has them. */
export function parseSamples(text: string): Map<string, number> {
  const samples = new Map<string, number>();
  for (const line of text.split("\n")) {
    const [, name, value] = /^(\w+(?:\{.*\})?) (\S+)$/.exec(line) ?? [];
    if (name !== undefined) samples.set(name, Number(value));
  }
  return samples;
}
