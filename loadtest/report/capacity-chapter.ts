/** @file The chapter of capacity: what comes of offered load, past saturation too, and memory by streams. */

import type { TopLevelSpec } from "vega-lite";
import { vegaSvg } from "../../src/training/report/vega-svg.ts";
import type { Cell, Check } from "../measurement/bench-result.ts";
import { objectiveMs, type LoadSummary } from "../load-summary.ts";
import type { MemoryResult, OfferedResult } from "../scenarios/capacity.ts";
import type { Chapter } from "./chapter.ts";
import { failures } from "./load-chapter.ts";

export interface CapacityFacts {
  model: string;
  bestOf: number;
  /** Flags of the sized server beyond the usual ones. */
  sizedFlags: readonly string[];
  peak: LoadSummary;
  offered: readonly OfferedResult[];
  /** The highest offered load, on a server with the usual limits. */
  unbounded: OfferedResult;
  memory: readonly MemoryResult[];
}

/**
 * The least goodput past saturation as a share of the best before it: with a queue that is too long, no answer is in
 * time.
 */
const leastGoodput = 0.7;

export async function capacityChapter(facts: CapacityFacts): Promise<Chapter> {
  const { model, bestOf, sizedFlags, peak, offered, unbounded, memory } = facts;
  const refused = offered.reduce((sum, { load }) => sum + load.refused, 0);
  const withRetryAfter = offered.reduce((sum, { load }) => sum + load.refusedWithRetryAfter, 0);
  return {
    name: "capacity",
    title: "Capacity",
    about: [
      `${model}, best of ${bestOf}, streamed, an open loop: requests arrive at random (a Poisson process with a fixed seed) whether or not others have been answered, and times count from when they were due.`,
      `The server is sized for an objective of ${objectiveMs} ms by \`${sizedFlags.join(" ")}\`: what does not fit is refused at once with 429 and Retry-After. Closed loop, it gives ${peak.throughput.toFixed(1)} answers a second.`,
    ].join("\n"),
    tables: [
      {
        title: "Offered load and what comes of it",
        note: "The last row is the highest load on a server with its usual limits, which takes in far more than it can answer in time.",
        columns: [
          { heading: "server" },
          { heading: "offered/s", digits: 1 },
          { heading: "arrived", digits: 0 },
          { heading: "answers/s", digits: 1 },
          { heading: "goodput/s", digits: 1 },
          { heading: "refused", digits: 0 },
          { heading: "p50 (ms)", digits: 0 },
          { heading: "p99 (ms)", digits: 0 },
          { heading: "event loop (ms)", digits: 1 },
          { heading: "memory (MB)", digits: 0 },
        ],
        rows: [...offered.map((result) => offeredRow("sized", result)), offeredRow("usual limits", unbounded)],
      },
      {
        title: "Memory by streams",
        note: "Resident memory of a server that was started for it, after so many single answers were streamed at a time for a while.",
        columns: [
          { heading: "streams", digits: 0 },
          { heading: "resident (MB)", digits: 0 },
        ],
        rows: memory.map(({ streams, residentMB }): Cell[] => [streams, residentMB]),
      },
    ],
    checks: [
      failures([peak, ...offered.map(({ load }) => load), unbounded.load]),
      { claim: "refusals with Retry-After", measured: refused === 0 ? 1 : withRetryAfter / refused, unit: "", bound: "at least", limit: 1 },
      goodputHolds(peak, offered),
    ],
    figures: [{ file: "capacity.svg", caption: "Answers, goodput and p99 by offered load", svg: await capacityFigure(facts) }],
    raw: facts,
  };
}

function goodputHolds(peak: LoadSummary, offered: readonly OfferedResult[]): Check {
  const [before, past] = [true, false].map((isBefore) =>
    offered.filter((one) => one.offered <= peak.throughput === isBefore).map(({ load }) => load.goodput),
  );
  const most = Math.max(...before!);
  const isMeasured = before!.length > 0 && past!.length > 0;
  // A machine that is too slow for the objective has no goodput at all.
  const share = !isMeasured ? 1 : most === 0 ? 0 : Math.min(...past!) / most;
  return {
    claim: "least goodput past saturation over the most before it",
    measured: share,
    unit: "",
    bound: "at least",
    limit: leastGoodput,
  };
}

function offeredRow(server: string, { offered, load }: OfferedResult): Cell[] {
  return [
    server,
    offered,
    load.requests,
    load.throughput,
    load.goodput,
    load.refused,
    load.endToEndMs?.p50 ?? null,
    load.endToEndMs?.p99 ?? null,
    load.server?.eventLoopDelayMs.p99 ?? null,
    load.server?.residentMB ?? null,
  ];
}

async function capacityFigure({ offered, peak, unbounded }: CapacityFacts): Promise<string> {
  const rates = offered.flatMap(({ offered: x, load }) => [
    { x, rate: load.throughput, what: "answers" },
    { x, rate: load.goodput, what: `within ${objectiveMs} ms` },
    { x, rate: load.refused / load.seconds, what: "refused" },
  ]);
  const far = [{ x: unbounded.offered, rate: unbounded.load.goodput, what: `within ${objectiveMs} ms`, label: "usual limits" }];
  const tails = offered.flatMap(({ offered: x, load }) =>
    load.endToEndMs === null
      ? []
      : [
          { x, ms: load.endToEndMs.p50, what: "p50" },
          { x, ms: load.endToEndMs.p99, what: "p99" },
        ],
  );
  const xAxis = { field: "x", type: "quantitative", title: "requests offered a second" };
  const saturation = {
    data: { values: [{ x: peak.throughput }] },
    mark: { type: "rule", color: "gray", strokeDash: [4, 4] },
    encoding: { x: xAxis },
  };
  const color = { field: "what", type: "nominal", title: null, scale: { scheme: "category10" } };
  return vegaSvg({
    background: "white",
    hconcat: [
      {
        title: "what comes of it (dashed: the most that clients who wait for answers get)",
        width: 420,
        height: 280,
        layer: [
          {
            data: { values: rates },
            mark: { type: "line", point: true },
            encoding: { x: xAxis, y: { field: "rate", type: "quantitative", title: "a second" }, color },
          },
          {
            data: { values: far },
            mark: { type: "point", shape: "cross", size: 120, filled: true, opacity: 1 },
            encoding: { x: xAxis, y: { field: "rate", type: "quantitative" }, color },
          },
          {
            data: { values: far },
            mark: { type: "text", align: "right", dx: -10 },
            encoding: { x: xAxis, y: { field: "rate", type: "quantitative" }, text: { field: "label" } },
          },
          saturation,
        ],
      },
      {
        title: "time of those that are answered",
        width: 420,
        height: 280,
        layer: [
          {
            data: { values: tails },
            mark: { type: "line", point: true },
            encoding: { x: xAxis, y: { field: "ms", type: "quantitative", title: "whole answer (ms)" }, color },
          },
          saturation,
        ],
      },
    ],
    resolve: { scale: { color: "independent" } },
    config: { legend: { orient: "top" } },
  } as TopLevelSpec);
}
