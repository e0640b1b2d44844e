/** @file The memory that the keys and values of one decoder take, and the bound that it is kept within. */

import type { CacheType } from "../../architectures/decoder/cached-attention.ts";

export interface KvShape {
  layers: number;
  kvHeads: number;
  headDim: number;
  type: CacheType;
}

/** What holds memory, some of which it may not need any more. */
export interface MemoryHolder {
  /** Gives back what it does not need. */
  trim(): void;
}

export const bytesOf: Readonly<Record<CacheType, number>> = { int8: 1, uint8: 1, float16: 2, float32: 4 };

/** Bytes that the keys and values of one token take. */
export function bytesPerPlace({ layers, kvHeads, headDim, type }: KvShape): number {
  return 2 * layers * kvHeads * headDim * bytesOf[type];
}

/**
 * Counts the bytes of all segments of one decoder. Memory that was used once is kept for the next rows, since the
 * system takes longer to give it than to leave it; but no more is kept than requests have reserved.
 */
export class KvMemory {
  readonly shape: KvShape;
  readonly #places = new Map<MemoryHolder, number>();
  #placesHeld = 0;
  #reserved = Infinity;

  constructor(shape: KvShape) {
    this.shape = shape;
  }

  get bytesHeld(): number {
    return this.#placesHeld * bytesPerPlace(this.shape);
  }

  /** Sets the bytes within which memory may be kept. */
  setReserved(bytes: number): void {
    this.#reserved = bytes;
    if (this.bytesHeld > bytes) this.#trim();
  }

  /**
   * Called by a holder before it takes more memory and after it has given some back. @param places that it holds from
   * then on
   */
  setPlaces(holder: MemoryHolder, places: number): void {
    const more = places - (this.#places.get(holder) ?? 0);
    if (more > 0 && this.bytesHeld + more * bytesPerPlace(this.shape) > this.#reserved) this.#trim(holder);
    this.#placesHeld += more;
    if (places === 0) this.#places.delete(holder);
    else this.#places.set(holder, places);
  }

  #trim(except?: MemoryHolder): void {
    for (const holder of this.#places.keys()) if (holder !== except) holder.trim();
  }
}
