/** @file The engine of this machine as a backend: carries requests to the compute worker, and its answers back. */

import { BonsaiError } from "../../errors/bonsai-error.ts";
import type { Backend, Capabilities } from "../contract/request.ts";
import type { EngineStats, GenerateEvent, GenerateRequest, Generating, LoopStats, ModelInfo, Prompt } from "../contract/request.ts";
import type { ScoreRequest, ScoreResult } from "../contract/score-request.ts";
import { EventQueue } from "./event-queue.ts";
import type { FromWorker, WorkerSetup } from "./messages.ts";
import { acknowledgedBytes, bytesOf } from "./read-window.ts";
import { Supervisor } from "./supervisor.ts";
import { fromWire } from "./wire-error.ts";

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
  readonly #supervisor: Supervisor;
  readonly #streams = new Map<number, EventQueue<GenerateEvent>>();
  readonly #tokenizing = new Map<number, Waiting<number[]>>();
  readonly #scoring = new Map<number, Waiting<ScoreResult>>();
  #stats: LoopStats | undefined;
  #nextId = 1;

  /** @param log takes lines for the person who waits */
  constructor(setup: WorkerSetup, log: (line: string) => void) {
    this.#supervisor = new Supervisor({
      setup,
      log,
      receive: (message) => this.#receive(message),
      gone: (failure) => {
        this.#stats = undefined;
        this.#failAll(failure);
      },
    });
  }

  get models(): readonly ModelInfo[] {
    return this.#supervisor.models;
  }

  get unavailable(): BonsaiError | undefined {
    return this.#supervisor.unavailable;
  }

  get lost(): Promise<BonsaiError> {
    return this.#supervisor.lost;
  }

  /** Starts the worker. Resolves when its models are loaded; rejects with the error of the first that cannot be. */
  async start(): Promise<void> {
    await this.#supervisor.start();
  }

  generate(request: GenerateRequest, signal?: AbortSignal): Generating {
    const id = this.#nextId++;
    return {
      [Symbol.asyncIterator]: () => this.#eventsOf(id, request, signal),
      drop: (indexes) => {
        if (this.#streams.has(id)) this.#supervisor.post({ type: "drop", id, indexes: [...indexes] });
      },
      proceed: (tokens, settled) => {
        if (this.#streams.has(id)) this.#supervisor.post({ type: "proceed", id, tokens, settled: [...settled] });
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
      this.#supervisor.post({ type: "cancel", id });
    };
    signal?.addEventListener("abort", abort);
    let over = false;
    let takenBytes = 0;
    try {
      this.#supervisor.send({ type: "generate", id, request });
      for await (const event of queue) {
        over = event.type === "end";
        takenBytes += bytesOf(event);
        if (takenBytes >= acknowledgedBytes) {
          this.#supervisor.post({ type: "taken", id, bytes: takenBytes });
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
      if (!over) this.#supervisor.post({ type: "cancel", id });
    }
  }

  async score(request: ScoreRequest, signal?: AbortSignal): Promise<ScoreResult> {
    if (signal?.aborted) throw abortReason(signal);
    const id = this.#nextId++;
    this.#supervisor.send({ type: "score", id, request });
    let abort: (() => void) | undefined;
    try {
      return await new Promise((resolve, reject) => {
        this.#scoring.set(id, { resolve, reject });
        abort = () => {
          reject(abortReason(signal!));
          this.#supervisor.post({ type: "cancel", id });
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
      this.#supervisor.send({ type: "tokenize", id, model, prompt });
      this.#tokenizing.set(id, { resolve, reject });
    });
  }

  stats(): EngineStats {
    return { ...(this.#stats ?? emptyStats), ...this.#supervisor.stats };
  }

  async close(): Promise<void> {
    const closed = this.#supervisor.close();
    this.#failAll(new BonsaiError("draining", "The server is shutting down."));
    await closed;
  }

  #receive(message: Exclude<FromWorker, { type: "ready" | "startFailed" | "log" | "memory" }>): void {
    if (message.type === "turn") {
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

  #failAll(error: BonsaiError): void {
    for (const queue of this.#streams.values()) queue.fail(error);
    for (const { reject } of [...this.#tokenizing.values(), ...this.#scoring.values()]) reject(error);
    this.#tokenizing.clear();
  }
}

const emptyStats: LoopStats = {
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
