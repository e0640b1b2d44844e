/** @file Keeps a compute worker running: starts the process, and replaces it a bounded number of times. */

import type { ChildProcess } from "node:child_process";
import { BonsaiError } from "../../errors/bonsai-error.ts";
import type { ModelInfo, WorkerStats } from "../contract/request.ts";
import type { FromWorker, ToWorker, WorkerSetup } from "./messages.ts";
import { ModelSources } from "./model-sources.ts";
import { spawnWorker } from "./spawn-worker.ts";
import { fromWire } from "./wire-error.ts";

/** A worker that is told to end and does not, since it is within a step or prepares a model, is killed after this. */
const closeMs = 1000;

/**
 * A worker that was ready for this long before it died is replaced at once; one that dies sooner is replaced after a
 * delay.
 */
const stableMs = 10_000;
const firstRestartDelayMs = 1000;
const longestRestartDelayMs = 60_000;

/** No worker is started after so many in a row that died before they were stable: some three minutes of tries. */
export const mostFailures = 8;

/** How often the files of the models are looked at: some microseconds for each. */
const sourcesCheckMs = 30_000;

/** @param failures workers in a row that died before they were stable */
export const restartDelayMs = (failures: number): number =>
  failures === 0 ? 0 : Math.min(longestRestartDelayMs, firstRestartDelayMs * 2 ** (failures - 1));

export interface SupervisorOptions {
  setup: WorkerSetup;
  /** Takes lines for the person who waits. */
  log: (line: string) => void;
  /** Takes what the worker says of its requests. */
  receive: (message: Exclude<FromWorker, { type: "ready" | "startFailed" | "log" | "memory" }>) => void;
  /** Hears that the worker has ended, with all its requests. */
  gone: (failure: BonsaiError) => void;
}

export class Supervisor {
  readonly #options: SupervisorOptions;
  /** The process that runs, or that still loads the models. */
  #worker: ChildProcess | undefined;
  /** When the worker said that its models are loaded; undefined while they load. */
  #readyAtMs: number | undefined;
  /** How long the last load took. */
  #loadMs = 0;
  #models: readonly ModelInfo[] = [];
  /** Workers in a row that died before they were stable. */
  #failures = 0;
  readonly #sources: ModelSources;
  #sourcesCheck: NodeJS.Timeout | undefined;
  #restarts = 0;
  #residentBytes = 0;
  #restart: NodeJS.Timeout | undefined;
  #restartAtMs = 0;
  #closing = false;
  #lost: BonsaiError | undefined;
  #lose!: (reason: BonsaiError) => void;
  /** Resolves to the reason when no worker will be started any more. */
  readonly lost = new Promise<BonsaiError>((resolve) => (this.#lose = resolve));

  constructor(options: SupervisorOptions) {
    this.#options = options;
    this.#sources = new ModelSources(options.setup);
  }

  /** The models of the last worker that was ready. */
  get models(): readonly ModelInfo[] {
    return this.#models;
  }

  get stats(): WorkerStats {
    return {
      workerRestarts: this.#restarts,
      workerResidentBytes: this.#residentBytes,
      changedModelSources: this.#sources.changedCount,
    };
  }

  /** Why no request is taken now; undefined while a worker is ready. */
  get unavailable(): BonsaiError | undefined {
    if (this.#closing) return new BonsaiError("draining", "The server is shutting down.");
    if (this.#readyAtMs !== undefined) return undefined;
    if (this.#lost !== undefined) return this.#lost;
    const waitMs = this.#restartAtMs + this.#loadMs - performance.now();
    return new BonsaiError("loading", "The compute worker stopped, and the models are being loaded again.", {
      retryAfterSeconds: Math.max(1, Math.ceil(waitMs / 1000)),
    });
  }

  /** Starts a worker. Resolves when its models are loaded; rejects with the error of the first that cannot be. */
  async start(): Promise<void> {
    this.#sources.remember();
    this.#sourcesCheck ??= setInterval(() => this.#checkSources(), sourcesCheckMs).unref();
    const worker = spawnWorker(this.#options.log, this.#options.setup.models[0]?.cacheDir);
    this.#worker = worker;
    const startedMs = performance.now();
    await new Promise<void>((resolve, reject) => {
      let failure: BonsaiError | undefined;
      const ended = (why: string, cause?: Error): void => {
        failure ??= new BonsaiError("engine_failed", `The compute worker stopped (${why}).`, { cause });
        reject(failure);
        this.#workerGone(worker, failure);
      };
      worker.on("message", (message: FromWorker) => {
        if (message.type === "ready") {
          this.#replaceModels(message.models);
          this.#readyAtMs = performance.now();
          this.#loadMs = this.#readyAtMs - startedMs;
          resolve();
        } else if (message.type === "startFailed") {
          failure = fromWire(message.error);
          reject(failure);
        } else if (message.type === "memory") this.#residentBytes = message.residentBytes;
        else if (message.type === "log") this.#options.log(message.line);
        else this.#options.receive(message);
      });
      // Also what could not be sent to a worker that has just ended.
      worker.on("error", (error) => {
        if (worker.pid === undefined) ended(error.message, error);
      });
      // Unlike "exit", this comes after all that the worker has said.
      worker.on("close", (code, signal) => ended(signal ?? `exit ${code}`));
      worker.send({ type: "start", setup: this.#options.setup } satisfies ToWorker);
    });
  }

  /** @throws BonsaiError `loading`, `draining` or `engine_failed` while no request is taken */
  send(message: ToWorker): void {
    const { unavailable } = this;
    if (unavailable !== undefined) throw unavailable;
    this.#worker?.send(message);
  }

  /** Tells the worker something about a request that it has, if it still runs. */
  post(message: ToWorker): void {
    if (this.unavailable === undefined) this.#worker?.send(message);
  }

  async close(): Promise<void> {
    this.#closing = true;
    clearTimeout(this.#restart);
    clearInterval(this.#sourcesCheck);
    const worker = this.#worker;
    this.#worker = undefined;
    if (worker?.pid === undefined) return;
    const closed = new Promise((resolve) => worker.once("close", resolve));
    worker.send({ type: "close" } satisfies ToWorker);
    const cut = setTimeout(() => worker.kill("SIGKILL"), closeMs);
    await closed;
    clearTimeout(cut);
  }

  #replaceModels(models: readonly ModelInfo[]): void {
    for (const { id, fingerprint } of models) {
      const before = this.#models.find((model) => model.id === id)?.fingerprint ?? fingerprint;
      if (before !== fingerprint)
        this.#options.log(`The model ${id} was loaded again from other files: its fingerprint was ${before} and is ${fingerprint} now.`);
    }
    this.#models = models;
  }

  #checkSources(): void {
    for (const path of this.#sources.newlyChanged())
      this.#options.log(`${path} has changed since it was loaded: start the server again to serve it. Until then the old one answers.`);
  }

  #workerGone(worker: ChildProcess, failure: BonsaiError): void {
    if (this.#worker !== worker) return;
    const nowMs = performance.now();
    const isStable = this.#readyAtMs !== undefined && nowMs - this.#readyAtMs >= stableMs;
    this.#worker = undefined;
    this.#readyAtMs = undefined;
    this.#residentBytes = 0;
    // The first worker's failure is the caller's: it has not resolved `start`.
    const wasReady = this.#models.length > 0;
    this.#failures = isStable ? 0 : this.#failures + 1;
    const delayMs = restartDelayMs(this.#failures);
    this.#restartAtMs = nowMs + delayMs;
    if (wasReady && this.#failures >= mostFailures) {
      this.#lost = new BonsaiError(
        "engine_failed",
        `${failure.message} It was the failure number ${mostFailures} in a row, so no other is started.`,
        {
          cause: failure,
        },
      );
      this.#lose(this.#lost);
    }
    this.#options.gone(failure);
    if (!wasReady || this.#lost !== undefined) return;
    this.#options.log(`${failure.message} The worker is started again ${delayMs === 0 ? "now" : `in ${delayMs / 1000} s`}.`);
    this.#restarts++;
    // A failure to start is logged, and tried again, when the worker exits.
    this.#restart = setTimeout(() => void this.start().catch(() => undefined), delayMs);
  }
}
