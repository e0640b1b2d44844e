/** @file The command line of `bonsai advise`: reads the committed results of the load test and says what to choose for a latency budget, with its evidence. */

import { join } from "node:path";
import { adviseFor, percentiles, type MeasuredMean, type OperatingPoint, type Percentile } from "../../evaluation/operating-points.ts";
import { BonsaiError } from "../../errors/bonsai-error.ts";
import { isJsonObject, readJsonObject } from "../../formats/json-file.ts";
import { parseArguments } from "./command-arguments.ts";
import { projectRoot } from "../../catalog/project-root.ts";

const help = `Say which model and number of candidates fit a latency budget, from measurements of npm run loadtest.

Usage: npm run advise -- --budget-ms N [options]

  --budget-ms N      longest time of a whole answer that is acceptable, milliseconds
  --percentile P     of the answers that must come in time: p50, p90 or p99 (default p90)
  --results FILE     measurements (default docs/loadtest/choice.json); npm run loadtest measures this machine
  --help, -h`;

const flags = {
  help: { type: "boolean", short: "h" },
  "budget-ms": { type: "string" },
  percentile: { type: "string", default: "p90" },
  results: { type: "string" },
} as const;

const largestResultsBytes = 64 * 2 ** 20;

interface Options {
  budgetMs: number;
  percentile: Percentile;
  results: string;
}

/** The measurements, and where they were made. */
interface Measurements {
  points: OperatingPoint[];
  measuredAt: string;
  machine: string;
}

/** @returns the exit status: 0 with advice, 1 where nothing is that fast or the measurements cannot be read, 2 for wrong usage. */
export function runAdviseCommand(args: readonly string[]): number {
  try {
    const options = readOptions(args);
    if (options === undefined) {
      console.log(help);
      return 0;
    }
    const { lines, isFound } = adviceLines(readMeasurements(options.results), options);
    console.log(lines.join("\n"));
    return isFound ? 0 : 1;
  } catch (error) {
    if (!(error instanceof BonsaiError)) throw error;
    console.error(`advise: ${error.message}`);
    return error.code === "usage" ? 2 : 1;
  }
}

function readOptions(args: readonly string[]): Options | undefined {
  const { values, positionals } = parseArguments(args, flags);
  if (values.help === true) return undefined;
  if (positionals.length > 0) throw new BonsaiError("usage", `advise takes flags alone, and not ${positionals[0]}. See --help.`);
  const given = values["budget-ms"];
  const budgetMs = Number(given);
  if (given === undefined) throw new BonsaiError("usage", "Say how long an answer may take: --budget-ms 800.", { param: "--budget-ms" });
  if (given.trim() === "" || !Number.isFinite(budgetMs) || budgetMs <= 0)
    throw new BonsaiError("usage", `--budget-ms is ${JSON.stringify(given)}; it must be a number of milliseconds above 0.`, {
      param: "--budget-ms",
    });
  const percentile = percentiles.find((known) => known === values.percentile);
  if (percentile === undefined)
    throw new BonsaiError("usage", `--percentile is ${JSON.stringify(values.percentile)}; use ${percentiles.join(", ")}.`, {
      param: "--percentile",
    });
  return { budgetMs, percentile, results: values.results ?? join(projectRoot(), "docs", "loadtest", "choice.json") };
}

/** @throws BonsaiError `file_not_found`; `invalid_config` for a file that holds no measurements, naming what is wrong */
function readMeasurements(path: string): Measurements {
  const file = readJsonObject(path, largestResultsBytes);
  const raw = file["raw"];
  const points = isJsonObject(raw) ? raw["points"] : undefined;
  const conditions = file["conditions"];
  if (!Array.isArray(points) || points.length === 0 || !points.every(isPoint) || !isJsonObject(conditions))
    throw new BonsaiError("usage", `${path} holds no measurements of operating points: npm run loadtest writes them.`, {
      param: "--results",
    });
  return {
    points,
    measuredAt: String(conditions["measuredAt"]).slice(0, 10),
    machine: `${String(conditions["cores"])} cores (${String(conditions["processor"])})`,
  };
}

function isPoint(value: unknown): boolean {
  const numbers = (part: unknown, names: readonly string[]): boolean =>
    isJsonObject(part) && names.every((name) => typeof part[name] === "number");
  return (
    isJsonObject(value) &&
    ["title", "model", "rewardModel"].every((name) => typeof value[name] === "string") &&
    typeof value["pruned"] === "boolean" &&
    numbers(value, ["bestOf", "tokensGenerated"]) &&
    numbers(value["latencyMs"], ["p50", "p90", "p99", "measured"]) &&
    numbers(value["gold"], ["mean", "low", "high"]) &&
    numbers(value["winRate"], ["mean", "low", "high"])
  );
}

function adviceLines(
  { points, measuredAt, machine }: Measurements,
  { budgetMs, percentile }: Pick<Options, "budgetMs" | "percentile">,
): { lines: string[]; isFound: boolean } {
  const source = `Measured ${measuredAt} on ${machine}, one client alone; npm run loadtest measures yours.`;
  const time = ({ latencyMs }: OperatingPoint): string => `${percentile} ${latencyMs[percentile].toFixed(0)} ms`;
  const advice = adviseFor(points, budgetMs, percentile);
  if (advice === undefined) {
    const fastest = points.toSorted((one, other) => one.latencyMs[percentile] - other.latencyMs[percentile])[0]!;
    return {
      lines: [`Nothing answers within ${budgetMs} ms (${percentile}). The fastest is ${fastest.title}: ${time(fastest)}.`, source],
      isFound: false,
    };
  }
  const { chosen, fasterWithinNoise: faster, beyond } = advice;
  const { latencyMs, gold, winRate } = chosen;
  const lines = [
    `Within ${budgetMs} ms (${percentile}): ${chosen.title}.`,
    "",
    `  request      ${JSON.stringify(requestFields(chosen))}`,
    `  time         p50 ${latencyMs.p50.toFixed(0)}, p90 ${latencyMs.p90.toFixed(0)}, p99 ${latencyMs.p99.toFixed(0)} ms, of ${latencyMs.measured} answers`,
    `  gold score   ${interval(gold)}`,
    `  win rate     ${interval(winRate)} over one answer of the baseline`,
    `  tokens       ${chosen.tokensGenerated.toFixed(0)} generated for an answer`,
    "",
  ];
  if (faster !== undefined)
    lines.push(
      `As good within noise, in less time: ${faster.title} (gold ${faster.gold.mean.toFixed(3)}, ${time(faster)}, ${faster.tokensGenerated.toFixed(0)} tokens).`,
    );
  lines.push(
    beyond === undefined
      ? "Nothing slower that was measured is surely better."
      : `Better, for more time: ${beyond.title} (gold ${interval(beyond.gold)}, ${time(beyond)}).`,
    source,
  );
  return { lines, isFound: true };
}

/** The fields of a request that answer in a point's way. */
function requestFields({ model, rewardModel, bestOf, prune }: OperatingPoint): Record<string, unknown> {
  if (bestOf === 1) return { model };
  return { model, best_of: bestOf, best_of_options: { reward_model: rewardModel, ...(prune === null ? {} : { prune }) } };
}

function interval({ mean, low, high }: MeasuredMean): string {
  return `${mean.toFixed(3)} (95%: ${low.toFixed(3)} to ${high.toFixed(3)})`;
}
