/**
 * @file The numbers of all rounds of a measurement, and the ratios between two that were measured in the same rounds.
 */

import type { Cell } from "../../../loadtest/measurement/bench-result.ts";
import { median, spread } from "../../../src/statistics/quantiles.ts";

/** Measured numbers by name; the nth number of a name is that of its nth round. */
export class Samples {
  readonly #values = new Map<string, number[]>();

  add(key: string, value: number): void {
    const values = this.#values.get(key);
    if (values === undefined) this.#values.set(key, [value]);
    else values.push(value);
  }

  cell(key: string): Cell {
    const values = this.#values.get(key);
    return values === undefined ? null : spread(values);
  }

  /** NaN without any round. */
  median(key: string): number {
    const values = this.#values.get(key);
    return values === undefined ? NaN : median(values);
  }

  /** The largest of all rounds; NaN without any, which no bound holds. */
  highest(key: string): number {
    return Math.max(...(this.#values.get(key) ?? [NaN]));
  }

  /** Median over rounds of each round's ratio: a disturbance of a whole round cancels. */
  ratio(key: string, against: string): number | undefined {
    const [ours, theirs] = [this.#values.get(key), this.#values.get(against)];
    if (ours === undefined || theirs === undefined) return undefined;
    return median(theirs.slice(0, ours.length).map((value, round) => (ours[round] as number) / value));
  }

  ratioCell(key: string, against: string): Cell {
    return this.ratio(key, against) ?? null;
  }

  toJSON(): Record<string, number[]> {
    return Object.fromEntries(this.#values);
  }
}
