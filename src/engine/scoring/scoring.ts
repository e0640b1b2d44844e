/**
 * @file The queue of scoring: tokenises requests in slices, admits them within bounds of their own, and runs the rows
 * of all of them together.
 */

import { BonsaiError } from "../../errors/bonsai-error.ts";
import { charactersOfStep, type Sliced } from "../../text/slices.ts";
import { Admission, overloaded, type AdmissionLimits, type Reservation } from "../scheduling/admission.ts";
import type { ScoredRow, ReadInput, Scorer } from "./scorer.ts";
import type { ScoringStats } from "../contract/request.ts";
import type { Score, ScoreRequest, ScoreResult } from "../contract/score-request.ts";

/** What becomes of a request, told once to whoever asked. */
export interface ScoreListener {
  scored(result: ScoreResult): void;
  failed(error: unknown): void;
}

/** Rows of one request that are scored at once: a long list of documents leaves room for others. */
const rowsOfRequest = 16;

/** Scoring has a cache of its own: this share of the size of the cache that running answers have. */
const cacheShare = 1 / 4;

interface Job extends Reservation {
  /** Most bytes that its rows take while they are scored; 0 until they are tokenised. */
  bytes: number;
  readonly id: number;
  readonly request: ScoreRequest;
  readonly scorer: Scorer;
  readonly reading: Sliced<ReadInput[]>;
  /** As many as the request has, once they are tokenised; none before. */
  inputs: readonly ReadInput[];
  readonly listener: ScoreListener;
  readonly open: Map<ScoredRow, number>;
  readonly scores: (Score | undefined)[];
  /** The next input to open. */
  next: number;
  cancelled: boolean;
  queuedAtMs: number;
  startedAtMs: number;
}

export class Scoring {
  readonly #scorers: ReadonlyMap<string, Scorer>;
  readonly #admission: Admission<Job>;
  readonly #limits: AdmissionLimits;
  readonly #jobs = new Map<number, Job>();
  /** Not tokenised yet, in order. */
  readonly #unread: Job[] = [];
  /** Admitted, in order. */
  readonly #running: Job[] = [];
  readonly #counters = { scoredInputs: 0, scoredTokens: 0, scoredCachedTokens: 0, scoringRuns: 0, scoringSeconds: 0 };
  #last: Scorer | undefined;

  constructor(scorers: Iterable<Scorer>, limits: AdmissionLimits) {
    this.#scorers = new Map([...scorers].map((scorer) => [scorer.info.id, scorer]));
    this.#limits = { ...limits, kvCacheBytes: Math.floor(limits.kvCacheBytes * cacheShare) };
    this.#admission = new Admission(this.#limits, (jobs) => jobs.reduce((sum, { bytes }) => sum + bytes, 0));
  }

  /** Bytes that running requests have reserved. */
  get reservedBytes(): number {
    return this.#admission.runningBytes;
  }

  get hasWork(): boolean {
    return this.#jobs.size > 0;
  }

  /** Queues a request. Its listener hears of everything else, refusals included. */
  start(id: number, request: ScoreRequest, listener: ScoreListener): void {
    try {
      const job = this.#jobOf(id, request, listener);
      this.#refuseIfFull(job);
      this.#jobs.set(id, job);
      this.#unread.push(job);
    } catch (error) {
      listener.failed(error);
    }
  }

  /** What it holds is free before the next run, and then the listener hears of it. */
  cancel(id: number): void {
    const job = this.#jobs.get(id);
    if (job !== undefined) job.cancelled = true;
  }

  cancelAll(): void {
    for (const job of this.#jobs.values()) job.cancelled = true;
  }

  dropCancelled(): void {
    for (const job of this.#jobs.values()) {
      if (job.cancelled) this.#fail(job, new BonsaiError("cancelled", "The request was cancelled."));
    }
  }

  stats(): ScoringStats {
    const scoringInputs = [...this.#jobs.values()].reduce(
      (sum, { request, next, open }) => sum + request.inputs.length - next + open.size,
      0,
    );
    return { ...this.#counters, scoringInputs };
  }

  /** Some slices of tokenising, then one run for the rows of all requests of one model. Models take turns. */
  async step(): Promise<void> {
    this.#tokenise();
    for (const job of this.#admission.admit()) {
      job.startedAtMs = performance.now();
      this.#running.push(job);
    }
    const next = this.#running.find(({ scorer }) => scorer !== this.#last) ?? this.#running[0];
    if (next === undefined) return;
    const { scorer } = next;
    this.#last = scorer;
    const jobs = this.#running.filter((job) => job.scorer === scorer);
    for (const job of jobs) openRows(job);
    const startMs = performance.now();
    try {
      await scorer.advance(jobs.flatMap(({ open }) => [...open.keys()]));
    } catch (error) {
      for (const job of jobs) this.#fail(job, error);
      return;
    }
    this.#counters.scoringRuns++;
    this.#counters.scoringSeconds += (performance.now() - startMs) / 1000;
    for (const job of jobs) this.#collect(job);
  }

  #jobOf(id: number, request: ScoreRequest, listener: ScoreListener): Job {
    const scorer = this.#scorers.get(request.model);
    if (scorer === undefined) {
      throw new BonsaiError("model_not_found", `The reward model "${request.model}" does not exist; GET /v1/models lists those that do.`, {
        param: "model",
      });
    }
    const { inputs, truncate } = request;
    return {
      id,
      request,
      scorer,
      reading: scorer.read(inputs, truncate),
      inputs: [],
      listener,
      sequences: Math.min(inputs.length, rowsOfRequest, this.#limits.maxSequences),
      bytes: 0,
      open: new Map(),
      scores: inputs.map(() => undefined),
      next: 0,
      cancelled: false,
      queuedAtMs: performance.now(),
      startedAtMs: 0,
    };
  }

  /** A request that would not be admitted once it is tokenised is not tokenised. */
  #refuseIfFull(job: Job): void {
    const { maxSequences, maxQueuedSequences } = this.#limits;
    const unread = this.#unread.reduce((sum, { sequences }) => sum + sequences, 0);
    const waiting = this.#admission.waitingSequences + unread;
    if (this.#admission.runningSequences + waiting + job.sequences > maxSequences + maxQueuedSequences)
      throw overloaded(waiting, this.#limits);
  }

  #tokenise(): void {
    let characters = 0;
    while (characters < charactersOfStep) {
      const [job] = this.#unread;
      if (job === undefined) return;
      try {
        const { done, value } = job.reading.next();
        if (done === true) this.#enqueue(job, value);
        else characters += value;
      } catch (error) {
        this.#fail(job, error);
      }
    }
  }

  /** Puts a request that is tokenised in the queue, with what its rows take. */
  #enqueue(job: Job, inputs: readonly ReadInput[]): void {
    const longest = inputs.reduce((most, { ids }) => Math.max(most, ids.length), 0);
    const rowBytes = job.scorer.bytesOf(longest);
    const { kvCacheBytes } = this.#limits;
    const fitting = Math.floor(kvCacheBytes / rowBytes);
    if (fitting === 0) {
      throw new BonsaiError(
        "request_too_large",
        `An input of ${longest} tokens takes ${rowBytes} bytes while it is scored, and the server has ${kvCacheBytes} for that (a quarter of --kv-cache-bytes).`,
        { param: job.request.inputs[inputs.findIndex(({ ids }) => ids.length === longest)]?.param },
      );
    }
    this.#unread.shift();
    job.inputs = inputs;
    job.sequences = Math.min(job.sequences, fitting);
    job.bytes = job.sequences * rowBytes;
    this.#admission.enqueue(job);
  }

  /** Takes the rows that have ended, and ends the request with the last of them. */
  #collect(job: Job): void {
    for (const [row, index] of job.open) {
      const { outputs, input, cachedTokens } = row;
      if (outputs === undefined) continue;
      const wrong = outputs.find((output) => !Number.isFinite(output));
      if (wrong !== undefined) {
        const { param } = job.request.inputs[index] as ScoreRequest["inputs"][number];
        this.#fail(job, new BonsaiError("internal", `The model gave ${wrong} as an output for ${param}.`));
        return;
      }
      job.open.delete(row);
      job.scores[index] = { raw: outputs, tokens: input.ids.length, cachedTokens, cutTokens: input.cutTokens };
      this.#counters.scoredInputs++;
      this.#counters.scoredTokens += input.ids.length;
      this.#counters.scoredCachedTokens += cachedTokens;
    }
    if (job.open.size > 0 || job.next < job.inputs.length || job.cancelled) return;
    this.#close(job);
    const nowMs = performance.now();
    job.listener.scored({
      scores: job.scores as Score[],
      timings: { queueMs: job.startedAtMs - job.queuedAtMs, computeMs: nowMs - job.startedAtMs },
    });
  }

  #fail(job: Job, error: unknown): void {
    this.#close(job);
    job.listener.failed(error);
  }

  #close(job: Job): void {
    for (const row of job.open.keys()) job.scorer.close(row);
    job.open.clear();
    for (const list of [this.#unread, this.#running]) {
      const at = list.indexOf(job);
      if (at >= 0) list.splice(at, 1);
    }
    this.#admission.remove(job);
    this.#jobs.delete(job.id);
  }
}

/** As many rows as the request has reserved. */
function openRows(job: Job): void {
  while (job.open.size < job.sequences && job.next < job.inputs.length) {
    job.open.set(job.scorer.open(job.inputs[job.next] as ReadInput), job.next);
    job.next++;
  }
}
