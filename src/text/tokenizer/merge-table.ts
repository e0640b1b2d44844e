/**
 * @file A hash table from a pair of token ids to the rank of their merge: open addressing over integers, since BPE
 * looks up one pair per byte.
 */

const empty = -1;

export class MergeTable {
  readonly #mask: number;
  readonly #left: Int32Array;
  readonly #right: Int32Array;
  readonly #rank: Int32Array;
  readonly #merged: Int32Array;

  /** @param mergeCount number of pairs that will be set: ranks 0 to mergeCount - 1. */
  constructor(mergeCount: number) {
    const capacity = 2 ** Math.ceil(Math.log2(Math.max(2, mergeCount * 2)));
    this.#mask = capacity - 1;
    this.#left = new Int32Array(capacity);
    this.#right = new Int32Array(capacity);
    this.#rank = new Int32Array(capacity).fill(empty);
    this.#merged = new Int32Array(mergeCount);
  }

  /** Sets a pair's merge; a pair that is set twice has the later rank, as in Hugging Face's tokenizers. */
  set(left: number, right: number, rank: number, mergedId: number): void {
    const slot = this.#slot(left, right);
    this.#left[slot] = left;
    this.#right[slot] = right;
    this.#rank[slot] = rank;
    this.#merged[rank] = mergedId;
  }

  /** The rank of a pair's merge, lowest first, or -1 where the two do not merge. */
  rankOf(left: number, right: number): number {
    return this.#rank[this.#slot(left, right)]!;
  }

  /** Id of the token that the merge of this rank makes. */
  mergedId(rank: number): number {
    return this.#merged[rank]!;
  }

  #slot(left: number, right: number): number {
    let hash = Math.imul(left, 0x9e3779b1) ^ Math.imul(right, 0x85ebca6b);
    hash ^= hash >>> 15;
    let slot = hash & this.#mask;
    while (this.#rank[slot] !== empty && (this.#left[slot] !== left || this.#right[slot] !== right)) slot = (slot + 1) & this.#mask;
    return slot;
  }
}
