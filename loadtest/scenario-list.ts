/** @file Every scenario of a run, in its order: those of one server follow each other. */

import type { Llama } from "../test/bench/peers/llama.ts";
import type { Plan } from "./plan.ts";
import type { Scenario } from "./scenario.ts";
import { memoryScenario, offeredScenario, peakScenario, sizedFlags, unboundedId } from "./scenarios/capacity.ts";
import { ensembleScenario } from "./scenarios/ensemble.ts";
import { latencyScenario } from "./scenarios/latency.ts";
import { peersScenario } from "./scenarios/peers.ts";
import { loadScenario, mixScenario } from "./scenarios/load.ts";
import { baselineScenario, qualityScenario } from "./scenarios/quality.ts";
import { transports, transportScenario } from "./scenarios/transport.ts";
import { baselineModel, variantsOf, type Ensemble, type MeasuredModel } from "./variants.ts";

export interface Surroundings {
  /** Whether the prompts have a true score. */
  isJudged: boolean;
  /** That choose among the candidates whose quality is judged. */
  ensembles: readonly Ensemble[];
  /** What is measured beside us, and the model that both serve; undefined where one of them is absent. */
  peer: { llama: Llama; smolLM2: string } | undefined;
}

/** @param models those that are there, at least one */
export function scenariosOf(models: readonly MeasuredModel[], plan: Plan, { isJudged, ensembles, peer }: Surroundings): Scenario[] {
  const names = [...new Set(models.flatMap(({ id, rewardModel }) => [id, rewardModel]))];
  const flags = names.flatMap((name) => ["--model", name]);
  const variants = models.flatMap((model) => variantsOf(model, plan.counts));
  const first = models[0]!;
  const baseline = models.find(({ id }) => id === baselineModel) ?? first;
  const { capacity, mix } = plan;
  const ensembleFlags = [
    ...[...new Set([...models.map(({ id }) => id), ...ensembles.flatMap(({ members }) => members)])].flatMap((name) => ["--model", name]),
    ...ensembles.flatMap(({ id, members, rule }) => ["--reward-ensemble", `${id}=${members.join("+")}:${rule}`]),
  ];
  // A server of its own: memory that others have left would hide what streams take.
  const freshFlags = [...flags, "--max-queued-sequences", String(Math.max(...plan.memoryStreams))];
  return [
    ...variants.map((variant) => latencyScenario(variant, flags)),
    ...(isJudged ? [...models.map((model) => qualityScenario(model, flags)), baselineScenario(baseline, flags)] : []),
    ...(isJudged ? models.flatMap((model) => ensembles.map((one) => ensembleScenario(model, one, ensembleFlags))) : []),
    ...variants.map((variant) => loadScenario(variant, flags)),
    ...(mix === undefined ? [] : [mixScenario(first, mix, flags)]),
    ...transports.map((transport) => transportScenario(first, transport, flags)),
    peakScenario(first, capacity.bestOf, flags),
    ...capacity.shares.map((share) => offeredScenario(first, capacity.bestOf, share, sizedFlags(flags, capacity.bestOf))),
    offeredScenario(first, capacity.bestOf, Math.max(...capacity.shares), flags, unboundedId),
    ...plan.memoryStreams.map((streams) => memoryScenario(first, streams, freshFlags)),
    ...(peer === undefined ? [] : [peersScenario(peer.llama, peer.smolLM2)]),
  ];
}
