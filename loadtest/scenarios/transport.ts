/** @file The same load over server-sent events and over one WebSocket. */

import { closedLoop } from "../drivers/loops.ts";
import { streamChat } from "../drivers/sse.ts";
import { connectSocket } from "../drivers/web-socket.ts";
import { summarizeLoad, type LoadSummary } from "../load-summary.ts";
import type { Scenario } from "../scenario.ts";
import { duringLoad } from "../server-metrics.ts";
import { variant, type MeasuredModel } from "../variants.ts";
import { streamedBodies } from "./requests.ts";

export const transports = ["server-sent events", "WebSocket"] as const;
export type Transport = (typeof transports)[number];

export const transportId = (transport: Transport): string => `transport ${transport}`;

/** One answer at a time for each client, streamed as it grows. */
export function transportScenario(model: MeasuredModel, transport: Transport, flags: readonly string[]): Scenario {
  return {
    id: transportId(transport),
    flags,
    run: async ({ url, plan, prompts, signal }): Promise<LoadSummary> => {
      const socket = transport === "WebSocket" ? await connectSocket(url) : undefined;
      const body = streamedBodies(variant(model, 1), prompts);
      try {
        const { result, server } = await duringLoad(url, async () =>
          closedLoop({ url, driver: socket?.driver ?? streamChat, body, signal }, plan.transport),
        );
        return summarizeLoad(result.observations, result.seconds, true, server);
      } finally {
        await socket?.close();
      }
    },
  };
}
