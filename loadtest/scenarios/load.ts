/**
 * @file Some clients at once, each of which asks again as soon as it is answered: one variant over HTTP by autocannon,
 * and two kinds mixed.
 */

import { cannon } from "../drivers/autocannon.ts";
import { closedLoop } from "../drivers/loops.ts";
import { streamChat } from "../drivers/sse.ts";
import { objectiveMs, quantilesOf, summarizeLoad, type LoadSummary } from "../load-summary.ts";
import type { Scenario } from "../scenario.ts";
import { duringLoad } from "../server-metrics.ts";
import { chatBody, variant, type MeasuredModel, type Variant } from "../variants.ts";
import { seedOf, streamedBodies } from "./requests.ts";

export const loadId = ({ id }: Pick<Variant, "id">): string => `load ${id}`;
export const mixId = "mix";

export function loadScenario(measured: Variant, flags: readonly string[]): Scenario {
  return {
    id: loadId(measured),
    flags,
    run: async ({ url, plan, prompts, signal }): Promise<LoadSummary> => {
      const { result, server } = await duringLoad(url, async () =>
        cannon({
          url,
          connections: plan.loadConnections,
          requests: plan.loadRequests(measured.bestOf),
          body: (index) => chatBody(measured, prompts[index % prompts.length]!, seedOf(index)),
          signal,
        }),
      );
      const { answeredMs, refused, failed, seconds } = result;
      return {
        requests: answeredMs.length + refused + failed,
        answered: answeredMs.length,
        refused,
        refusedWithRetryAfter: refused,
        failed,
        firstFailure: failed === 0 ? null : "see the server's log",
        seconds,
        firstTokenMs: null,
        interTokenMs: null,
        endToEndMs: quantilesOf(answeredMs),
        throughput: answeredMs.length / seconds,
        goodput: answeredMs.filter((ms) => ms <= objectiveMs).length / seconds,
        tokensGenerated: server.tokensGenerated,
        // One answer alone comes back whole.
        tokensReturned: server.bestOfReturned + server.tokensGenerated - server.bestOfGenerated,
        server,
      };
    },
  };
}

export interface MixResult {
  single: LoadSummary;
  bestOf: LoadSummary;
}

/** Clients of one answer beside as many of Best-of-N: whether the small ones starve. */
export function mixScenario(
  model: MeasuredModel,
  mix: { clientsOfEach: number; bestOf: number; seconds: number },
  flags: readonly string[],
): Scenario {
  return {
    id: mixId,
    flags,
    run: async ({ url, prompts, signal }): Promise<MixResult> => {
      const loop = async (bestOf: number): ReturnType<typeof closedLoop> => {
        const body = streamedBodies(variant(model, bestOf), prompts);
        return closedLoop({ url, driver: streamChat, body, signal }, { clients: mix.clientsOfEach, seconds: mix.seconds });
      };
      const { result, server } = await duringLoad(url, async () => Promise.all([loop(1), loop(mix.bestOf)]));
      const [single, bestOf] = result;
      return {
        single: summarizeLoad(single.observations, single.seconds, true, server),
        bestOf: summarizeLoad(bestOf.observations, bestOf.seconds, false, server),
      };
    },
  };
}
