/** @file docs/BENCHMARKS.md: its first lines, and the order of its measurements. */

import type { MeasuredDocument } from "../../../loadtest/measurement/markdown.ts";

export const benchmarks: MeasuredDocument = {
  file: "BENCHMARKS.md",
  folder: "benchmarks",
  order: ["engine", "first-tokens", "quantization", "modes", "memory", "latency", "soak"],
  head: [
    "# Benchmarks",
    "",
    "Written from `docs/benchmarks/*.json` by the measurements themselves (`npm run bench -- NAME`); do not edit. `npm run bench -- tables` writes it again without measuring.",
    "",
    "Absolute numbers move from machine to machine and from hour to hour. What counts are ratios: ours and the peer's were measured in one run, in turns, and each number is the median of",
    "its rounds, with the lowest and the highest behind it.",
    "",
  ],
};
