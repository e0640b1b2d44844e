/**
 * @file The server's Prometheus metrics: requests, latencies of generation, and the engine's counters as they stand at
 * each scrape.
 */

import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from "prom-client";
import type { BestOfEvent } from "../best-of-n/result.ts";
import { deltaTokens, type EngineStats } from "../engine/contract/request.ts";
import { BestOfMetrics } from "./generation/best-of-metrics.ts";
import type { Lifecycle } from "./lifecycle.ts";

const requestSeconds = [0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300];
const firstTokenSeconds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];
const tokenSeconds = [0.001, 0.0025, 0.005, 0.01, 0.015, 0.02, 0.03, 0.05, 0.075, 0.1, 0.25, 0.5, 1, 2.5];

interface EngineMetric {
  name: string;
  help: string;
  kind: "counter" | "gauge";
  value: (stats: EngineStats) => number;
}

const engineMetrics: readonly EngineMetric[] = [
  {
    name: "bonsai_sequences_running",
    help: "Sequences that decode or prefill now",
    kind: "gauge",
    value: (stats) => stats.runningSequences,
  },
  { name: "bonsai_sequences_waiting", help: "Sequences in the queue", kind: "gauge", value: (stats) => stats.waitingSequences },
  { name: "bonsai_requests_waiting", help: "Requests in the queue", kind: "gauge", value: (stats) => stats.waitingRequests },
  {
    name: "bonsai_kv_tokens_reserved",
    help: "Tokens of the key/value cache that running sequences have reserved",
    kind: "gauge",
    value: (stats) => stats.kvTokensReserved,
  },
  {
    name: "bonsai_kv_tokens_capacity",
    help: "Tokens that the key/value cache holds",
    kind: "gauge",
    value: (stats) => stats.kvTokensCapacity,
  },
  {
    name: "bonsai_prefix_cache_bytes",
    help: "Bytes of prompts kept between requests",
    kind: "gauge",
    value: (stats) => stats.prefixCacheBytes,
  },
  {
    name: "bonsai_prefix_cache_hit_tokens_total",
    help: "Prompt tokens that the prefix cache answered",
    kind: "counter",
    value: (stats) => stats.prefixCacheHitTokens,
  },
  {
    name: "bonsai_prefix_cache_query_tokens_total",
    help: "Prompt tokens that were looked up in the prefix cache",
    kind: "counter",
    value: (stats) => stats.prefixCacheQueryTokens,
  },
  { name: "bonsai_prompt_tokens_total", help: "Prompt tokens of admitted requests", kind: "counter", value: (stats) => stats.promptTokens },
  { name: "bonsai_generated_tokens_total", help: "Tokens generated", kind: "counter", value: (stats) => stats.generatedTokens },
  { name: "bonsai_decode_steps_total", help: "Decode steps", kind: "counter", value: (stats) => stats.decodeSteps },
  {
    name: "bonsai_decode_rows_total",
    help: "Rows of all decode steps; over decode steps, the mean batch size",
    kind: "counter",
    value: (stats) => stats.decodeRows,
  },
  { name: "bonsai_prefill_chunks_total", help: "Prefill chunks", kind: "counter", value: (stats) => stats.prefillChunks },
  { name: "bonsai_decode_seconds_total", help: "Time in decode steps", kind: "counter", value: (stats) => stats.decodeSeconds },
  { name: "bonsai_prefill_seconds_total", help: "Time in prefill chunks", kind: "counter", value: (stats) => stats.prefillSeconds },
  {
    name: "bonsai_scoring_inputs",
    help: "Answers that reward models score now, or that wait to be",
    kind: "gauge",
    value: (stats) => stats.scoringInputs,
  },
  {
    name: "bonsai_scored_inputs_total",
    help: "Answers that reward models have scored",
    kind: "counter",
    value: (stats) => stats.scoredInputs,
  },
  {
    name: "bonsai_scored_tokens_total",
    help: "Tokens of scored answers, prompts included",
    kind: "counter",
    value: (stats) => stats.scoredTokens,
  },
  {
    name: "bonsai_scored_cached_tokens_total",
    help: "Of them, tokens that other answers or earlier requests had computed",
    kind: "counter",
    value: (stats) => stats.scoredCachedTokens,
  },
  {
    name: "bonsai_worker_restarts_total",
    help: "Compute workers that were started because one had ended",
    kind: "counter",
    value: (stats) => stats.workerRestarts,
  },
  {
    name: "bonsai_worker_resident_memory_bytes",
    help: "Resident memory of the compute worker; process_resident_memory_bytes is the server's own",
    kind: "gauge",
    value: (stats) => stats.workerResidentBytes,
  },
  {
    name: "bonsai_changed_model_sources",
    help: "Files and folders of models that have changed on disk since they were loaded",
    kind: "gauge",
    value: (stats) => stats.changedModelSources,
  },
  { name: "bonsai_scoring_runs_total", help: "Runs of reward models", kind: "counter", value: (stats) => stats.scoringRuns },
  { name: "bonsai_scoring_seconds_total", help: "Time in runs of reward models", kind: "counter", value: (stats) => stats.scoringSeconds },
];

/** The metrics of one server, in a registry of their own. */
export class Metrics {
  readonly registry = new Registry();
  readonly bestOf = new BestOfMetrics(this.registry);
  readonly #requests = new Counter({
    name: "bonsai_requests_total",
    help: "Answers by route and status; 499 is a client that left",
    labelNames: ["route", "status"] as const,
    registers: [this.registry],
  });
  readonly #duration = new Histogram({
    name: "bonsai_request_duration_seconds",
    help: "From the request's head to the end of the answer",
    labelNames: ["route"] as const,
    buckets: requestSeconds,
    registers: [this.registry],
  });
  readonly #streams = new Counter({
    name: "bonsai_websocket_answers_total",
    help: "Answers over WebSocket by route and outcome: done, or the code of the error",
    labelNames: ["route", "outcome"] as const,
    registers: [this.registry],
  });
  readonly #firstToken = new Histogram({
    name: "bonsai_time_to_first_token_seconds",
    help: "From the request's body to its first token",
    labelNames: ["model"] as const,
    buckets: firstTokenSeconds,
    registers: [this.registry],
  });
  readonly #interToken = new Histogram({
    name: "bonsai_inter_token_seconds",
    help: "Between two tokens of a sequence, as the server sees them",
    labelNames: ["model"] as const,
    buckets: tokenSeconds,
    registers: [this.registry],
  });
  readonly #queue = new Histogram({
    name: "bonsai_queue_seconds",
    help: "Time of a finished request in the queue",
    labelNames: ["model"] as const,
    buckets: firstTokenSeconds,
    registers: [this.registry],
  });

  constructor(lifecycle: Lifecycle) {
    collectDefaultMetrics({ register: this.registry });
    this.#sample("gauge", "bonsai_ready", "1 when the models can answer, else 0", () => (lifecycle.phase === "ready" ? 1 : 0));
    this.#sample("gauge", "bonsai_generations_running", "Generation requests whose answer is not complete", () => lifecycle.running);
    for (const { name, help, kind, value } of engineMetrics) {
      this.#sample(kind, name, help, () => (lifecycle.loadedEngine === undefined ? 0 : value(lifecycle.loadedEngine.stats())));
    }
  }

  /** Registers a metric that takes its value at each scrape. */
  #sample(kind: "counter" | "gauge", name: string, help: string, current: () => number): void {
    if (kind === "gauge") {
      const gauge: Gauge = new Gauge({ name, help, registers: [], collect: () => gauge.set(current()) });
      this.registry.registerMetric(gauge);
    } else {
      const counter: Counter = new Counter({
        name,
        help,
        registers: [],
        collect: () => {
          counter.reset();
          counter.inc(current());
        },
      });
      this.registry.registerMetric(counter);
    }
  }

  /** Counts an answer. @param seconds undefined for a connection, which lasts as long as its client wants */
  answered(route: string, status: number, seconds: number | undefined): void {
    this.#requests.inc({ route, status: String(status) });
    if (seconds !== undefined) this.#duration.observe({ route }, seconds);
  }

  /** Counts an answer over WebSocket. @param outcome "done" or the code of its error */
  streamed(route: string, outcome: string): void {
    this.#streams.inc({ route, outcome });
  }

  /** Shows how many WebSocket connections are open. */
  countConnections(current: () => number): void {
    this.#sample("gauge", "bonsai_websockets", "WebSocket connections that are open", current);
  }

  /** Takes the events of one generation as they come, and measures the times between its tokens. */
  observer(model: string): (event: BestOfEvent) => void {
    const labels = { model };
    const startMs = performance.now();
    const previousMs = new Map<number, number>();
    return (event) => {
      if (event.type === "delta" && deltaTokens(event) > 0) {
        const nowMs = performance.now();
        if (previousMs.size === 0) this.#firstToken.observe(labels, (nowMs - startMs) / 1000);
        const beforeMs = previousMs.get(event.index);
        if (beforeMs !== undefined) this.#interToken.observe(labels, (nowMs - beforeMs) / 1000 / deltaTokens(event));
        previousMs.set(event.index, nowMs);
      } else if (event.type === "end") this.#queue.observe(labels, event.timings.queueMs / 1000);
      else if (event.type === "chosen") this.bestOf.chosen(model, event.report);
    };
  }
}
