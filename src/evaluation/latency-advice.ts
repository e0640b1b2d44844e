/** @file Says which model and number of candidates fit a latency budget, by the kept results of the load test. */

import { BonsaiError } from "../errors/bonsai-error.ts";
import { isJsonObject, readJsonObject } from "../formats/json-file.ts";
import { adviseFor, type MeasuredMean, type OperatingPoint, type Percentile } from "./operating-points.ts";

const largestResultsBytes = 64 * 2 ** 20;

/** A latency budget. */
export interface LatencyBudget {
  budgetMs: number;
  percentile: Percentile;
}

/** The measurements, and where they were made. */
export interface Measurements {
  points: OperatingPoint[];
  measuredAt: string;
  machine: string;
}

/** @throws BonsaiError `file_not_found`; `usage` for a file that holds no measurements, naming what is wrong */
export function readMeasurements(path: string): Measurements {
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

/** The advice with its evidence, and whether anything that was measured is fast enough. */
export function adviceLines(
  { points, measuredAt, machine }: Measurements,
  { budgetMs, percentile }: LatencyBudget,
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
