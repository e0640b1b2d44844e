/** @file The cache of one prompt on the CPU: a segment of one row that grows as chunks are appended. */

import type { PromptCache } from "../device.ts";
import type { KvMemory } from "./kv-memory.ts";
import { KvSegment, roundUpPlaces, type KvRows } from "./kv-segment.ts";

/** Long prompts grow by doubling from here: attention also reads the places that are not filled yet. */
const firstPlaces = 128;

export class CpuPrompt implements PromptCache {
  readonly segment: KvSegment;
  /** Index of the adapter; -1 for the base. */
  readonly adapter: number;
  readonly #most: number;
  #length = 0;

  /** @param spare the segment of a closed prompt, taken over where its capacity fits */
  constructor(memory: KvMemory, tokens: number, spare?: KvSegment, adapter = -1) {
    this.adapter = adapter;
    this.#most = roundUpPlaces(tokens);
    const fits = spare !== undefined && spare.capacity >= this.#most && spare.capacity <= 8 * this.#most;
    this.segment = fits ? spare : new KvSegment(memory, this.#most);
    this.segment.resize(1, Math.min(this.#most, firstPlaces));
  }

  get length(): number {
    return this.#length;
  }

  /** Appends `count` places of one row of the source, laid out as KvSegment.write takes them. */
  append(source: KvRows, count: number, sourceRows = 1, sourceRow = 0): void {
    const needed = this.#length + count;
    if (needed > this.segment.places) {
      this.segment.resize(1, Math.min(this.#most, Math.max(roundUpPlaces(needed), 2 * this.segment.places)));
    }
    this.segment.write(source, sourceRows, sourceRow, 0, this.#length, count);
    this.#length = needed;
  }
}
