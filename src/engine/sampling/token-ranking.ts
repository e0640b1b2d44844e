/** @file The tokens of a row, most likely first, sorted no further than asked: equal logits come lowest id first. */

import { BonsaiError } from "../../errors/bonsai-error.ts";

const signBit = 0x80000000;
const infinityBits = 0x7f800000;
const minusInfinityBits = 0xff800000;

/** Leading bits of a key by which the head is told from the tail: sign, exponent and five bits of the fraction. */
const coarseBits = 14;
const coarseShift = 32 - coarseBits;

/** Tokens that are sorted at first, and by how much more whenever a rank lies beyond them: most draws end early. */
const smallestHead = 256;
const headGrowth = 16;

const digitBits = 11;
const digits = 1 << digitBits;

/** The tokens of one row by falling logit, ties by rising id. */
export class TokenRanking {
  /** V. */
  readonly count: number;
  readonly #logits: Float32Array;
  /** The sort key of each token, [V]. */
  readonly #keys: Uint32Array;
  /** Tokens with each value of a key's leading bits. */
  readonly #bucketSizes = new Uint32Array(1 << coarseBits);
  /** Sorted ids of the head. */
  #head: Uint32Array = new Uint32Array(0);

  /**
   * @param logits [V], finite or -Infinity; must not change while the ranking is in use.
   * @throws BonsaiError `internal` on NaN or +Infinity, which no model in good health gives.
   */
  constructor(logits: Float32Array) {
    this.count = logits.length;
    this.#logits = logits;
    this.#keys = new Uint32Array(logits.length);
    const bits = new Uint32Array(logits.buffer, logits.byteOffset, logits.length);
    for (let id = 0; id < bits.length; id++) {
      const key = descendingKey(bits[id]!, id);
      this.#keys[id] = key;
      this.#bucketSizes[key >>> coarseShift]! += 1;
    }
  }

  /** The id of the token at a rank in [0, V). */
  tokenId(rank: number): number {
    while (rank >= this.#head.length && this.#head.length < this.count)
      this.#sortHead(Math.max(smallestHead, this.#head.length * headGrowth));
    return this.#head[rank]!;
  }

  /** The logit of the token at a rank in [0, V). */
  logit(rank: number): number {
    return this.#logits[this.tokenId(rank)]!;
  }

  /** Sorts the tokens of the first buckets that hold at least `wanted` together. */
  #sortHead(wanted: number): void {
    let lastBucket = 0;
    let size = this.#bucketSizes[0]!;
    while (size < Math.min(wanted, this.count)) size += this.#bucketSizes[++lastBucket]!;
    const head = new Uint32Array(size);
    for (let id = 0, place = 0; place < size; id++) {
      if (this.#keys[id]! >>> coarseShift <= lastBucket) head[place++] = id;
    }
    this.#head = sortByKey(head, this.#keys);
  }
}

/** A float's bits as a key whose unsigned order is the falling order of the floats, with -0 equal to 0. */
function descendingKey(bits: number, tokenId: number): number {
  if ((bits & infinityBits) === infinityBits && bits !== minusInfinityBits) {
    throw new BonsaiError("internal", `The model gave ${bits === infinityBits ? "Infinity" : "NaN"} as the logit of token ${tokenId}.`);
  }
  if (bits === signBit) return ~signBit >>> 0;
  return bits >= signBit ? bits : ~(bits | signBit) >>> 0;
}

/**
 * Ids by rising `keys[id]`, those of equal keys in the order they had: a radix sort in three passes from the lowest
 * digit.
 */
function sortByKey(ids: Uint32Array, keys: Uint32Array): Uint32Array {
  let from = ids;
  let to: Uint32Array = new Uint32Array(ids.length);
  const places = new Uint32Array(digits);
  for (let shift = 0; shift < 32; shift += digitBits) {
    places.fill(0);
    for (let i = 0; i < from.length; i++) places[(keys[from[i]!]! >>> shift) & (digits - 1)]! += 1;
    let next = 0;
    for (let digit = 0; digit < digits; digit++) {
      const size = places[digit]!;
      places[digit] = next;
      next += size;
    }
    for (let i = 0; i < from.length; i++) {
      const id = from[i]!;
      const digit = (keys[id]! >>> shift) & (digits - 1);
      to[places[digit]!++] = id;
    }
    [from, to] = [to, from];
  }
  return from;
}
