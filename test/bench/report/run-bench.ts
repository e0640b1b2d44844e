/**
 * @file The frame of every measurement: reads its flags, measures, prints the tables, keeps the result, and fails when
 * a check misses its bound.
 */

import { mkdirSync } from "node:fs";
import { basename } from "node:path";
import { parseArgs } from "node:util";
import { missedChecks, type BenchResult } from "../../../loadtest/measurement/bench-result.ts";
import { readConditions, type Conditions } from "../../../loadtest/measurement/conditions.ts";
import { docsFolder, keepMeasurement } from "../../../loadtest/measurement/kept-measurements.ts";
import { measurementsMarkdown } from "../../../loadtest/measurement/markdown.ts";
import { benchmarks } from "./benchmarks-document.ts";

export interface BenchRun {
  profile: Conditions["profile"];
  /** Reads the conditions before anything is measured. */
  conditions: Conditions;
  /** The value of --minutes; undefined without it. */
  minutes: number | undefined;
  /** Prints a line about the progress. */
  say: (line: string) => void;
}

/** What a measurement returns; `runBench` adds the rest. */
export type Measurement = Omit<BenchResult, "name" | "command" | "conditions" | "figures"> & {
  /** Versions of the engines that were measured beside ours. */
  peers?: Record<string, string>;
  /** SVG by file name, with its caption. */
  figures?: { file: string; caption: string; svg: string }[];
};

const help = `Flags: --quick    a smoke test of a minute or less, printed and not kept
       --out DIR  keep the result in DIR instead of docs/ (also a quick one)
       --minutes N  how long the soak lasts`;

/** Runs a measurement by its file's name; `measure` may throw to say why it cannot. */
export async function runBench(moduleUrl: string, measure: (run: BenchRun) => Promise<Measurement>): Promise<void> {
  const name = basename(new URL(moduleUrl).pathname, ".ts");
  const flags = readFlags();
  if (flags === undefined) return;
  const profile = flags.quick ? "quick" : "full";
  const conditions = readConditions(profile);
  const say = (line: string): void => console.error(line);
  const { figures = [], peers = {}, ...measured } = await measure({ profile, conditions, minutes: flags.minutes, say });
  const result: BenchResult = {
    name,
    command: [
      "npm run bench --",
      name,
      ...(flags.quick ? ["--quick"] : []),
      ...(flags.minutes === undefined ? [] : [`--minutes ${flags.minutes}`]),
    ].join(" "),
    ...measured,
    conditions: { ...conditions, versions: { ...conditions.versions, ...peers } },
    figures: figures.map(({ file, caption }) => ({ file, caption })),
  };
  console.log(measurementsMarkdown([result], { ...benchmarks, head: [] }));
  const docs = flags.out ?? (flags.quick ? undefined : docsFolder);
  if (docs !== undefined) {
    mkdirSync(docs, { recursive: true });
    keepMeasurement(result, new Map(figures.map(({ file, svg }) => [file, svg])), docs, benchmarks);
    say(`Kept in ${docs}.`);
  }
  const missed = missedChecks(result.checks);
  for (const line of missed) say(line);
  if (missed.length > 0) process.exitCode = 1;
}

interface Flags {
  quick: boolean;
  out: string | undefined;
  minutes: number | undefined;
}

function readFlags(): Flags | undefined {
  try {
    const { values } = parseArgs({
      options: {
        quick: { type: "boolean", default: false },
        out: { type: "string" },
        minutes: { type: "string" },
        help: { type: "boolean" },
      },
    });
    const minutes = values.minutes === undefined ? undefined : Number(values.minutes);
    if (minutes !== undefined && !(minutes > 0)) throw new Error(`--minutes takes a number above 0, not "${values.minutes}".`);
    if (values.help !== true) return { quick: values.quick, out: values.out, minutes };
    console.log(help);
  } catch (error) {
    console.error(`${(error as Error).message}\n${help}`);
    process.exitCode = 2;
  }
  return undefined;
}
