/** @file Which rows each step trains on: a pure function of seed and step, so that a run can go on from any step. */

import { candidateSeed } from "../../random/philox.ts";
import { shuffleInPlace } from "../../random/shuffle.ts";

export interface DataOrderOptions {
  /** Rows of an epoch. */
  rows: number;
  /** Rows of a batch. */
  batchSize: number;
  /** Batches of a step. */
  accumulationSteps: number;
  seed: number;
  /** Without it every epoch has the rows in their own order. */
  shuffle: boolean;
}

/** What a step trains on. */
export interface StepRows {
  /** Counted from 0. */
  epoch: number;
  /** Rows of each batch. The last batches of an epoch may be smaller or fewer. */
  batches: number[][];
}

export class DataOrder {
  readonly #options: DataOrderOptions;
  readonly #rowsPerStep: number;
  readonly stepsPerEpoch: number;
  #shuffled: { epoch: number; order: Int32Array } | undefined;

  constructor(options: DataOrderOptions) {
    this.#options = options;
    this.#rowsPerStep = options.batchSize * options.accumulationSteps;
    this.stepsPerEpoch = Math.ceil(options.rows / this.#rowsPerStep);
  }

  /** @param step counted from 0. */
  rowsOf(step: number): StepRows {
    const { batchSize } = this.#options;
    const epoch = Math.floor(step / this.stepsPerEpoch);
    const first = (step % this.stepsPerEpoch) * this.#rowsPerStep;
    const rows = [...this.#orderOf(epoch).subarray(first, first + this.#rowsPerStep)];
    const batches: number[][] = [];
    for (let at = 0; at < rows.length; at += batchSize) batches.push(rows.slice(at, at + batchSize));
    return { epoch, batches };
  }

  #orderOf(epoch: number): Int32Array {
    if (this.#shuffled?.epoch === epoch) return this.#shuffled.order;
    const order = Int32Array.from({ length: this.#options.rows }, (_, row) => row);
    if (this.#options.shuffle) shuffleInPlace(order, candidateSeed(this.#options.seed, epoch + 1));
    this.#shuffled = { epoch, order };
    return order;
  }
}
