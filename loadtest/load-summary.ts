/**
 * @file A load in numbers: quantiles of its clients' waiting times, throughput, goodput, refusals, and the server's
 * metrics.
 */

import { quantile } from "../src/statistics/quantiles.ts";
import { isAnswered, isRefused, type Observation } from "./drivers/observation.ts";
import type { ServerDuring } from "./server-metrics.ts";

/** Quantiles of times, milliseconds. */
export interface Quantiles {
  p50: number;
  p90: number;
  p99: number;
  measured: number;
}

export interface LoadSummary {
  requests: number;
  answered: number;
  refused: number;
  /** Refusals with a Retry-After that is a number of seconds. */
  refusedWithRetryAfter: number;
  failed: number;
  /** Why the first failed request failed. */
  firstFailure: string | null;
  seconds: number;
  firstTokenMs: Quantiles | null;
  /** Times between two pieces of an answer that is streamed token by token. */
  interTokenMs: Quantiles | null;
  endToEndMs: Quantiles | null;
  /** Answers a second. */
  throughput: number;
  /** Answers a second that met the objective. */
  goodput: number;
  tokensGenerated: number;
  tokensReturned: number;
  server: ServerDuring | null;
}

/** The latency objective: a whole answer within this time. */
export const objectiveMs = 1000;

/** Null without values. */
export function quantilesOf(values: readonly number[]): Quantiles | null {
  if (values.length === 0) return null;
  return { p50: quantile(values, 0.5), p90: quantile(values, 0.9), p99: quantile(values, 0.99), measured: values.length };
}

/**
 * @param seconds the time that rates refer to
 * @param isIncremental whether pieces come as their tokens are sampled; those of Best-of-N's winner come all at once
 */
export function summarizeLoad(
  observations: readonly Observation[],
  seconds: number,
  isIncremental: boolean,
  server: ServerDuring | null,
): LoadSummary {
  const answered = observations.filter(isAnswered);
  const refused = observations.filter(isRefused);
  const failed = observations.filter((one) => !isAnswered(one) && !isRefused(one));
  const gaps = answered.flatMap(({ pieceMs }) => pieceMs.slice(1).map((at, index) => at - pieceMs[index]!));
  const total = (of: (one: Observation) => number): number => answered.reduce((sum, one) => sum + of(one), 0);
  return {
    requests: observations.length,
    answered: answered.length,
    refused: refused.length,
    refusedWithRetryAfter: refused.filter(({ retryAfterSeconds }) => Number.isFinite(retryAfterSeconds)).length,
    failed: failed.length,
    firstFailure: failed[0] === undefined ? null : (failed[0].failure ?? "no answer"),
    seconds,
    firstTokenMs: quantilesOf(answered.flatMap(({ firstTokenMs }) => firstTokenMs ?? [])),
    interTokenMs: isIncremental ? quantilesOf(gaps) : null,
    endToEndMs: quantilesOf(answered.map(({ endToEndMs }) => endToEndMs)),
    throughput: answered.length / seconds,
    goodput: answered.filter(({ endToEndMs }) => endToEndMs <= objectiveMs).length / seconds,
    tokensGenerated: total(({ tokensGenerated }) => tokensGenerated),
    tokensReturned: total(({ tokensReturned }) => tokensReturned),
    server,
  };
}
