/**
 * @file Where the server stands (loading, ready, draining, failed) and which generations run, so that they can finish
 * or be cut.
 */

import { finished } from "node:stream";
import type { FastifyReply } from "fastify";
import type { Engine } from "../engine/contract/request.ts";
import { BonsaiError } from "../errors/bonsai-error.ts";

export type Phase = "loading" | "ready" | "draining" | "failed";

/** Seconds after which a client may look again: while models load, or another server takes the place of this one. */
const loadingRetrySeconds = 2;

/** What a request is told that comes while the server shuts down. */
export const noNewRequests = (): BonsaiError =>
  new BonsaiError("draining", "The server is shutting down and takes no new requests.", { retryAfterSeconds: loadingRetrySeconds });

/** Owner of the engine as the routes see it, and of every running generation's abort signal. */
export class Lifecycle {
  #engine: Engine | undefined;
  #phase: Phase = "loading";
  readonly #running = new Set<AbortController>();
  readonly #draining = new AbortController();
  #onIdle: (() => void) | undefined;

  /** @param engine Resolves when the models can answer. */
  constructor(engine: Promise<Engine>) {
    void this.#load(engine);
  }

  async #load(engine: Promise<Engine>): Promise<void> {
    try {
      this.#engine = await engine;
      if (this.#phase === "loading") this.#phase = "ready";
    } catch {
      // Whoever started the engine tells why; here it only means that no request can be answered.
      this.#phase = "failed";
    }
  }

  /** Loading again where the engine was ready and takes no requests now. */
  get phase(): Phase {
    return this.#phase === "ready" && this.#engine?.unavailable !== undefined ? "loading" : this.#phase;
  }

  /** The engine once it has loaded, whatever the phase, for metrics. */
  get loadedEngine(): Engine | undefined {
    return this.#engine;
  }

  /** Generations that run now. */
  get running(): number {
    return this.#running.size;
  }

  /**
   * The engine, for a new request.
   * @throws BonsaiError `loading`, `draining` or `engine_failed`.
   */
  requireEngine(): Engine {
    if (this.#phase === "draining") throw noNewRequests();
    if (this.#phase === "failed") throw new BonsaiError("engine_failed", "The models could not be loaded; the server's log says why.");
    if (this.#engine === undefined)
      throw new BonsaiError("loading", "The models are still loading.", { retryAfterSeconds: loadingRetrySeconds });
    const { unavailable } = this.#engine;
    if (unavailable !== undefined) throw unavailable;
    return this.#engine;
  }

  /** Aborts when new generations are no longer taken. */
  get draining(): AbortSignal {
    return this.#draining.signal;
  }

  /** A generation that lasts until `end` is called; its signal aborts when the grace period of draining ends. */
  begin(): { controller: AbortController; end: () => void } {
    const controller = new AbortController();
    this.#running.add(controller);
    const end = (): void => {
      this.#running.delete(controller);
      if (this.#running.size === 0) this.#onIdle?.();
    };
    return { controller, end };
  }

  /**
   * Signal of a generation that lasts until its reply has gone out; it aborts when the client leaves first, or when the
   * grace period of draining ends.
   */
  signalFor(reply: FastifyReply): AbortController {
    const { controller, end } = this.begin();
    finished(reply.raw, (error) => {
      if (error instanceof Error) controller.abort(new BonsaiError("cancelled", "The client left before the answer was complete."));
      end();
    });
    return controller;
  }

  /**
   * Refuses new generations and waits for those that run; cuts the rest with `draining` when the grace period ends.
   * @returns Whether all of them finished by themselves.
   */
  async drain(graceMs: number): Promise<boolean> {
    this.#phase = "draining";
    this.#draining.abort();
    if (this.#running.size === 0) return true;
    let timer: NodeJS.Timeout | undefined;
    const idle = new Promise<true>((resolve) => {
      this.#onIdle = () => resolve(true);
    });
    const late = new Promise<false>((resolve) => {
      timer = setTimeout(() => resolve(false), graceMs);
    });
    const complete = await Promise.race([idle, late]);
    clearTimeout(timer);
    if (!complete) {
      for (const controller of this.#running)
        controller.abort(new BonsaiError("draining", "The server shut down before the answer was complete."));
    }
    return complete;
  }
}
