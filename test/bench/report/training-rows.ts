/**
 * @file Rows of a table of training: tokens a second and peak memory of each subject, beside the peers' of the same
 * rounds.
 */

import type { TimedSteps } from "../load/training-steps.ts";
import type { Cell, Column } from "../../../loadtest/measurement/bench-result.ts";
import type { Samples } from "./samples.ts";
import { median } from "../../../src/statistics/quantiles.ts";

/** Keeps a round of a subject; the first step is not counted. */
export function recordSteps(samples: Samples, subject: string, { seconds, peakMB }: TimedSteps, tokens: number): void {
  samples.add(`${subject} speed`, tokens / median(seconds.slice(1)));
  samples.add(`${subject} peak`, peakMB);
}

/** @param peers by their keys among the samples: how they are called */
export function trainingColumns(peers: readonly string[]): Column[] {
  return [
    { heading: "" },
    { heading: "tokens/s", digits: 0 },
    ...peers.map((name) => ({ heading: `times ${name}`, digits: 2 })),
    { heading: "peak memory, MB", digits: 0 },
    ...peers.map((name) => ({ heading: `share of ${name}'s`, digits: 2 })),
  ];
}

/** @param key of the subject among the samples. @param peers keys of the peers, in the order of the columns */
export function trainingRow(samples: Samples, name: string, key: string, peers: readonly string[]): Cell[] {
  const beside = (part: "speed" | "peak"): Cell[] => peers.map((peer) => samples.ratioCell(`${key} ${part}`, `${peer} ${part}`));
  return [name, samples.cell(`${key} speed`), ...beside("speed"), samples.cell(`${key} peak`), ...beside("peak")];
}
