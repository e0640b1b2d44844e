/** @file Answers and goodput by offered load, up to and past saturation, and memory by number of streams. */

import { poissonArrivals } from "../drivers/arrivals.ts";
import { closedLoop, openLoop } from "../drivers/loops.ts";
import { streamChat } from "../drivers/sse.ts";
import { summarizeLoad, type LoadSummary } from "../load-summary.ts";
import type { Scenario } from "../scenario.ts";
import { duringLoad } from "../server-metrics.ts";
import { variant, type MeasuredModel } from "../variants.ts";
import { streamedBodies } from "./requests.ts";

/**
 * Requests that the server is sized to hold: 4 that run and 2 that wait, which are as many as it answers within the
 * objective.
 */
const running = 4;
const waiting = 2;
const arrivalSeed = 9;

export const peakId = "capacity peak";
export const offeredId = (share: number): string => `capacity ${share}`;
export const unboundedId = "capacity unbounded";
export const memoryId = (streams: number): string => `memory ${streams}`;

/** Flags that bound the requests that a server admits. */
export function sizedFlags(flags: readonly string[], bestOf: number): string[] {
  return [...flags, "--max-sequences", String(running * bestOf), "--max-queued-sequences", String(waiting * bestOf)];
}

/** Answers a second with as many clients as requests can run at once: the unit of offered load. */
export function peakScenario(model: MeasuredModel, bestOf: number, flags: readonly string[]): Scenario {
  return {
    id: peakId,
    flags: sizedFlags(flags, bestOf),
    run: async ({ url, plan, prompts, signal }): Promise<LoadSummary> => {
      const body = streamedBodies(variant(model, bestOf), prompts);
      const { result, server } = await duringLoad(url, async () =>
        closedLoop({ url, driver: streamChat, body, signal }, { clients: running, seconds: plan.capacity.seconds }),
      );
      return summarizeLoad(result.observations, result.seconds, false, server);
    },
  };
}

export interface OfferedResult {
  /** Requests a second that arrived, on average. */
  offered: number;
  load: LoadSummary;
}

/** @param share of the peak that arrives */
export function offeredScenario(
  model: MeasuredModel,
  bestOf: number,
  share: number,
  flags: readonly string[],
  id = offeredId(share),
): Scenario {
  return {
    id,
    flags,
    run: async ({ url, plan, prompts, signal, resultOf }): Promise<OfferedResult> => {
      const rate = share * (resultOf(peakId) as LoadSummary).throughput;
      const body = streamedBodies(variant(model, bestOf), prompts);
      const { seconds } = plan.capacity;
      const arrivals = poissonArrivals(rate, seconds, arrivalSeed);
      const { result, server } = await duringLoad(url, async () => openLoop({ url, driver: streamChat, body, signal }, arrivals));
      // Answers that come after the last arrival took their time, too.
      return { offered: rate, load: summarizeLoad(result.observations, Math.max(seconds, result.seconds), false, server) };
    },
  };
}

export interface MemoryResult {
  streams: number;
  residentMB: number;
  failed: number;
}

export function memoryScenario(model: MeasuredModel, streams: number, flags: readonly string[]): Scenario {
  return {
    id: memoryId(streams),
    flags,
    run: async ({ url, plan, prompts, signal }): Promise<MemoryResult> => {
      const body = streamedBodies(variant(model, 1), prompts);
      const { result, server } = await duringLoad(url, async () =>
        closedLoop({ url, driver: streamChat, body, signal }, { clients: streams, seconds: plan.memorySeconds }),
      );
      const { failed } = summarizeLoad(result.observations, result.seconds, true, server);
      return { streams, residentMB: server.residentMB, failed };
    },
  };
}
