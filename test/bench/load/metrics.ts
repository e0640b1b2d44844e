/** @file Reads a server's Prometheus metrics. */

import { readSamples } from "../../../loadtest/server-metrics.ts";

/** Every metric of GET /metrics by its name, summed over its labels. */
export async function readMetrics(url: string): Promise<Map<string, number>> {
  const sums = new Map<string, number>();
  for (const [sample, value] of await readSamples(url)) {
    const [name = sample] = sample.split("{");
    sums.set(name, (sums.get(name) ?? 0) + value);
  }
  return sums;
}
