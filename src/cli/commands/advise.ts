/** @file The command line of `npm run advise`: which model and number of candidates fit a latency budget. */

import { join } from "node:path";
import { Type } from "typebox";
import { projectRoot } from "../../catalog/project-root.ts";
import { annotations, oneOf } from "../../config/option.ts";
import { adviceLines, readMeasurements } from "../../evaluation/latency-advice.ts";
import { percentiles } from "../../evaluation/operating-points.ts";
import { runCommand, type Command } from "../run-command.ts";

const annotate = annotations<"Options">();

const AdviseSchema = Type.Object({
  budgetMs: Type.Number({
    exclusiveMinimum: 0,
    ...annotate({
      group: "Options",
      unit: "milliseconds",
      description: "Longest time of a whole answer that is acceptable",
      whenMissing: "Say how long an answer may take: --budget-ms 800.",
    }),
  }),
  percentile: oneOf(
    percentiles,
    annotate({ group: "Options", description: "Share of the answers that must come in time", default: "p90" }),
  ),
  results: Type.Optional(
    Type.String(
      annotate({
        group: "Options",
        metavar: "FILE",
        description: "Measurements; npm run loadtest measures this machine",
        defaultText: "docs/loadtest/choice.json",
      }),
    ),
  ),
});

const advise: Command<typeof AdviseSchema> = {
  name: "advise",
  about: "Say which model and number of candidates fit a latency budget, from measurements of npm run loadtest.",
  usage: ["--budget-ms N [options]"],
  schema: AdviseSchema,
  run: ({ results = join(projectRoot(), "docs", "loadtest", "choice.json"), ...budget }) => {
    const { lines, isFound } = adviceLines(readMeasurements(results), budget);
    console.log(lines.join("\n"));
    return isFound ? 0 : 1;
  },
};

/**
 * @returns the exit status: 0 with advice, 1 where nothing is that fast or the measurements cannot be read, 2 for wrong
 * usage.
 */
export async function runAdviseCommand(args: readonly string[]): Promise<number> {
  return runCommand(advise, args);
}
