/** @file A chapter of docs/LOADTEST.md: the results of one part of the run, without machine and command. */

import type { BenchResult } from "../measurement/bench-result.ts";
import type { MeasuredDocument } from "../measurement/markdown.ts";

export type Chapter = Omit<BenchResult, "command" | "conditions" | "figures"> & {
  figures: { file: string; caption: string; svg: string }[];
};

/** docs/LOADTEST.md. */
export const loadTests: MeasuredDocument = {
  file: "LOADTEST.md",
  folder: "loadtest",
  order: ["choice", "quality", "load", "capacity", "smollm2", "peers"],
  head: [
    "# Load tests",
    "",
    "What Best-of-N costs and what it gains, beside tuned models. Written from `docs/loadtest/*.json` by `npm run loadtest`; do not edit. `npm run loadtest -- --tables` writes it again without measuring.",
    "`npm run advise -- --budget-ms 800` reads the same files and says which way to answer fits a latency budget.",
    "",
    "Absolute times move from machine to machine: run it on yours. Client and server share the cores.",
    "",
  ],
};
