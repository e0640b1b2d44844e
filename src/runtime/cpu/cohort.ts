/** @file Rows that decode in one run of the graph: their prompts, shared by all or one each, their answers, and the mask over both. */

import type { DecodeRow } from "../device.ts";
import { int64Tensor, tensor, type Tensor } from "../session.ts";
import { KvSegment, placeGranularity, roundUpPlaces, type CacheArray, type KvShape } from "./kv-segment.ts";
import type { CpuPrompt } from "./prompt.ts";

export class CpuRow implements DecodeRow {
  readonly cohort: Cohort;
  readonly promptLength: number;
  /** Index among the cohort's rows; moves when an earlier row leaves. */
  slot: number;
  answerLength = 0;

  constructor(cohort: Cohort, slot: number, promptLength: number) {
    this.cohort = cohort;
    this.slot = slot;
    this.promptLength = promptLength;
  }

  get length(): number {
    return this.promptLength + this.answerLength;
  }
}

/** Added to the score of a place that holds no key of the row: exp gives an exact zero. */
const masked = -3.4028234663852886e38;

export class Cohort {
  readonly #shape: KvShape;
  readonly #prompts: KvSegment;
  readonly #answers: KvSegment;
  readonly #shared: boolean;
  readonly #rows: CpuRow[] = [];
  #mask: Float32Array<ArrayBuffer> | undefined;
  #inputs: Record<string, Tensor> | undefined;

  /** @param sharedPrompt the one prompt of all rows; without it, each row that joins brings its own */
  constructor(shape: KvShape, sharedPrompt?: CpuPrompt) {
    this.#shape = shape;
    this.#shared = sharedPrompt !== undefined;
    this.#prompts = sharedPrompt?.segment ?? new KvSegment(shape);
    this.#answers = new KvSegment(shape);
  }

  get rows(): readonly CpuRow[] {
    return this.#rows;
  }

  get byteLength(): number {
    return this.#prompts.byteLength + this.#answers.byteLength;
  }

  /** Adds `count` rows that continue the prompt. */
  join(prompt: CpuPrompt, count: number): CpuRow[] {
    const first = this.#rows.length;
    const total = first + count;
    if (!this.#shared) {
      const places = Math.max(this.#prompts.places, roundUpPlaces(prompt.length));
      this.#prompts.resize(total, places, this.#spare(total, places));
      for (let slot = first; slot < total; slot++) this.#prompts.copyRow(prompt.segment, 0, slot, prompt.length);
    }
    const places = Math.max(this.#answers.places, placeGranularity);
    this.#answers.resize(total, places, this.#spare(total, places));
    const joined = Array.from({ length: count }, (_, index) => new CpuRow(this, first + index, prompt.length));
    this.#rows.push(...joined);
    this.#layoutChanged();
    return joined;
  }

  /** Removes a row; the last one takes its slot. */
  leave(row: CpuRow): void {
    const last = this.#rows.pop();
    if (last === undefined) return;
    if (last !== row) {
      this.#answers.copyRow(this.#answers, last.slot, row.slot, last.answerLength);
      if (!this.#shared) this.#prompts.copyRow(this.#prompts, last.slot, row.slot, last.promptLength);
      last.slot = row.slot;
      this.#rows[row.slot] = last;
    }
    const count = this.#rows.length;
    const answerPlaces = this.#rows.reduce((most, { answerLength }) => Math.max(most, answerLength + 1), 0);
    this.#answers.resize(count, count === 0 ? 0 : Math.min(this.#answers.places, roundUpPlaces(answerPlaces)));
    if (!this.#shared) {
      const promptPlaces = this.#rows.reduce((most, { promptLength }) => Math.max(most, promptLength), 0);
      this.#prompts.resize(count, count === 0 ? 0 : Math.min(this.#prompts.places, roundUpPlaces(promptPlaces)));
    }
    this.#layoutChanged();
  }

  /** The caches, mask and lengths of the decode graph, all rows in slot order. */
  inputs(): Record<string, Tensor> {
    this.#inputs ??= this.#makeInputs();
    return this.#inputs;
  }

  /** Appends the rows that a step returned, for every row in slot order: [2 * layers, rows, kvHeads, headDim]. */
  append(source: CacheArray): void {
    const count = this.#rows.length;
    for (const row of this.#rows) {
      this.#answers.write(source, count, row.slot, row.slot, row.answerLength, 1);
      if (this.#mask !== undefined) {
        const width = this.#mask.length / count;
        this.#mask[row.slot * width + this.#prompts.places + row.answerLength] = 0;
      }
      row.answerLength++;
    }
    const longest = this.#rows.reduce((most, { answerLength }) => Math.max(most, answerLength), 0);
    if (longest >= this.#answers.places) {
      // Growing by a quarter keeps both the copies and the places that are read in vain few.
      const places = roundUpPlaces(Math.max(longest + 1, Math.floor(this.#answers.places * 1.25)));
      this.#answers.resize(count, places, this.#spare(count, places));
      this.#layoutChanged();
    }
  }

  /** Room for a quarter more than is needed, so that most growth moves nothing to a new array. */
  #spare(rows: number, places: number): number {
    return Math.ceil(1.25 * rows * places) * this.#shape.kvHeads * this.#shape.headDim;
  }

  #layoutChanged(): void {
    this.#mask = undefined;
    this.#inputs = undefined;
  }

  #makeInputs(): Record<string, Tensor> {
    const count = this.#rows.length;
    const promptPlaces = this.#prompts.places;
    const answerPlaces = this.#answers.places;
    const width = promptPlaces + answerPlaces + 1;
    const mask = new Float32Array(count * width).fill(masked);
    for (const { slot, promptLength, answerLength } of this.#rows) {
      const start = slot * width;
      mask.fill(0, start, start + promptLength);
      mask.fill(0, start + promptPlaces, start + promptPlaces + answerLength);
      mask[start + width - 1] = 0;
    }
    this.#mask = mask;
    const { kvHeads, headDim, layers } = this.#shape;
    const prompts = this.#prompts.tensors([this.#prompts.rows, kvHeads, promptPlaces, headDim]);
    const answers = this.#answers.tensors([count, kvHeads, answerPlaces, headDim]);
    const inputs: Record<string, Tensor> = {
      mask: tensor("float32", mask, [count, 1, 1, width]),
      lengths: int64Tensor([promptPlaces, answerPlaces, 1], [3]),
    };
    for (let layer = 0; layer < layers; layer++) {
      inputs[`prompt_key_${layer}`] = prompts[layer] as Tensor;
      inputs[`prompt_value_${layer}`] = prompts[layers + layer] as Tensor;
      inputs[`answer_key_${layer}`] = answers[layer] as Tensor;
      inputs[`answer_value_${layer}`] = answers[layers + layer] as Tensor;
    }
    return inputs;
  }
}
