/**
 * @file SmolLM2 and its adapter in every way to answer: what a client alone waits for, and all candidates with the
 * rewards that choose among them.
 */

import type { Message } from "../../src/text/conversation/message.ts";
import type { WaysPlan } from "../plan.ts";
import type { Scenario } from "../scenario.ts";
import { servingFlags, variantsOf, type MeasuredModel } from "../variants.ts";
import { latencyScenario } from "./latency.ts";
import { baselineCandidatesScenario, candidatesScenario } from "./quality.ts";

/**
 * @param models that a server can have beside each other; the first one's single answers are the baseline
 * @param prompts at least one
 */
export function smolLM2Scenarios(models: readonly MeasuredModel[], ways: WaysPlan, prompts: readonly Message[][]): Scenario[] {
  const flags = servingFlags(models);
  const scenarios = [
    ...models.flatMap((model) => variantsOf(model, ways.counts)).map((variant) => latencyScenario(variant, flags)),
    ...models.map((model) => candidatesScenario(model, flags)),
    baselineCandidatesScenario(models[0]!, flags),
  ];
  // These answers take much longer than a teddy model's, so the prompts are others, and fewer.
  return scenarios.map(({ run, ...scenario }) => ({
    ...scenario,
    run: async (context) => run({ ...context, plan: { ...context.plan, ...ways }, prompts }),
  }));
}
