/** @file Byte pair encoding of one word (Sennrich et al. 2016, section 3.2), n log n in the word's length. */

import type { MergeTable } from "./merge-table.ts";

/** Positions are packed below ranks in one double: 2^31 positions times 2^22 ranks stay below 2^53. */
const positionSpan = 2 ** 31;
export const maxMergeCount = 2 ** 22;
const dead = -2;
/** Buffers for longer words are given back after use. */
const keptWordLength = 16_384;

/**
 * Applies merges to a word's symbols: again and again the pair of neighbours with the lowest rank, the leftmost of
 * equals, becomes one token. A binary heap holds the pairs, so that a word of one repeated letter costs n log n. The
 * plain loop that rescans the word after each merge is its twin in the tests.
 */
export class PairMerger {
  readonly #merges: MergeTable;
  #capacity = 0;
  #previous = new Int32Array(0);
  #next = new Int32Array(0);
  /** Rank of the pair that begins at each position, -1 for none, `dead` for a symbol merged into its left neighbour. */
  #pairRank = new Int32Array(0);
  #heap = new Float64Array(0);
  #heapSize = 0;

  constructor(merges: MergeTable) {
    this.#merges = merges;
  }

  /** Merges the token ids of one word and appends the result to `output`. `symbols` is overwritten. */
  merge(symbols: Int32Array, output: number[]): void {
    const length = symbols.length;
    if (length < 2) {
      if (length === 1) output.push(symbols[0]!);
      return;
    }
    this.#reserve(length);
    const previous = this.#previous;
    const next = this.#next;
    this.#heapSize = 0;
    for (let position = 0; position < length; position++) {
      previous[position] = position - 1;
      next[position] = position + 1;
    }
    for (let position = 0; position < length; position++) this.#rankPair(symbols, position, length);

    while (this.#heapSize > 0) {
      const key = this.#pop();
      const rank = Math.floor(key / positionSpan);
      const position = key - rank * positionSpan;
      // An entry is stale when the pair at its position has changed since: a symbol only grows, so ranks never come
      // back.
      if (this.#pairRank[position] !== rank) continue;
      const absorbed = next[position]!;
      symbols[position] = this.#merges.mergedId(rank);
      this.#pairRank[absorbed] = dead;
      const after = next[absorbed]!;
      next[position] = after;
      if (after < length) previous[after] = position;
      this.#rankPair(symbols, position, length);
      if (previous[position]! >= 0) this.#rankPair(symbols, previous[position]!, length);
    }
    for (let position = 0; position < length; position = next[position]!) output.push(symbols[position]!);
    if (length > keptWordLength) this.#release();
  }

  #rankPair(symbols: Int32Array, position: number, length: number): void {
    const right = this.#next[position]!;
    const rank = right < length ? this.#merges.rankOf(symbols[position]!, symbols[right]!) : -1;
    this.#pairRank[position] = rank;
    if (rank >= 0) this.#pushKey(rank * positionSpan + position);
  }

  #pushKey(key: number): void {
    const heap = this.#heap;
    let index = this.#heapSize++;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (heap[parent]! <= key) break;
      heap[index] = heap[parent]!;
      index = parent;
    }
    heap[index] = key;
  }

  #pop(): number {
    const heap = this.#heap;
    const top = heap[0]!;
    const last = heap[--this.#heapSize]!;
    const size = this.#heapSize;
    let index = 0;
    for (;;) {
      let child = 2 * index + 1;
      if (child >= size) break;
      if (child + 1 < size && heap[child + 1]! < heap[child]!) child++;
      if (heap[child]! >= last) break;
      heap[index] = heap[child]!;
      index = child;
    }
    heap[index] = last;
    return top;
  }

  #reserve(length: number): void {
    if (length <= this.#capacity) return;
    this.#capacity = Math.max(64, length * 2);
    this.#previous = new Int32Array(this.#capacity);
    this.#next = new Int32Array(this.#capacity);
    this.#pairRank = new Int32Array(this.#capacity);
    // One entry per initial pair and at most two per merge.
    this.#heap = new Float64Array(this.#capacity * 3);
  }

  #release(): void {
    this.#capacity = 0;
    this.#previous = this.#next = this.#pairRank = new Int32Array(0);
    this.#heap = new Float64Array(0);
  }
}
