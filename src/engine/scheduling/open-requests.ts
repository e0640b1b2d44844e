/** @file The requests that the engine has: which wait, fill their prompts or decode, and how each of them ends. */

import { BonsaiError } from "../../errors/bonsai-error.ts";
import type { GenerateEvent } from "../contract/request.ts";
import { Admission, type AdmissionLimits } from "./admission.ts";
import { bytesOfGenerations, type Generation } from "./generation.ts";
import type { Sequence } from "./sequence.ts";

/** Hears what becomes of a request. */
export interface GenerationListener {
  event(event: GenerateEvent): void;
  /** The request is over and nothing follows. */
  failed(error: unknown): void;
  /**
   * Whether the reader is behind: the request then takes no step and keeps its memory, until it has room and the loop
   * is woken. Absent: never.
   */
  isFull?(): boolean;
}

export class OpenRequests {
  /** Oldest first. */
  readonly prefilling: Generation[] = [];
  readonly decoding = new Set<Generation>();
  readonly admission: Admission<Generation>;
  readonly #entries = new Map<number, { generation: Generation; listener: GenerationListener }>();

  constructor(limits: AdmissionLimits) {
    // Requests share the rows, so one that starts needs room for one.
    this.admission = new Admission(limits, bytesOfGenerations, () => 1);
  }

  /** Whether its listener has no room for more. */
  isFull({ id }: Generation): boolean {
    return this.#entries.get(id)?.listener.isFull?.() === true;
  }

  /** Puts a request in the queue. Throws as `Admission.enqueue` does. */
  add(generation: Generation, listener: GenerationListener): void {
    this.admission.enqueue(generation);
    this.#entries.set(generation.id, { generation, listener });
  }

  get(id: number): Generation | undefined {
    return this.#entries.get(id)?.generation;
  }

  cancelAll(): void {
    for (const { generation } of this.#entries.values()) generation.cancelled = true;
  }

  /** Lets those start that there is room for. @param turn number of the engine's turn */
  admit(turn: number): void {
    for (const generation of this.admission.admit()) {
      generation.started();
      generation.lastPrefillTurn = turn;
      this.prefilling.push(generation);
    }
  }

  endCancelled(): void {
    for (const { generation, listener } of this.#entries.values()) {
      if (!generation.cancelled) continue;
      this.#close(generation);
      listener.failed(generation.failure ?? new BonsaiError("cancelled", "The request was cancelled."));
    }
  }

  /** Ends the sequences that are to be dropped; those of requests whose prompts are not filled end when they are. */
  endDropped(): void {
    for (const generation of this.decoding) {
      for (const sequence of generation.sequenceStates) {
        if (!sequence.dropped || sequence.finished !== undefined) continue;
        sequence.finished = "dropped";
        this.finishSequence(generation, sequence);
      }
      this.finishIfEnded(generation);
    }
  }

  /**
   * Ends a request for which no token can be drawn; or the sequence alone, where the request says so and another one
   * has not failed.
   */
  failSequence(generation: Generation, sequence: Sequence, error: Error): void {
    const others = generation.sequenceStates.filter((other) => other !== sequence);
    if (generation.request.failAlone !== true || others.every(({ finished }) => finished === "failed")) {
      this.fail([generation], error);
      return;
    }
    sequence.finished = "failed";
    this.finishSequence(generation, sequence);
  }

  /** @param outputs of the reward model that read along */
  finishSequence(generation: Generation, sequence: Sequence, outputs?: number[]): void {
    if (sequence.row !== undefined) generation.model.device.closeRow(sequence.row);
    sequence.row = undefined;
    sequence.constraint?.dispose();
    sequence.constraint = undefined;
    this.admission.sequenceEnded(generation);
    const { index, finished: reason = "stop", length: completionTokens } = sequence;
    generation.emit({ type: "finish", index, reason, completionTokens, ...(outputs === undefined ? {} : { outputs }) });
  }

  /** @returns whether all of its sequences have ended, and so the request */
  finishIfEnded(generation: Generation): boolean {
    if (generation.sequenceStates.some(({ finished }) => finished === undefined)) return false;
    this.#close(generation);
    generation.end();
    return true;
  }

  fail(generations: Iterable<Generation>, error: unknown): void {
    for (const generation of generations) {
      const listener = this.#entries.get(generation.id)?.listener;
      this.#close(generation);
      listener?.failed(error);
    }
  }

  /** Frees everything that a generation holds. */
  #close(generation: Generation): void {
    const { device } = generation.model;
    for (const sequence of generation.sequenceStates) {
      if (sequence.row !== undefined) device.closeRow(sequence.row);
      sequence.row = undefined;
      sequence.constraint?.dispose();
      sequence.constraint = undefined;
    }
    generation.grammar?.dispose();
    if (generation.prompt !== undefined) device.closePrompt(generation.prompt);
    generation.prompt = undefined;
    const waiting = this.prefilling.indexOf(generation);
    if (waiting >= 0) this.prefilling.splice(waiting, 1);
    this.decoding.delete(generation);
    this.admission.remove(generation);
    this.#entries.delete(generation.id);
  }
}
