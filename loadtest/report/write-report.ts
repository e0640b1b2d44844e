/** @file From the results of all scenarios to the chapters of docs/LOADTEST.md, their data and their figures. */

import { mkdirSync } from "node:fs";
import type { BenchResult, Check } from "../measurement/bench-result.ts";
import type { Conditions } from "../measurement/conditions.ts";
import { keepMeasurement } from "../measurement/kept-measurements.ts";
import { measurementsMarkdown } from "../measurement/markdown.ts";
import type { LoadSummary } from "../load-summary.ts";
import type { Plan } from "../plan.ts";
import { agreementWithGroup, measuredPoint, rewardedWay, rewardOf, type Measured } from "../quality/measured-points.ts";
import { memoryId, offeredId, peakId, sizedFlags, unboundedId, type MemoryResult, type OfferedResult } from "../scenarios/capacity.ts";
import { ensembleId, type EnsembleResult } from "../scenarios/ensemble.ts";
import { latencyId, type LatencyResult } from "../scenarios/latency.ts";
import { loadId, mixId, type MixResult } from "../scenarios/load.ts";
import { peersId, type PeersResult } from "../scenarios/peers.ts";
import {
  baselineCandidatesId,
  baselineId,
  candidatesId,
  qualityId,
  type Candidate,
  type CandidatesResult,
  type QualityResult,
} from "../scenarios/quality.ts";
import { transportId, transports } from "../scenarios/transport.ts";
import type { SmolLM2Part, Surroundings, TeddyPart } from "../surroundings.ts";
import { variantTitle, variantsOf, type MeasuredModel } from "../variants.ts";
import { capacityChapter } from "./capacity-chapter.ts";
import { loadTests, type Chapter } from "./chapter.ts";
import { choiceChapter } from "./choice-chapter.ts";
import { loadChapter } from "./load-chapter.ts";
import { peersChapter } from "./peers-chapter.ts";
import { qualityChapter } from "./quality-chapter.ts";
import { smolLM2Chapter } from "./smollm2-chapter.ts";

export interface ReportFacts {
  /** Results by the ids of their scenarios. */
  results: ReadonlyMap<string, unknown>;
  plan: Plan;
  surroundings: Surroundings;
  conditions: Conditions;
  command: string;
}

/**
 * @param docs where to write; undefined writes nothing
 * @returns the text of the chapters, and all checks
 */
export async function writeReport(facts: ReportFacts, docs: string | undefined): Promise<{ text: string; checks: Check[] }> {
  const chapters = await chaptersOf(facts);
  const { command, conditions } = facts;
  const finished = chapters.map(({ figures, ...chapter }): BenchResult => ({
    ...chapter,
    command,
    conditions,
    figures: figures.map(({ file, caption }) => ({ file, caption })),
  }));
  if (docs !== undefined) {
    mkdirSync(docs, { recursive: true });
    for (const [place, result] of finished.entries())
      keepMeasurement(result, new Map(chapters[place]!.figures.map(({ file, svg }) => [file, svg])), docs, loadTests);
  }
  return { text: measurementsMarkdown(finished, loadTests), checks: finished.flatMap(({ checks }) => checks) };
}

async function chaptersOf({ results, plan, surroundings }: ReportFacts): Promise<Chapter[]> {
  const { prompts, teddy, smolLM2 } = surroundings;
  const peers = results.get(peersId) as PeersResult | undefined;
  return [
    ...(teddy === undefined ? [] : await teddyChapters({ results, plan, prompts, ...teddy })),
    ...(smolLM2 === undefined ? [] : [await smolLM2ChapterOf(results, smolLM2)]),
    ...(peers === undefined ? [] : [peersChapter(peers)]),
  ];
}

type TeddyFacts = TeddyPart & Pick<ReportFacts, "results" | "plan"> & Pick<Surroundings, "prompts">;

async function teddyChapters(facts: TeddyFacts): Promise<Chapter[]> {
  return [...(facts.isJudged ? await judgedChapters(facts) : []), latencyChapter(facts), await capacityOf(facts)];
}

async function judgedChapters({ results, plan, models, ensembles, prompts }: TeddyFacts): Promise<Chapter[]> {
  const baseline = results.get(baselineId) as number[][];
  const qualityOf = (model: MeasuredModel): QualityResult => results.get(qualityId(model)) as QualityResult;
  const measured = models.flatMap((model) => measuredOf(results, model, plan.counts, qualityOf(model), baseline));
  const points = measured.map((one) => measuredPoint(one, prompts));
  return [
    await choiceChapter({
      points,
      prompts: baseline.length,
      prunedPrompts: Math.min(plan.prunedPrompts, baseline.length),
      agreement: leastAgreement(measured),
    }),
    await qualityChapter(
      models.map((model) => ({
        model,
        quality: qualityOf(model),
        ensembles: ensembles.map((ensemble) => ({ ensemble, rewards: results.get(ensembleId(model, ensemble)) as EnsembleResult })),
      })),
      baseline,
      points,
      plan.counts,
    ),
  ];
}

/** The results of every variant of a model. */
function measuredOf<C extends Candidate>(
  results: ReadonlyMap<string, unknown>,
  model: MeasuredModel,
  counts: readonly number[],
  quality: readonly (readonly C[])[],
  baseline: readonly (readonly number[])[],
): Measured<C>[] {
  return variantsOf(model, counts).map((variant) => {
    const latency = results.get(latencyId(variant)) as LatencyResult;
    return { variant, latency, quality, baseline };
  });
}

function leastAgreement(measured: readonly Measured<Candidate>[]): number {
  return Math.min(...measured.map(agreementWithGroup).filter((share) => !Number.isNaN(share)));
}

/** Exported for its test, which measures other models so. */
export async function smolLM2ChapterOf(results: ReadonlyMap<string, unknown>, { models, ways }: SmolLM2Part): Promise<Chapter> {
  const baseline = (results.get(baselineCandidatesId) as CandidatesResult).map((group) => group.map(rewardOf));
  const measured = models.flatMap((model) =>
    measuredOf(results, model, ways.counts, results.get(candidatesId(model)) as CandidatesResult, baseline),
  );
  return smolLM2Chapter({
    ways: measured.map(rewardedWay),
    loads: measured.map(({ latency }) => latency.load),
    baseline: models[0]!.id,
    maxTokens: models[0]!.maxTokens,
    prompts: baseline.length,
    prunedPrompts: Math.min(ways.prunedPrompts, baseline.length),
    candidates: Math.max(...ways.counts),
    agreement: leastAgreement(measured),
  });
}

function latencyChapter({ results, plan, models }: TeddyFacts): Chapter {
  const variants = models.flatMap((model) => variantsOf(model, plan.counts));
  return loadChapter({
    alone: variants.map((variant) => ({ title: variantTitle(variant), load: (results.get(latencyId(variant)) as LatencyResult).load })),
    together: variants.map((variant) => ({ title: variantTitle(variant), load: results.get(loadId(variant)) as LoadSummary })),
    connections: plan.loadConnections,
    mix: plan.mix && { ...plan.mix, result: results.get(mixId) as MixResult },
    transports: transports.map((title) => ({ title, load: results.get(transportId(title)) as LoadSummary })),
    transportClients: plan.transport.clients,
  });
}

async function capacityOf({ results, plan, models }: TeddyFacts): Promise<Chapter> {
  const { bestOf, shares } = plan.capacity;
  return capacityChapter({
    model: models[0]!.id,
    bestOf,
    sizedFlags: sizedFlags([], bestOf),
    peak: results.get(peakId) as LoadSummary,
    offered: shares.map((share) => results.get(offeredId(share)) as OfferedResult),
    unbounded: results.get(unboundedId) as OfferedResult,
    memory: plan.memoryStreams.map((streams) => results.get(memoryId(streams)) as MemoryResult),
  });
}
