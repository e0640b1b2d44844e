/**
 * @file Keys and values of several rows in plain memory, one pair of arrays a layer, laid out as the graphs read them.
 */

import type { CacheType } from "../../architectures/decoder/cached-attention.ts";
import { BonsaiError } from "../../errors/bonsai-error.ts";
import { tensor, type Tensor } from "../session.ts";
import { bytesOf, type KvMemory, type MemoryHolder } from "./kv-memory.ts";

export type CacheArray = Int8Array<ArrayBuffer> | Uint8Array<ArrayBuffer> | Uint16Array<ArrayBuffer> | Float32Array<ArrayBuffer>;

/** Keys and values of some places of some rows, as the graphs return them: of all layers in turn. */
export interface KvRows {
  /** [layers, rows, kvHeads, headDim, places]. */
  keys: CacheArray;
  /** [layers, rows, kvHeads, places, headDim]. */
  values: CacheArray;
}

/**
 * Sums over places are vectorised in groups of 64: as long as every segment's length is a multiple of this, the places
 * that padding adds cannot change the order in which the others are added.
 */
export const placeGranularity = 64;

/**
 * Places that a segment keeps once it has needed them, while memory is not short: rows that come and go need them
 * again.
 */
const leastKept = 4096;

/** Runs of at most this many values are copied one by one, which is faster than through a view. */
const longestRunByHand = 64;

export function roundUpPlaces(places: number): number {
  return Math.max(1, Math.ceil(places / placeGranularity)) * placeGranularity;
}

/**
 * One layer's keys or values, [rows, outer, places, inner]: keys channel by channel, as products read them, values
 * place by place.
 */
interface LayerArray {
  /** The whole of a resizable buffer. */
  data: CacheArray;
  outer: number;
  inner: number;
}

/**
 * Keys are [rows, kvHeads, headDim, places] and values [rows, kvHeads, places, headDim]; what is past a row's length is
 * finite.
 *
 * Addresses are reserved once, for the whole capacity, and rows and places change within them. The system gives memory
 * only to what was written, and takes it back when less than half is needed, or when memory is short; nothing waits for
 * the garbage collector.
 */
export class KvSegment implements MemoryHolder {
  /** Places of all rows together. */
  readonly capacity: number;
  readonly #memory: KvMemory;
  readonly #keys: LayerArray[];
  readonly #values: LayerArray[];
  readonly #leastKept: number;
  #rows = 0;
  #places = 0;
  #held = 0;
  #tensors: { rows: number; keys: Tensor[]; values: Tensor[] } | undefined;

  /** @param kept places of memory that are given back only when memory is short */
  constructor(memory: KvMemory, capacity: number, kept = leastKept) {
    this.#memory = memory;
    this.capacity = capacity;
    this.#leastKept = kept;
    const { layers, kvHeads, headDim, type } = memory.shape;
    const arrays = (outer: number, inner: number): LayerArray[] =>
      Array.from({ length: layers }, () => {
        const buffer = new ArrayBuffer(0, { maxByteLength: capacity * outer * inner * bytesOf[type] });
        return { data: viewOf(type, buffer), outer, inner };
      });
    this.#keys = arrays(kvHeads * headDim, 1);
    this.#values = arrays(kvHeads, headDim);
  }

  get rows(): number {
    return this.#rows;
  }

  get places(): number {
    return this.#places;
  }

  /** Places that memory is held for: no more than `kept`, or twice what was needed after the last change. */
  get heldPlaces(): number {
    return this.#held;
  }

  /** Changes the number of rows and of places; what they held is gone. Throws `internal` past the capacity. */
  reset(rows: number, places: number): void {
    this.#rows = 0;
    this.#places = 0;
    this.#tensors = undefined;
    this.resize(rows, places);
  }

  /**
   * Changes the number of rows and of places, keeping what both have in common. Throws `internal` past the capacity.
   */
  resize(rows: number, places: number): void {
    if (rows === this.#rows && places === this.#places) return;
    const needed = rows * places;
    if (needed > this.capacity) {
      throw new BonsaiError("internal", `${rows} rows of ${places} places do not fit a cache segment of ${this.capacity} places.`);
    }
    if (needed > this.#held) this.#hold(needed);
    for (const { data, outer, inner } of this.#all()) {
      const kept = Math.min(places, this.#places) * inner;
      moveBlocks(data, Math.min(rows, this.#rows) * outer, this.#places * inner, places * inner, kept);
    }
    this.#rows = rows;
    this.#places = places;
    this.#tensors = undefined;
    if (this.#held > this.#leastKept && needed <= this.#held / 2) this.#hold(Math.max(needed, this.#leastKept));
  }

  /** The first rows of each layer's arrays as tensors, made again only when the size or the number of rows changes. */
  tensors(rows = this.#rows): { keys: readonly Tensor[]; values: readonly Tensor[] } {
    if (this.#tensors?.rows === rows) return this.#tensors;
    const { kvHeads, headDim, type } = this.#memory.shape;
    const length = rows * kvHeads * this.#places * headDim;
    const tensors = (arrays: readonly LayerArray[], dims: readonly number[]): Tensor[] =>
      arrays.map(({ data }) => tensor(type, data.subarray(0, length), dims));
    this.#tensors = {
      rows,
      keys: tensors(this.#keys, [rows, kvHeads, headDim, this.#places]),
      values: tensors(this.#values, [rows, kvHeads, this.#places, headDim]),
    };
    return this.#tensors;
  }

  /**
   * Writes the keys and values of `count` new places of one row. @param source of `sourceRows` rows, `sourceRow` of
   * which is written
   */
  write(source: KvRows, sourceRows: number, sourceRow: number, row: number, place: number, count: number): void {
    this.#eachLayer(source, (flat, layer, { data, outer, inner }) => {
      const run = count * inner;
      const stride = this.#places * inner;
      copyBlocks(flat, (layer * sourceRows + sourceRow) * outer * run, run, data, row * outer * stride + place * inner, stride, outer, run);
    });
  }

  /** Writes a new place of each of the first rows. @param source of so many rows; @param places where theirs go */
  append(source: KvRows, places: readonly number[]): void {
    this.#eachLayer(source, (flat, layer, { data, outer, inner }) => {
      const stride = this.#places * inner;
      const first = layer * places.length;
      for (const [row, place] of places.entries())
        copyBlocks(flat, (first + row) * outer * inner, inner, data, row * outer * stride + place * inner, stride, outer, inner);
    });
  }

  /** Reads places back, as `write` takes them for one source row. */
  read(row: number, place: number, count: number): KvRows {
    const { layers, kvHeads, headDim, type } = this.#memory.shape;
    const length = layers * kvHeads * headDim * count;
    const page = (): CacheArray => viewOf(type, new ArrayBuffer(length * bytesOf[type]));
    const result = { keys: page(), values: page() };
    this.#eachLayer(result, (flat, layer, { data, outer, inner }) => {
      const run = count * inner;
      const stride = this.#places * inner;
      copyBlocks(data, row * outer * stride + place * inner, stride, flat, layer * outer * run, run, outer, run);
    });
    return result;
  }

  /** Copies the first `count` places of a row of another segment, or of this one. */
  copyRow(source: KvSegment, sourceRow: number, row: number, count: number): void {
    const from = source.#all();
    this.#all().forEach(({ data, outer, inner }, index) => {
      const { data: sourceData } = from[index] as LayerArray;
      const [stride, sourceStride] = [this.#places * inner, source.#places * inner];
      copyBlocks(sourceData, sourceRow * outer * sourceStride, sourceStride, data, row * outer * stride, stride, outer, count * inner);
    });
  }

  /** Exchanges two rows. */
  swapRows(one: number, other: number): void {
    for (const { data, outer, inner } of this.#all()) {
      const length = outer * this.#places * inner;
      const kept = data.slice(one * length, (one + 1) * length);
      data.copyWithin(one * length, other * length, (other + 1) * length);
      data.set(kept, other * length);
    }
  }

  trim(): void {
    const needed = this.#rows * this.#places;
    if (this.#held > needed) this.#hold(needed);
  }

  /** Gives all memory back. */
  release(): void {
    this.reset(0, 0);
    this.trim();
  }

  /** A shorter buffer gives its end back to the system, and a longer one begins with zeros there. */
  #hold(places: number): void {
    const { type } = this.#memory.shape;
    if (places > this.#held) this.#memory.setPlaces(this, places);
    for (const array of this.#all()) {
      const { buffer } = array.data;
      buffer.resize(places * array.outer * array.inner * bytesOf[type]);
      array.data = viewOf(type, buffer);
    }
    if (places < this.#held) this.#memory.setPlaces(this, places);
    this.#held = places;
  }

  #all(): LayerArray[] {
    return [...this.#keys, ...this.#values];
  }

  #eachLayer({ keys, values }: KvRows, visit: (flat: CacheArray, layer: number, array: LayerArray) => void): void {
    this.#keys.forEach((array, layer) => visit(keys, layer, array));
    this.#values.forEach((array, layer) => visit(values, layer, array));
  }
}

/**
 * The inputs of the decoder's graph that hold the places of prompts and answers.
 *
 * @param rows how many of the first rows are fed; a prompt that all rows share is one row
 */
export function cacheFeeds(prompt: KvSegment, answer: KvSegment, rows = Infinity): Record<string, Tensor> {
  const feeds: Record<string, Tensor> = {};
  for (const [name, segment] of [
    ["prompt", prompt],
    ["answer", answer],
  ] as const) {
    const { keys, values } = segment.tensors(Math.min(rows, segment.rows));
    keys.forEach((key, layer) => (feeds[`${name}_key_${layer}`] = key));
    values.forEach((value, layer) => (feeds[`${name}_value_${layer}`] = value));
  }
  return feeds;
}

/** Copies `blocks` runs of values, each so many values after the last. */
function copyBlocks(
  source: CacheArray,
  from: number,
  fromStride: number,
  target: CacheArray,
  to: number,
  toStride: number,
  blocks: number,
  run: number,
): void {
  for (let block = 0; block < blocks; block++) {
    if (run <= longestRunByHand) for (let at = 0; at < run; at++) target[to + at] = source[from + at] as number;
    else target.set(source.subarray(from, from + run), to);
    from += fromStride;
    to += toStride;
  }
}

/** Blocks of `kept` values move from stride `from` to stride `to`, in the order that overwrites nothing unread. */
function moveBlocks(array: CacheArray, blocks: number, from: number, to: number, kept: number): void {
  if (to > from) {
    for (let block = blocks - 1; block > 0; block--) array.copyWithin(block * to, block * from, block * from + kept);
  } else if (to < from) {
    for (let block = 1; block < blocks; block++) array.copyWithin(block * to, block * from, block * from + kept);
  }
}

function viewOf(type: CacheType, buffer: ArrayBuffer): CacheArray {
  // A view without a length would follow every resizing of its buffer, and is slower to read and write.
  const length = buffer.byteLength / bytesOf[type];
  if (type === "int8") return new Int8Array(buffer, 0, length);
  if (type === "uint8") return new Uint8Array(buffer, 0, length);
  return type === "float16" ? new Uint16Array(buffer, 0, length) : new Float32Array(buffer, 0, length);
}
