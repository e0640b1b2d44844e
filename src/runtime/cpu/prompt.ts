/** @file The cache of one prompt on the CPU: a segment of one row that grows as chunks are appended. */

import type { PromptCache } from "../device.ts";
import { KvSegment, roundUpPlaces, type CacheArray, type KvShape } from "./kv-segment.ts";

/** Long prompts grow by doubling from here: attention reads the places that are not filled yet, too. */
const firstPlaces = 512;

export class CpuPrompt implements PromptCache {
  readonly segment: KvSegment;
  readonly #capacity: number;
  #length = 0;

  constructor(shape: KvShape, tokens: number) {
    this.segment = new KvSegment(shape);
    this.#capacity = roundUpPlaces(tokens);
    const places = Math.min(this.#capacity, firstPlaces);
    this.segment.resize(1, places, shape.kvHeads * shape.headDim * this.#capacity);
  }

  get length(): number {
    return this.#length;
  }

  /** Appends `count` places, laid out as KvSegment.write takes them for one source row. */
  append(source: CacheArray, count: number): void {
    const needed = this.#length + count;
    if (needed > this.segment.places) {
      this.segment.resize(1, Math.min(this.#capacity, Math.max(roundUpPlaces(needed), 2 * this.segment.places)));
    }
    this.segment.write(source, 1, 0, 0, this.#length, count);
    this.#length = needed;
  }
}
