/** @file Automatic schedules of one server: each is found once, which takes some tenths of a second, and kept. */

import type { PrefixMeasurement } from "../../engine/contract/reward-description.ts";
import { automaticSchedule } from "./automatic-schedule.ts";
import type { TokenStage } from "./schedule.ts";

export class AutomaticSchedules {
  readonly #found = new WeakMap<PrefixMeasurement, Map<string, readonly TokenStage[]>>();

  /**
   * The schedule for N candidates of which some come back. Both are taken as the next power of two, so that no client can make a server look for
   * hundreds of them.
   */
  of(measured: PrefixMeasurement, candidates: number, returned: number): readonly TokenStage[] {
    let ofModel = this.#found.get(measured);
    if (ofModel === undefined) this.#found.set(measured, (ofModel = new Map()));
    const [rows, best] = [powerOfTwo(candidates), powerOfTwo(returned)];
    const key = `${rows} ${best}`;
    let stages = ofModel.get(key);
    if (stages === undefined) ofModel.set(key, (stages = automaticSchedule(measured, rows, best)));
    return stages;
  }
}

const powerOfTwo = (count: number): number => 2 ** Math.ceil(Math.log2(count));
