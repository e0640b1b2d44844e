/** @file Keys and values of several rows in plain memory, one pair of arrays a layer, laid out as the graphs read them. */

import type { CacheType } from "../../architectures/decoder-graph.ts";
import { BonsaiError } from "../../errors/bonsai-error.ts";
import { tensor, type Tensor } from "../session.ts";

export type CacheArray = Int8Array<ArrayBuffer> | Uint16Array<ArrayBuffer> | Float32Array<ArrayBuffer>;

export interface KvShape {
  layers: number;
  kvHeads: number;
  headDim: number;
  type: CacheType;
}

/**
 * Sums over places are vectorised in groups of 64: as long as every segment's length is a multiple of this, the places that padding adds
 * cannot change the order in which the others are added.
 */
export const placeGranularity = 64;

export function roundUpPlaces(places: number): number {
  return Math.max(1, Math.ceil(places / placeGranularity)) * placeGranularity;
}

/**
 * Each of 2 x layers arrays (keys of all layers, then values) is [rows, kvHeads, places, headDim]; what lies past a row's length is finite.
 *
 * The arrays are made once, at their capacity, and rows and places change within them: the system gives memory only to the part that was
 * written, and nothing is left to the garbage collector while rows come and go.
 */
export class KvSegment {
  readonly shape: KvShape;
  /** Places of all rows together. */
  readonly capacity: number;
  readonly #arrays: CacheArray[];
  #rows = 0;
  #places = 0;
  #tensors: { dims: string; tensors: Tensor[] } | undefined;

  constructor(shape: KvShape, capacity: number) {
    this.shape = shape;
    this.capacity = capacity;
    this.#arrays = Array.from({ length: 2 * shape.layers }, () => allocate(shape.type, capacity * shape.kvHeads * shape.headDim));
  }

  get rows(): number {
    return this.#rows;
  }

  get places(): number {
    return this.#places;
  }

  /** Changes the number of rows and of places, keeping what both have in common. Throws `internal` past the capacity. */
  resize(rows: number, places: number): void {
    if (rows === this.#rows && places === this.#places) return;
    if (rows * places > this.capacity) {
      throw new BonsaiError("internal", `${rows} rows of ${places} places do not fit a cache segment of ${this.capacity} places.`);
    }
    const { kvHeads, headDim } = this.shape;
    const blocks = Math.min(rows, this.#rows) * kvHeads;
    const kept = Math.min(places, this.#places) * headDim;
    for (const array of this.#arrays) moveBlocks(array, blocks, this.#places * headDim, places * headDim, kept);
    this.#rows = rows;
    this.#places = places;
    this.#tensors = undefined;
  }

  /** The arrays as tensors of this shape, keys of all layers and then values; made again only when the size changes. */
  tensors(dims: readonly number[]): readonly Tensor[] {
    const { kvHeads, headDim, type } = this.shape;
    const length = this.#rows * kvHeads * this.#places * headDim;
    if (this.#tensors?.dims !== dims.join()) {
      this.#tensors = { dims: dims.join(), tensors: this.#arrays.map((array) => tensor(type, array.subarray(0, length), dims)) };
    }
    return this.#tensors.tensors;
  }

  /**
   * Writes the keys and values of new places.
   * @param source for each array in turn, `sourceRows` rows of [kvHeads, count, headDim]
   */
  write(source: CacheArray, sourceRows: number, sourceRow: number, row: number, place: number, count: number): void {
    const { kvHeads, headDim } = this.shape;
    const run = count * headDim;
    this.#arrays.forEach((array, index) => {
      let from = (index * sourceRows + sourceRow) * kvHeads * run;
      let to = (row * kvHeads * this.#places + place) * headDim;
      for (let head = 0; head < kvHeads; head++) {
        // A run this short is copied faster by hand than through a view.
        if (count === 1) for (let at = 0; at < headDim; at++) array[to + at] = source[from + at] as number;
        else array.set(source.subarray(from, from + run), to);
        from += run;
        to += this.#places * headDim;
      }
    });
  }

  /** Reads places back, in the order that `write` takes them for one source row. */
  read(row: number, place: number, count: number): CacheArray {
    const { kvHeads, headDim, type } = this.shape;
    const run = count * headDim;
    const result = allocate(type, this.#arrays.length * kvHeads * run);
    this.#arrays.forEach((array, index) => {
      for (let head = 0; head < kvHeads; head++) {
        const from = ((row * kvHeads + head) * this.#places + place) * headDim;
        result.set(array.subarray(from, from + run), (index * kvHeads + head) * run);
      }
    });
    return result;
  }

  /** Copies the first `count` places of a row of another segment, or of this one. */
  copyRow(source: KvSegment, sourceRow: number, row: number, count: number): void {
    const { kvHeads, headDim } = this.shape;
    this.#arrays.forEach((array, index) => {
      const from = source.#arrays[index] as CacheArray;
      for (let head = 0; head < kvHeads; head++) {
        const start = (sourceRow * kvHeads + head) * source.#places * headDim;
        array.set(from.subarray(start, start + count * headDim), (row * kvHeads + head) * this.#places * headDim);
      }
    });
  }
}

/** Bytes that the keys and values of one token take. */
export function bytesPerPlace({ layers, kvHeads, headDim, type }: KvShape): number {
  return 2 * layers * kvHeads * headDim * { int8: 1, float16: 2, float32: 4 }[type];
}

/** Blocks of `kept` values move from stride `from` to stride `to`, in the order that overwrites nothing unread. */
function moveBlocks(array: CacheArray, blocks: number, from: number, to: number, kept: number): void {
  if (to > from) {
    for (let block = blocks - 1; block > 0; block--) array.copyWithin(block * to, block * from, block * from + kept);
  } else if (to < from) {
    for (let block = 1; block < blocks; block++) array.copyWithin(block * to, block * from, block * from + kept);
  }
}

function allocate(type: CacheType, length: number): CacheArray {
  if (type === "int8") return new Int8Array(length);
  return type === "float16" ? new Uint16Array(length) : new Float32Array(length);
}
