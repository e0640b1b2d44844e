/**
 * @file Decides which requests start and which wait: one atomic reservation of rows and cache bytes for all sequences
 * of a request.
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

/** The most bytes of keys and values that requests may hold together. Adding a request never lowers it. */
export type ReservedBytes<T> = (requests: readonly T[]) => number;

/** @param waiting sequences that wait already */
export function overloaded(waiting: number, { maxSequences, maxQueuedSequences }: AdmissionLimits): BonsaiError {
  return new BonsaiError("overloaded", `${waiting} sequences are waiting already and at most ${maxQueuedSequences} may; try again later.`, {
    retryAfterSeconds: 1 + Math.ceil(waiting / maxSequences),
  });
}

/** First come, first served: a small request does not overtake a large one, so none starves. */
export class Admission<T extends Reservation> {
  readonly #limits: AdmissionLimits;
  readonly #bytesOf: ReservedBytes<T>;
  readonly #waiting: T[] = [];
  readonly #running = new Set<T>();
  #runningSequences = 0;
  #runningBytes = 0;
  #waitingSequences = 0;

  constructor(limits: AdmissionLimits, bytesOf: ReservedBytes<T>) {
    this.#limits = limits;
    this.#bytesOf = bytesOf;
  }

  get runningSequences(): number {
    return this.#runningSequences;
  }

  get runningBytes(): number {
    return this.#runningBytes;
  }

  get waitingSequences(): number {
    return this.#waitingSequences;
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
    this.#waiting.push(request);
    this.#waitingSequences += request.sequences;
  }

  /** Takes the requests that can start now off the queue, in order, and reserves what they may need. */
  admit(): T[] {
    const admitted: T[] = [];
    for (let next = this.#waiting[0]; next !== undefined && this.#fits(next); next = this.#waiting[0]) {
      this.#waiting.shift();
      this.#waitingSequences -= next.sequences;
      this.#running.add(next);
      this.#runningSequences += next.sequences;
      this.#runningBytes = this.#bytesOf([...this.#running]);
      admitted.push(next);
    }
    return admitted;
  }

  /** Frees the place of one sequence of a running request; its bytes stay reserved until the request ends. */
  sequenceEnded(request: T): void {
    if (!this.#running.has(request) || request.sequences === 0) return;
    request.sequences--;
    this.#runningSequences--;
  }

  /** Frees all that a request has reserved, or takes it out of the queue. */
  remove(request: T): void {
    const index = this.#waiting.indexOf(request);
    if (index >= 0) {
      this.#waiting.splice(index, 1);
      this.#waitingSequences -= request.sequences;
    } else if (this.#running.delete(request)) {
      this.#runningSequences -= request.sequences;
      this.#runningBytes = this.#bytesOf([...this.#running]);
    }
  }

  #fits(request: T, sequences = this.#runningSequences, running: Iterable<T> = this.#running): boolean {
    const { maxSequences, kvCacheBytes } = this.#limits;
    return sequences + request.sequences <= maxSequences && this.#bytesOf([...running, request]) <= kvCacheBytes;
  }

  /**
   * Sequences that would wait if the request joined them, its own included: those that start at the next `admit` are
   * not in the queue.
   */
  #queuedAfter(request: T): number {
    const running = [...this.#running];
    let sequences = this.#runningSequences;
    let queued = 0;
    for (const next of [...this.#waiting, request]) {
      if (queued === 0 && this.#fits(next, sequences, running)) {
        sequences += next.sequences;
        running.push(next);
      } else queued += next.sequences;
    }
    return queued;
  }
}
