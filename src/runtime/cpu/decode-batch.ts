/**
 * @file Rows that decode in one run of the graph: their prompts, shared by all or one each, their answers, and the mask
 * over both.
 */

import type { DecodeRow } from "../device.ts";
import { masked } from "../attention-mask.ts";
import { int64Tensor, tensor, type Tensor } from "../session.ts";
import type { KvMemory } from "./kv-memory.ts";
import { cacheFeeds, KvSegment, placeGranularity, roundUpPlaces, type KvRows } from "./kv-segment.ts";
import type { CpuPrompt } from "./prompt.ts";

/** What a row keeps when it moves from batch to batch. */
export interface RowStart {
  promptLength: number;
  /** Index of the adapter; -1 for the base. */
  adapter: number;
  /** Places that its answer may come to. */
  mostAnswerPlaces: number;
}

export class CpuRow implements DecodeRow {
  readonly start: RowStart;
  batch: DecodeBatch;
  /** Index among the batch's rows; moves when an earlier row leaves. */
  slot: number;
  answerLength = 0;

  constructor(batch: DecodeBatch, slot: number, start: RowStart) {
    this.batch = batch;
    this.slot = slot;
    this.start = start;
  }

  get length(): number {
    return this.start.promptLength + this.answerLength;
  }
}

export interface DecodeBatchCapacity {
  /** Places of all prompts together; not used with a shared prompt. */
  promptPlaces: number;
  /** Places of all answers together. */
  answerPlaces: number;
  /** Most places of one answer. */
  longestAnswer: number;
}

export class DecodeBatch {
  readonly #prompts: KvSegment;
  readonly #answers: KvSegment;
  readonly #shared: boolean;
  readonly #longestAnswer: number;
  readonly #rows: CpuRow[] = [];
  #mask: Float32Array<ArrayBuffer> | undefined;
  #inputs: { rows: number; feeds: Record<string, Tensor> } | undefined;

  /** @param sharedPrompt the one prompt of all rows; without it, each row that joins brings its own */
  constructor(memory: KvMemory, capacity: DecodeBatchCapacity, sharedPrompt?: CpuPrompt) {
    this.#shared = sharedPrompt !== undefined;
    this.#prompts = sharedPrompt?.segment ?? new KvSegment(memory, capacity.promptPlaces);
    this.#answers = new KvSegment(memory, capacity.answerPlaces);
    this.#longestAnswer = capacity.longestAnswer;
  }

  get rows(): readonly CpuRow[] {
    return this.#rows;
  }

  /** Adds `count` rows that continue the prompt by at most `maxAnswerTokens` each. */
  join(prompt: CpuPrompt, count: number, maxAnswerTokens: number): CpuRow[] {
    const first = this.#rows.length;
    const mostAnswerPlaces = roundUpPlaces(maxAnswerTokens + 1);
    const start = { promptLength: prompt.length, adapter: prompt.adapter, mostAnswerPlaces };
    const joined = Array.from({ length: count }, (_, index) => new CpuRow(this, first + index, start));
    this.#admit(joined);
    if (!this.#shared) for (const { slot } of joined) this.#prompts.copyRow(prompt.segment, 0, slot, prompt.length);
    return joined;
  }

  /** Takes over a row, with its prompt and answer, from a batch where each row has its own prompt. */
  adopt(row: CpuRow): void {
    const { batch: origin, slot: originSlot } = row;
    const moved = new CpuRow(this, this.#rows.length, row.start);
    moved.answerLength = row.answerLength;
    this.#admit([moved]);
    this.#prompts.copyRow(origin.#prompts, originSlot, moved.slot, row.start.promptLength);
    this.#answers.copyRow(origin.#answers, originSlot, moved.slot, row.answerLength);
    origin.leave(row);
    row.batch = this;
    row.slot = moved.slot;
    this.#rows[moved.slot] = row;
  }

  /** Removes a row; the last one takes its slot. */
  leave(row: CpuRow): void {
    const last = this.#rows.pop();
    if (last === undefined) return;
    if (last !== row) {
      this.#answers.copyRow(this.#answers, last.slot, row.slot, last.answerLength);
      if (!this.#shared) this.#prompts.copyRow(this.#prompts, last.slot, row.slot, last.start.promptLength);
      last.slot = row.slot;
      this.#rows[row.slot] = last;
    }
    this.#fit();
  }

  /** Moves rows to the first slots, where one step can take them without the others. */
  moveToFront(rows: { readonly size: number; has(row: CpuRow): boolean }): void {
    let front = 0;
    for (let slot = rows.size; slot < this.#rows.length; slot++) {
      if (!rows.has(this.#rows[slot] as CpuRow)) continue;
      while (rows.has(this.#rows[front] as CpuRow)) front++;
      this.#swap(front, slot);
    }
  }

  /** The caches, mask and lengths of the decode graph for the first rows, in slot order. */
  inputs(rows = this.#rows.length): Record<string, Tensor> {
    if (this.#inputs?.rows !== rows) this.#inputs = { rows, feeds: this.#makeInputs(rows) };
    return this.#inputs.feeds;
  }

  /** Appends what a step of the first rows returned, one place for each in slot order. */
  append(source: KvRows, rows = this.#rows.length): void {
    const stepped = this.#rows.slice(0, rows);
    // Only now, when a row that has outgrown its class has had the time to move on.
    if (this.#longest((row) => row.answerLength) >= this.#answers.places) this.#fit();
    const width = this.#mask === undefined ? 0 : this.#mask.length / this.#rows.length;
    this.#answers.append(
      source,
      stepped.map(({ answerLength }) => answerLength),
    );
    for (const row of stepped) {
      if (this.#mask !== undefined) this.#mask[row.slot * width + this.#prompts.places + row.answerLength] = 0;
      row.answerLength++;
    }
  }

  #swap(one: number, other: number): void {
    const [first, second] = [this.#rows[one] as CpuRow, this.#rows[other] as CpuRow];
    for (const segment of this.#shared ? [this.#answers] : [this.#prompts, this.#answers]) segment.swapRows(one, other);
    [first.slot, second.slot] = [other, one];
    [this.#rows[one], this.#rows[other]] = [second, first];
    this.#mask = undefined;
    this.#inputs = undefined;
  }

  #admit(joined: readonly CpuRow[]): void {
    this.#rows.push(...joined);
    this.#fit();
  }

  /**
   * Sizes both segments for the rows there are. Growing by a quarter keeps both the copies and the places read in vain
   * few.
   */
  #fit(): void {
    const count = this.#rows.length;
    if (!this.#shared) this.#prompts.resize(count, count === 0 ? 0 : roundUpPlaces(this.#longest((row) => row.start.promptLength)));
    const needed = this.#longest((row) => row.answerLength) + 1;
    const { places } = this.#answers;
    const grown = Math.max(roundUpPlaces(needed), Math.floor((places * 1.25) / placeGranularity) * placeGranularity);
    const shrinks = needed < places / 2;
    const wanted = needed > places ? grown : shrinks ? roundUpPlaces(needed) : places;
    const most = Math.min(
      this.#longestAnswer,
      this.#longest((row) => row.start.mostAnswerPlaces),
    );
    this.#answers.resize(count, count === 0 ? 0 : Math.max(Math.min(wanted, most), roundUpPlaces(needed)));
    this.#mask = undefined;
    this.#inputs = undefined;
    // A batch over a shared prompt ends with its last row.
    if (count === 0 && this.#shared) for (const segment of [this.#prompts, this.#answers]) segment.release();
  }

  #longest(length: (row: CpuRow) => number): number {
    return this.#rows.reduce((most, row) => Math.max(most, length(row)), 0);
  }

  #makeInputs(rows: number): Record<string, Tensor> {
    const promptPlaces = this.#prompts.places;
    const answerPlaces = this.#answers.places;
    const width = promptPlaces + answerPlaces + 1;
    this.#mask ??= this.#makeMask(promptPlaces, width);
    return {
      mask: tensor("float32", this.#mask.subarray(0, rows * width), [rows, 1, 1, width]),
      lengths: int64Tensor([promptPlaces, answerPlaces, 1], [3]),
      ...cacheFeeds(this.#prompts, this.#answers, rows),
    };
  }

  /** For each row, the places that it sees: its prompt, its answer and the new token. */
  #makeMask(promptPlaces: number, width: number): Float32Array<ArrayBuffer> {
    const mask = new Float32Array(this.#rows.length * width).fill(masked);
    for (const {
      slot,
      start: { promptLength },
      answerLength,
    } of this.#rows) {
      const start = slot * width;
      mask.fill(0, start, start + promptLength);
      mask.fill(0, start + promptPlaces, start + promptPlaces + answerLength);
      mask[start + width - 1] = 0;
    }
    return mask;
  }
}
