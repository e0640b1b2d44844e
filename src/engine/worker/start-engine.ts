/** @file The engine as the server sees it: starts the compute worker, carries requests to it, and replaces it if it dies. */

import { availableParallelism } from "node:os";
import type { Worker } from "node:worker_threads";
import { BonsaiError } from "../../errors/bonsai-error.ts";
import type { EngineLoopOptions } from "../scheduling/engine-loop.ts";
import { ensembleInfos, type NamedEnsemble } from "../contract/ensembles.ts";
import { EventQueue } from "./event-queue.ts";
import type { FromWorker, ToWorker, WorkerSetup } from "./messages.ts";
import type { ModelOptions } from "../loading/model.ts";
import type { Engine, EngineStats, GenerateEvent, GenerateRequest, Generating, ModelInfo, Prompt } from "../contract/request.ts";
import type { ScoreRequest, ScoreResult } from "../contract/score-request.ts";
import { spawnWorker } from "./spawn-worker.ts";
import { fromWire } from "./wire-error.ts";

export interface EngineOptions extends EngineLoopOptions, Pick<ModelOptions, "device" | "quantization" | "cacheDir"> {
  models: readonly Pick<ModelOptions, "id" | "path" | "reward" | "rewardModel" | "encoder" | "adapters" | "heads" | "implicitRewards">[];
  /** Reward models that are made of others. */
  ensembles?: readonly NamedEnsemble[];
  /** Threads that compute; 0 takes one for each core. */
  threads: number;
  /** Takes lines for the person who waits. */
  log: (line: string) => void;
}

/** Quantised weights on disk, all models together. */
const maxCacheBytes = 8 * 1024 ** 3;

/** A step takes milliseconds, or seconds on a slow machine. */
const longestStepMs = 30_000;

/** Workers are started at least this far apart, so that one that dies at once does not take the machine with it. */
const restartIntervalMs = 10_000;

/** Resolves when all models are loaded. Rejects with the error of the first that cannot be. */
export async function startEngine(options: EngineOptions): Promise<Engine> {
  const { models, ensembles = [], device, quantization, cacheDir, log, threads, ...loop } = options;
  const setup: WorkerSetup = {
    models: models.map((model) => ({
      ...model,
      device,
      quantization,
      cacheDir,
      maxCacheBytes,
      maxRows: loop.maxSequences,
      kvCacheBytes: loop.kvCacheBytes,
      threads: threads || availableParallelism(),
      spinning: true,
    })),
    loop,
  };
  const engine = new WorkerEngine(setup, ensembles, log);
  await engine.start();
  return engine;
}

/** Whoever waits for an answer of the worker. */
interface Waiting<T> {
  resolve: (value: T) => void;
  reject: (error: Error) => void;
}

class WorkerEngine implements Engine {
  readonly #setup: WorkerSetup;
  readonly #ensembles: readonly NamedEnsemble[];
  readonly #log: (line: string) => void;
  readonly #streams = new Map<number, EventQueue<GenerateEvent>>();
  readonly #tokenizing = new Map<number, Waiting<number[]>>();
  readonly #scoring = new Map<number, Waiting<ScoreResult>>();
  #worker: Worker | undefined;
  #models: readonly ModelInfo[] = [];
  #stats: EngineStats | undefined;
  #restart: NodeJS.Timeout | undefined;
  #nextId = 1;
  #closing = false;

  constructor(setup: WorkerSetup, ensembles: readonly NamedEnsemble[], log: (line: string) => void) {
    this.#setup = setup;
    this.#ensembles = ensembles;
    this.#log = log;
  }

  get models(): readonly ModelInfo[] {
    return this.#models;
  }

  /** Starts a worker and waits until it is ready. */
  async start(): Promise<void> {
    const worker = spawnWorker("./compute-worker", this.#setup);
    this.#worker = worker;
    const startedMs = performance.now();
    await new Promise<void>((resolve, reject) => {
      let crash: Error | undefined;
      worker.on("message", (message: FromWorker) => {
        if (message.type === "ready") {
          try {
            this.#models = [...message.models, ...ensembleInfos(message.models, this.#ensembles)];
            resolve();
          } catch (error) {
            reject(error);
            worker.postMessage({ type: "close" } satisfies ToWorker);
          }
        } else if (message.type === "startFailed") reject(fromWire(message.error));
        else this.#receive(message);
      });
      worker.on("error", (error) => (crash = error));
      worker.on("exit", (code) => {
        const failure = new BonsaiError("engine_failed", `The compute worker stopped (exit ${code}): ${crash?.message ?? "no message"}.`, {
          cause: crash,
        });
        reject(failure);
        this.#workerGone(worker, failure, performance.now() - startedMs);
      });
    });
  }

  generate(request: GenerateRequest, signal?: AbortSignal): Generating {
    const id = this.#nextId++;
    return {
      [Symbol.asyncIterator]: () => this.#eventsOf(id, request, signal),
      drop: (indexes) => {
        if (this.#streams.has(id)) this.#worker?.postMessage({ type: "drop", id, indexes: [...indexes] } satisfies ToWorker);
      },
    };
  }

  async *#eventsOf(id: number, request: GenerateRequest, signal: AbortSignal | undefined): AsyncGenerator<GenerateEvent> {
    if (signal?.aborted) throw new BonsaiError("cancelled", "The client left before the request was admitted.");
    const queue = new EventQueue<GenerateEvent>();
    this.#streams.set(id, queue);
    const abort = (): void => queue.fail(new BonsaiError("cancelled", "The client left."));
    signal?.addEventListener("abort", abort);
    let over = false;
    try {
      this.#send({ type: "generate", id, request });
      for await (const event of queue) {
        over = event.type === "end";
        yield event;
        if (over) return;
      }
    } catch (error) {
      over = error instanceof BonsaiError && error.code !== "cancelled";
      throw error;
    } finally {
      signal?.removeEventListener("abort", abort);
      this.#streams.delete(id);
      if (!over && !this.#closing) this.#worker?.postMessage({ type: "cancel", id } satisfies ToWorker);
    }
  }

  async score(request: ScoreRequest, signal?: AbortSignal): Promise<ScoreResult> {
    const left = (): BonsaiError => new BonsaiError("cancelled", "The client left.");
    if (signal?.aborted) throw left();
    const id = this.#nextId++;
    this.#send({ type: "score", id, request });
    let abort: (() => void) | undefined;
    try {
      return await new Promise((resolve, reject) => {
        this.#scoring.set(id, { resolve, reject });
        abort = () => {
          reject(left());
          if (!this.#closing) this.#worker?.postMessage({ type: "cancel", id } satisfies ToWorker);
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
    // Between two steps the worker hears this, drops its requests and leaves. Cutting it within a step ends the whole process, since
    // ONNX Runtime's binding throws where nobody catches: only a step that hangs is cut.
    const gone = new Promise((resolve) => worker.once("exit", resolve));
    worker.postMessage({ type: "close" } satisfies ToWorker);
    const cut = setTimeout(() => void worker.terminate(), longestStepMs);
    await gone;
    clearTimeout(cut);
  }

  #send(message: ToWorker): void {
    if (this.#worker === undefined) {
      throw this.#closing
        ? new BonsaiError("draining", "The server is shutting down.")
        : new BonsaiError("engine_failed", "The compute worker is being started again; retry shortly.", { retryAfterSeconds: 5 });
    }
    this.#worker.postMessage(message);
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

  #workerGone(worker: Worker, failure: BonsaiError, lifeMs: number): void {
    if (this.#worker !== worker) return;
    this.#worker = undefined;
    this.#stats = undefined;
    this.#failAll(failure);
    if (this.#closing || this.#models.length === 0) return;
    this.#log(`${failure.message} It is started again.`);
    const restart = (): void => {
      this.start().catch((error: unknown) => this.#log(`The compute worker could not be started again: ${(error as Error).message}`));
    };
    this.#restart = setTimeout(restart, Math.max(0, restartIntervalMs - lifeMs));
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
