/**
 * @file Decides which requests start and which wait: one atomic reservation of cache bytes for all sequences of a
 * request.
 *
 * First come, first served, with bounded overtaking: where the oldest request does not fit yet, younger ones that fit
 * start, as in backfilling (Lifka 1995, "The ANL/IBM SP scheduling system"). Each request can be overtaken so often;
 * after that none starts before it, so that none starves.
 */

import { BonsaiError } from "../../errors/bonsai-error.ts";

export interface AdmissionLimits {
  /** Sequences that decode at once. */
  maxSequences: number;
  /** Sequences that wait, beyond those that run. */
  maxQueuedSequences: number;
  /** Most bytes of keys and values of all running requests together. */
  kvCacheBytes: number;
}

export interface Reservation {
  sequences: number;
}

/** How often a request that waits can be overtaken. */
export const mostOvertakings = 64;

/** The most bytes of keys and values that requests may hold together. Adding a request never lowers it. */
export type ReservedBytes<T> = (requests: readonly T[]) => number;

/** @param waiting sequences that wait already */
export function overloaded(waiting: number, { maxSequences, maxQueuedSequences }: AdmissionLimits): BonsaiError {
  return new BonsaiError("overloaded", `${waiting} sequences are waiting already and at most ${maxQueuedSequences} may; try again later.`, {
    retryAfterSeconds: 1 + Math.ceil(waiting / maxSequences),
  });
}

/** A request that waits, and how often it was overtaken. */
interface Waiting<T> {
  request: T;
  overtaken: number;
}

export class Admission<T extends Reservation> {
  readonly #limits: AdmissionLimits;
  readonly #bytesOf: ReservedBytes<T>;
  readonly #rowsOf: (request: T) => number;
  #waiting: Waiting<T>[] = [];
  readonly #running = new Set<T>();
  #runningBytes = 0;
  /** Whether a request came or freed something since the queue was last looked through. The engine asks every turn. */
  #hasChanged = false;

  /** @param rowsOf rows that must be free of the `maxSequences` so that a request can start; one for each sequence */
  constructor(limits: AdmissionLimits, bytesOf: ReservedBytes<T>, rowsOf = ({ sequences }: T): number => sequences) {
    this.#limits = limits;
    this.#bytesOf = bytesOf;
    this.#rowsOf = rowsOf;
  }

  /** Sequences of requests that have started, no more than there are rows. */
  get runningSequences(): number {
    return Math.min(sequencesOf(this.#running), this.#limits.maxSequences);
  }

  get runningBytes(): number {
    return this.#runningBytes;
  }

  /** Sequences of requests that have not started, and those of started ones that there are no rows for. */
  get waitingSequences(): number {
    return sequencesOf(this.#waiting.map(({ request }) => request)) + sequencesOf(this.#running) - this.runningSequences;
  }

  get waitingRequests(): number {
    return this.#waiting.length;
  }

  /**
   * Puts a request in the queue. Throws `request_too_large` when it could not even run alone, `overloaded` when the
   * queue is full. Check and count are one step: nothing else runs between them.
   */
  enqueue(request: T): void {
    const { maxSequences, maxQueuedSequences, kvCacheBytes } = this.#limits;
    if (request.sequences > maxSequences) {
      throw new BonsaiError(
        "request_too_large",
        `${request.sequences} sequences were asked for, and the server decodes at most ${maxSequences} at once (--max-sequences).`,
        { param: "n" },
      );
    }
    const bytes = this.#bytesOf([request]);
    if (bytes > kvCacheBytes) {
      const fitting = Math.floor((kvCacheBytes / bytes) * request.sequences);
      throw new BonsaiError(
        "request_too_large",
        `Prompt and answers could take ${bytes} bytes of cache, and the server has ${kvCacheBytes} (--kv-cache-bytes); ` +
          (fitting >= 1 ? `about ${fitting} sequences of this length would fit, or a lower max_tokens.` : "lower max_tokens."),
        { param: "max_tokens" },
      );
    }
    const queued = this.#queuedAfter(request);
    if (queued > maxQueuedSequences) throw overloaded(queued - request.sequences, this.#limits);
    this.#waiting.push({ request, overtaken: 0 });
    this.#hasChanged = true;
  }

  /** Takes the requests that can start now off the queue, in order, and reserves what they may need. */
  admit(): T[] {
    if (!this.#hasChanged) return [];
    this.#hasChanged = false;
    const { starting, waiting } = this.#select(this.#waiting);
    this.#waiting = waiting;
    for (const request of starting) this.#running.add(request);
    if (starting.length > 0) this.#runningBytes = this.#bytesOf([...this.#running]);
    return starting;
  }

  /** Frees the place of one sequence of a running request; its bytes stay reserved until the request ends. */
  sequenceEnded(request: T): void {
    if (!this.#running.has(request) || request.sequences === 0) return;
    request.sequences--;
    this.#hasChanged = true;
  }

  /** Frees all that a request has reserved, or takes it out of the queue. */
  remove(request: T): void {
    this.#hasChanged = true;
    this.#waiting = this.#waiting.filter((waiting) => waiting.request !== request);
    if (this.#running.delete(request)) this.#runningBytes = this.#bytesOf([...this.#running]);
  }

  /** Those of the queue that can start now, and the rest of it. */
  #select(queue: readonly Waiting<T>[]): { starting: T[]; waiting: Waiting<T>[] } {
    const starting: T[] = [];
    let waiting: Waiting<T>[] = [];
    for (const next of queue) {
      const isBlocked = waiting.some(({ overtaken }) => overtaken >= mostOvertakings);
      if (isBlocked || !this.#fit([...this.#running, ...starting, next.request])) waiting.push(next);
      else {
        starting.push(next.request);
        waiting = waiting.map(({ request, overtaken }) => ({ request, overtaken: overtaken + 1 }));
      }
    }
    return { starting, waiting };
  }

  /** Whether requests can run together. */
  #fit(requests: readonly T[]): boolean {
    const { maxSequences, kvCacheBytes } = this.#limits;
    const rows = requests.reduce((sum, request) => sum + this.#rowsOf(request), 0);
    return rows <= maxSequences && this.#bytesOf(requests) <= kvCacheBytes;
  }

  /**
   * Sequences that would wait if the request joined them, its own included: those that have a row after the next
   * `admit` do not wait.
   */
  #queuedAfter(request: T): number {
    const { starting, waiting } = this.#select([...this.#waiting, { request, overtaken: 0 }]);
    const started = sequencesOf(this.#running) + sequencesOf(starting);
    return sequencesOf(waiting.map((each) => each.request)) + Math.max(0, started - this.#limits.maxSequences);
  }
}

function sequencesOf(requests: Iterable<Reservation>): number {
  let sum = 0;
  for (const { sequences } of requests) sum += sequences;
  return sum;
}
