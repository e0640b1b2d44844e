/**
 * @file The engine inside this process as a backend: starts the compute worker, carries requests to it, and replaces it
 * if it dies.
 */

import type { Worker } from "node:worker_threads";
import { BonsaiError } from "../../errors/bonsai-error.ts";
import type { Backend, Capabilities } from "../contract/request.ts";
import type { EngineStats, GenerateEvent, GenerateRequest, Generating, ModelInfo, Prompt } from "../contract/request.ts";
import type { ScoreRequest, ScoreResult } from "../contract/score-request.ts";
import { EventQueue } from "./event-queue.ts";
import type { FromWorker, ToWorker, WorkerSetup } from "./messages.ts";
import { acknowledgedBytes, bytesOf } from "./read-window.ts";
import { spawnWorker } from "./spawn-worker.ts";
import { fromWire } from "./wire-error.ts";

/** A step takes milliseconds, or seconds on a slow machine. */
const longestStepMs = 30_000;

/**
 * A worker that was ready for this long before it died is replaced at once; one that dies sooner is replaced after a
 * delay.
 */
const stableMs = 10_000;
const firstRestartDelayMs = 1000;
const longestRestartDelayMs = 60_000;

/** @param failures workers in a row that died before they were stable */
export const restartDelayMs = (failures: number): number =>
  failures === 0 ? 0 : Math.min(longestRestartDelayMs, firstRestartDelayMs * 2 ** (failures - 1));

/** What a request rejects with after its signal has aborted: a server that shuts down is not a client that left. */
const abortReason = ({ reason }: AbortSignal): BonsaiError =>
  reason instanceof BonsaiError ? reason : new BonsaiError("cancelled", "The client left.");

/** Whoever waits for an answer of the worker. */
interface Waiting<T> {
  resolve: (value: T) => void;
  reject: (error: Error) => void;
}

export class WorkerBackend implements Required<Backend> {
  readonly capabilities: Capabilities = { exactSeeds: true, tokenIds: true, exactCounts: true, drop: true };
  readonly #setup: WorkerSetup;
  readonly #log: (line: string) => void;
  readonly #streams = new Map<number, EventQueue<GenerateEvent>>();
  readonly #tokenizing = new Map<number, Waiting<number[]>>();
  readonly #scoring = new Map<number, Waiting<ScoreResult>>();
  /** The thread that runs, or that still loads the models. */
  #worker: Worker | undefined;
  /** When the worker said that its models are loaded; undefined while they load. */
  #readyAtMs: number | undefined;
  /** How long the last load took. */
  #loadMs = 0;
  #models: readonly ModelInfo[] = [];
  #stats: EngineStats | undefined;
  /** Workers in a row that died before they were stable. */
  #failures = 0;
  #restart: NodeJS.Timeout | undefined;
  #restartAtMs = 0;
  #nextId = 1;
  #closing = false;

  /** @param log takes lines for the person who waits */
  constructor(setup: WorkerSetup, log: (line: string) => void) {
    this.#setup = setup;
    this.#log = log;
  }

  get models(): readonly ModelInfo[] {
    return this.#models;
  }

  get unavailable(): BonsaiError | undefined {
    if (this.#closing) return new BonsaiError("draining", "The server is shutting down.");
    if (this.#readyAtMs !== undefined) return undefined;
    const waitMs = this.#restartAtMs + this.#loadMs - performance.now();
    return new BonsaiError("loading", "The compute worker stopped, and the models are being loaded again.", {
      retryAfterSeconds: Math.max(1, Math.ceil(waitMs / 1000)),
    });
  }

  /** Starts a worker. Resolves when its models are loaded; rejects with the error of the first that cannot be. */
  async start(): Promise<void> {
    const worker = spawnWorker("./compute-worker", this.#setup);
    this.#worker = worker;
    const startedMs = performance.now();
    await new Promise<void>((resolve, reject) => {
      let failure: BonsaiError | undefined;
      worker.on("message", (message: FromWorker) => {
        if (message.type === "ready") {
          this.#models = message.models;
          this.#readyAtMs = performance.now();
          this.#loadMs = this.#readyAtMs - startedMs;
          resolve();
        } else if (message.type === "startFailed") {
          failure = fromWire(message.error);
          reject(failure);
        } else this.#receive(message);
      });
      let crash: Error | undefined;
      worker.on("error", (error) => (crash = error));
      worker.on("exit", (code) => {
        failure ??= new BonsaiError("engine_failed", `The compute worker stopped (exit ${code}): ${crash?.message ?? "no message"}.`, {
          cause: crash,
        });
        reject(failure);
        this.#workerGone(worker, failure);
      });
    });
  }

  generate(request: GenerateRequest, signal?: AbortSignal): Generating {
    const id = this.#nextId++;
    return {
      [Symbol.asyncIterator]: () => this.#eventsOf(id, request, signal),
      drop: (indexes) => {
        if (this.#streams.has(id)) this.#post({ type: "drop", id, indexes: [...indexes] });
      },
    };
  }

  async *#eventsOf(id: number, request: GenerateRequest, signal: AbortSignal | undefined): AsyncGenerator<GenerateEvent> {
    if (signal?.aborted) throw abortReason(signal);
    const queue = new EventQueue<GenerateEvent>();
    this.#streams.set(id, queue);
    const abort = (): void => {
      queue.fail(abortReason(signal!));
      // The reader may not come back to hear of it for a while.
      this.#post({ type: "cancel", id });
    };
    signal?.addEventListener("abort", abort);
    let over = false;
    let takenBytes = 0;
    try {
      this.#send({ type: "generate", id, request });
      for await (const event of queue) {
        over = event.type === "end";
        takenBytes += bytesOf(event);
        if (takenBytes >= acknowledgedBytes) {
          this.#post({ type: "taken", id, bytes: takenBytes });
          takenBytes = 0;
        }
        yield event;
        if (over) return;
      }
    } catch (error) {
      over = error instanceof BonsaiError && signal?.aborted !== true;
      throw error;
    } finally {
      signal?.removeEventListener("abort", abort);
      this.#streams.delete(id);
      if (!over) this.#post({ type: "cancel", id });
    }
  }

  async score(request: ScoreRequest, signal?: AbortSignal): Promise<ScoreResult> {
    if (signal?.aborted) throw abortReason(signal);
    const id = this.#nextId++;
    this.#send({ type: "score", id, request });
    let abort: (() => void) | undefined;
    try {
      return await new Promise((resolve, reject) => {
        this.#scoring.set(id, { resolve, reject });
        abort = () => {
          reject(abortReason(signal!));
          this.#post({ type: "cancel", id });
        };
        signal?.addEventListener("abort", abort);
      });
    } finally {
      this.#scoring.delete(id);
      if (abort !== undefined) signal?.removeEventListener("abort", abort);
    }
  }

  tokenize(model: string, prompt: Prompt): Promise<number[]> {
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      this.#send({ type: "tokenize", id, model, prompt });
      this.#tokenizing.set(id, { resolve, reject });
    });
  }

  stats(): EngineStats {
    return this.#stats ?? emptyStats;
  }

  async close(): Promise<void> {
    this.#closing = true;
    clearTimeout(this.#restart);
    this.#failAll(new BonsaiError("draining", "The server is shutting down."));
    const worker = this.#worker;
    this.#worker = undefined;
    if (worker === undefined) return;
    // Between two steps the worker hears this, drops its requests and leaves. Cutting it within a step ends the whole
    // process, since ONNX Runtime's binding throws where nobody catches: only a step that hangs is cut.
    const gone = new Promise((resolve) => worker.once("exit", resolve));
    worker.postMessage({ type: "close" } satisfies ToWorker);
    const cut = setTimeout(() => void worker.terminate(), longestStepMs);
    await gone;
    clearTimeout(cut);
  }

  /** @throws BonsaiError `loading` or `draining` while no request is taken */
  #send(message: ToWorker): void {
    const { unavailable } = this;
    if (unavailable !== undefined) throw unavailable;
    this.#worker?.postMessage(message);
  }

  /** Tells the worker something about a request that it has, if it still runs. */
  #post(message: ToWorker): void {
    if (!this.#closing && this.#readyAtMs !== undefined) this.#worker?.postMessage(message);
  }

  #receive(message: Exclude<FromWorker, { type: "ready" | "startFailed" }>): void {
    if (message.type === "log") this.#log(message.line);
    else if (message.type === "turn") {
      this.#stats = message.stats;
      for (const { id, event } of message.events) this.#streams.get(id)?.push(event);
      for (const { id, result } of message.scores) this.#scoring.get(id)?.resolve(result);
      for (const { id, error } of message.failures) {
        this.#streams.get(id)?.fail(fromWire(error));
        this.#scoring.get(id)?.reject(fromWire(error));
      }
    } else {
      const waiting = this.#tokenizing.get(message.id);
      this.#tokenizing.delete(message.id);
      if (message.type === "tokens") waiting?.resolve(message.ids);
      else waiting?.reject(fromWire(message.error));
    }
  }

  #workerGone(worker: Worker, failure: BonsaiError): void {
    if (this.#worker !== worker) return;
    const nowMs = performance.now();
    const isStable = this.#readyAtMs !== undefined && nowMs - this.#readyAtMs >= stableMs;
    this.#worker = undefined;
    this.#readyAtMs = undefined;
    this.#stats = undefined;
    this.#failAll(failure);
    // The first worker's failure is the caller's: it has not resolved `start`.
    if (this.#models.length === 0) return;
    this.#failures = isStable ? 0 : this.#failures + 1;
    const delayMs = restartDelayMs(this.#failures);
    this.#restartAtMs = nowMs + delayMs;
    this.#log(`${failure.message} The worker is started again ${delayMs === 0 ? "now" : `in ${delayMs / 1000} s`}.`);
    // A failure to start is logged, and tried again, when the worker exits.
    this.#restart = setTimeout(() => void this.start().catch(() => undefined), delayMs);
  }

  #failAll(error: BonsaiError): void {
    for (const queue of this.#streams.values()) queue.fail(error);
    for (const { reject } of [...this.#tokenizing.values(), ...this.#scoring.values()]) reject(error);
    this.#tokenizing.clear();
  }
}

const emptyStats: EngineStats = {
  runningSequences: 0,
  waitingSequences: 0,
  waitingRequests: 0,
  kvTokensReserved: 0,
  kvTokensCapacity: 0,
  prefixCacheBytes: 0,
  prefixCacheHitTokens: 0,
  prefixCacheQueryTokens: 0,
  promptTokens: 0,
  generatedTokens: 0,
  decodeSteps: 0,
  decodeRows: 0,
  prefillChunks: 0,
  decodeSeconds: 0,
  prefillSeconds: 0,
  scoredInputs: 0,
  scoredTokens: 0,
  scoredCachedTokens: 0,
  scoringRuns: 0,
  scoringSeconds: 0,
  scoringInputs: 0,
};
