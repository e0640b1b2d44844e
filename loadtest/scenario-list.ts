/** @file Every scenario of a run, in its order: those of one server follow each other. */

import type { Plan } from "./plan.ts";
import type { Scenario } from "./scenario.ts";
import { memoryScenario, offeredScenario, peakScenario, sizedFlags, unboundedId } from "./scenarios/capacity.ts";
import { ensembleScenario } from "./scenarios/ensemble.ts";
import { latencyScenario } from "./scenarios/latency.ts";
import { peersScenario } from "./scenarios/peers.ts";
import { loadScenario, mixScenario } from "./scenarios/load.ts";
import { baselineScenario, qualityScenario } from "./scenarios/quality.ts";
import { smolLM2Scenarios } from "./scenarios/smollm2.ts";
import { transports, transportScenario } from "./scenarios/transport.ts";
import type { Surroundings, TeddyPart } from "./surroundings.ts";
import { baselineModel, servingFlags, variantsOf } from "./variants.ts";

export function scenariosOf({ teddy, smolLM2, peers }: Surroundings, plan: Plan): Scenario[] {
  return [
    ...(teddy === undefined ? [] : teddyScenarios(teddy, plan)),
    ...(smolLM2 === undefined ? [] : smolLM2Scenarios(smolLM2.models, smolLM2.ways, smolLM2.prompts)),
    ...(peers === undefined ? [] : [peersScenario(peers.peers, peers.smolLM2)]),
  ];
}

function teddyScenarios({ models, ensembles, isJudged }: TeddyPart, plan: Plan): Scenario[] {
  const flags = servingFlags(models);
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
  ];
}
