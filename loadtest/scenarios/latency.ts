/** @file One client that asks one question after the other, streamed: the latency without other load. */

import { closedLoop } from "../drivers/loops.ts";
import { streamChat } from "../drivers/sse.ts";
import { summarizeLoad, type LoadSummary } from "../load-summary.ts";
import type { Scenario } from "../scenario.ts";
import { duringLoad } from "../server-metrics.ts";
import { type Variant } from "../variants.ts";
import { streamedBodies } from "./requests.ts";

export interface LatencyResult {
  load: LoadSummary;
  /** The returned answers, by prompt from the first. */
  answers: { text: string; reward: number | null; tokensGenerated: number }[];
}

export const latencyId = ({ id }: Pick<Variant, "id">): string => `latency ${id}`;

export function latencyScenario(variant: Variant, flags: readonly string[]): Scenario {
  return {
    id: latencyId(variant),
    flags,
    run: async ({ url, plan, prompts, signal }): Promise<LatencyResult> => {
      const wanted = variant.pruned ? plan.prunedPrompts : plan.latencyRequests(variant.bestOf);
      const requests = Math.min(wanted, prompts.length);
      const body = streamedBodies(variant, prompts);
      const { result, server } = await duringLoad(url, async () =>
        closedLoop({ url, driver: streamChat, body, signal }, { clients: 1, requests }),
      );
      return {
        load: summarizeLoad(result.observations, result.seconds, variant.bestOf === 1, server),
        answers: result.observations.map(({ text, reward, tokensGenerated }) => ({ text, reward: reward ?? null, tokensGenerated })),
      };
    },
  };
}
