/** @file The cache of one prompt on the CPU: a segment of one row that grows as chunks are appended. */

import type { PromptCache } from "../device.ts";
import { KvSegment, roundUpPlaces, type KvRows, type KvShape } from "./kv-segment.ts";

/** Long prompts grow by doubling from here: attention reads the places that are not filled yet, too. */
const firstPlaces = 128;

export class CpuPrompt implements PromptCache {
  readonly segment: KvSegment;
  /** -1: none. */
  readonly adapter: number;
  readonly #most: number;
  #length = 0;

  /** @param spare the segment of a prompt that is done with, taken over if it is large enough */
  constructor(shape: KvShape, tokens: number, spare?: KvSegment, adapter = -1) {
    this.adapter = adapter;
    this.#most = roundUpPlaces(tokens);
    const fits = spare !== undefined && spare.capacity >= this.#most && spare.capacity <= 8 * this.#most;
    this.segment = fits ? spare : new KvSegment(shape, this.#most);
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
