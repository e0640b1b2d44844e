/**
 * @file Minutes of random requests that come, stream, share prompts and leave: no errors, and memory that stays flat.
 */

import { tmpdir } from "node:os";
import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { uniform } from "../../src/random/philox.ts";
import { requireSmolLM2 } from "../../loadtest/measurement/real-files.ts";
import { streamCompletion } from "./load/http-streams.ts";
import { readMetrics } from "./load/metrics.ts";
import { readMemory } from "./load/process-memory.ts";
import { promptDealer } from "./load/prompts.ts";
import { fixedLengthBody } from "./load/requests.ts";
import { buildProgram, startBonsai, type ServerProcess } from "../../loadtest/measurement/server-process.ts";
import type { Check } from "../../loadtest/measurement/bench-result.ts";
import { lineChart } from "../../src/training/report/line-chart.ts";
import { runBench, type Measurement } from "./report/run-bench.ts";
import { slope } from "../../src/statistics/least-squares.ts";
import { median } from "../../src/statistics/quantiles.ts";

const modelId = "smollm2";
const clients = 24;
const sampleEveryMs = 500;
/**
 * Memory of the last quarter over that of the second: the first fills caches, and a short soak fills them to its end.
 */
const growthLimit = 1.05;
const shortestJudgedMinutes = 2;

/** How the requests ended. */
interface Outcomes {
  answered: number;
  left: number;
  refused: number;
  failed: number;
  /** The first few failures. */
  failures: string[];
}

interface MemorySample {
  seconds: number;
  residentMB: number;
}

await runBench(import.meta.url, async ({ profile, minutes = profile === "quick" ? 1 / 3 : 6, say }) => {
  const model = requireSmolLM2();
  const cacheDir = mkdtempSync(join(tmpdir(), "bonsai-soak-"));
  buildProgram();
  try {
    const flags = ["--model", `${modelId}=${model}`, "--cache-dir", cacheDir];
    await (await startBonsai(flags)).stop();
    const server = await startBonsai(flags);
    try {
      say(`${clients} clients for ${minutes.toFixed(1)} minutes`);
      const { outcomes, memory } = await soak(server, minutes * 60);
      const metrics = await settled(server.url);
      return await describe(minutes, outcomes, memory, metrics);
    } finally {
      await server.stop();
    }
  } finally {
    rmSync(cacheDir, { recursive: true, force: true });
  }
});

async function soak(server: ServerProcess, seconds: number): Promise<{ outcomes: Outcomes; memory: MemorySample[] }> {
  const outcomes: Outcomes = { answered: 0, left: 0, refused: 0, failed: 0, failures: [] };
  const memory: MemorySample[] = [];
  const startMs = performance.now();
  const elapsed = (): number => (performance.now() - startMs) / 1000;
  const requests = Array.from({ length: clients }, async (_, client) => {
    for (let turn = 0; elapsed() < seconds; turn++) await oneRequest(server.url, client * 1_000_000 + turn, outcomes);
  });
  const sampling = (async () => {
    while (elapsed() < seconds) {
      memory.push({ seconds: elapsed(), residentMB: readMemory(server.pid).residentMB });
      await sleep(sampleEveryMs);
    }
  })();
  await Promise.all([...requests, sampling]);
  return { outcomes, memory };
}

/** Sends a request whose properties are all drawn by its number. */
async function oneRequest(url: string, number: number, outcomes: Outcomes): Promise<void> {
  const draw = (what: number): number => uniform(number, what);
  // Lengths by their logarithm: many short ones, some long.
  const between = (least: number, most: number, what: number): number => Math.round(least * (most / least) ** draw(what));
  const poolOfPrompts = 8;
  const shares = draw(0) < 0.3;
  const deal = promptDealer(49_152, shares ? Math.floor(draw(1) * poolOfPrompts) : 1000 + number);
  const ids = [...(shares ? deal(256) : []), ...promptDealer(49_152, 1000 + number)(between(1, 600, 2))];
  const body = {
    ...fixedLengthBody(modelId, ids, between(1, 250, 3), draw(4) < 0.3 ? 0 : 1),
    ignore_eos: draw(5) < 0.5,
    n: draw(6) < 0.7 ? 1 : 2 + Math.floor(draw(7) * 6),
    ...(draw(8) < 0.2 && { logprobs: 5 }),
    ...(draw(9) < 0.2 && { frequency_penalty: 0.5 }),
    ...(draw(10) < 0.2 && { top_p: 0.9, stop: ["\n\n"] }),
  };
  const leaver = new AbortController();
  const leaves = draw(11) < 0.25;
  const timer = leaves ? setTimeout(() => leaver.abort(), between(5, 5000, 12)) : undefined;
  try {
    const { complete, status } = await streamCompletion(url, body, leaver.signal);
    if (complete) outcomes.answered++;
    else if (leaver.signal.aborted) outcomes.left++;
    else if (status === 429) {
      outcomes.refused++;
      await sleep(1000);
    } else fail(outcomes, `status ${status}, request ${number}`);
  } catch (error) {
    fail(outcomes, `${(error as Error).message}, request ${number}`);
  } finally {
    clearTimeout(timer);
  }
}

function fail(outcomes: Outcomes, failure: string): void {
  outcomes.failed++;
  if (outcomes.failures.length < 10) outcomes.failures.push(failure);
}

/** The counters once nothing runs; at most some seconds after the last request. */
async function settled(url: string): Promise<Map<string, number>> {
  const patience = 100;
  let metrics = await readMetrics(url);
  for (let attempt = 0; attempt < patience && metrics.get("bonsai_sequences_running") !== 0; attempt++) {
    await sleep(100);
    metrics = await readMetrics(url);
  }
  return metrics;
}

async function describe(
  minutes: number,
  outcomes: Outcomes,
  memory: readonly MemorySample[],
  metrics: ReadonlyMap<string, number>,
): Promise<Measurement> {
  const quarter = (index: number): number =>
    median(memory.slice((index * memory.length) / 4, ((index + 1) * memory.length) / 4).map(({ residentMB }) => residentMB));
  const laterHalf = memory.slice(memory.length / 2);
  const perMinute = slope(laterHalf.map(({ seconds, residentMB }) => ({ x: seconds / 60, y: residentMB })));
  const metric = (name: string): number => metrics.get(`bonsai_${name}`) ?? 0;
  const growth: Check = {
    claim: "resident memory of the last quarter over the second",
    measured: quarter(3) / quarter(1),
    unit: "",
    bound: "at most",
    limit: growthLimit,
  };
  const svg = await lineChart({
    xTitle: "seconds",
    yTitle: "resident memory (MB)",
    series: [{ name: "server", points: memory.map(({ seconds, residentMB }) => ({ x: seconds, y: residentMB })) }],
  });
  return {
    title: "Soak",
    about: [
      `${clients} clients for ${minutes.toFixed(1)} minutes over HTTP, default flags, SmolLM2-135M-Instruct (Q4_1 file). Each request draws its prompt (1 to 600 random tokens, at times after one of eight shared prompts of 256),`,
      "its length (1 to 250 tokens), n (1 to 7), sampling, penalties, log-probabilities and stop strings; a quarter of the clients leave after 5 ms to 5 s.",
    ].join("\n"),
    tables: [
      {
        title: "Requests",
        columns: [
          "answered",
          "left by the client",
          "refused (429)",
          "failed",
          "tokens generated",
          "mean rows a step",
          "prefix cache hits",
        ].map((heading, index) => ({ heading, digits: index < 5 ? 0 : 2 })),
        rows: [
          [
            outcomes.answered,
            outcomes.left,
            outcomes.refused,
            outcomes.failed,
            metric("generated_tokens_total"),
            metric("decode_rows_total") / metric("decode_steps_total"),
            metric("prefix_cache_hit_tokens_total") / metric("prefix_cache_query_tokens_total"),
          ],
        ],
      },
      {
        title: "Resident memory",
        columns: ["first quarter (MB)", "second", "third", "last", "slope of the later half (MB a minute)"].map((heading, index) => ({
          heading,
          digits: index < 4 ? 0 : 1,
        })),
        rows: [[quarter(0), quarter(1), quarter(2), quarter(3), perMinute]],
        note: "Medians of each quarter's samples.",
      },
    ],
    checks: [
      { claim: "failed requests", measured: outcomes.failed, unit: "", bound: "at most", limit: 0 },
      {
        claim: "sequences that still run when all clients are gone",
        measured: metric("sequences_running"),
        unit: "",
        bound: "at most",
        limit: 0,
      },
      ...(minutes < shortestJudgedMinutes ? [] : [growth]),
    ],
    figures: [{ file: "soak.svg", caption: "Resident memory of the server through the soak", svg }],
    raw: { outcomes, memory },
  };
}
