/**
 * @file How soon the server answers while it computes: liveness, gaps between tokens, time to the first token, and what
 * a cancelled request still costs.
 */

import { setMaxListeners } from "node:events";
import { tmpdir } from "node:os";
import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { defaultConfig } from "../../src/config/options.ts";
import { uniform } from "../../src/random/philox.ts";
import type { Engine } from "../../src/engine/contract/request.ts";
import { startEngine } from "../../src/engine/worker/start-engine.ts";
import { requireSmolLM2 } from "../../loadtest/measurement/real-files.ts";
import { idle } from "./load/engine-streams.ts";
import { streamCompletion, type HttpStream } from "./load/http-streams.ts";
import { readMetrics } from "./load/metrics.ts";
import { startProbe } from "./load/probe.ts";
import { promptDealer } from "./load/prompts.ts";
import { fixedLengthBody, fixedLengthRequest } from "./load/requests.ts";
import { buildProgram, startBonsai } from "../../loadtest/measurement/server-process.ts";
import type { Cell, Table } from "../../loadtest/measurement/bench-result.ts";
import { quantileCells, quantileColumns } from "./report/quantile-table.ts";
import { runBench } from "./report/run-bench.ts";
import { quantile } from "../../src/statistics/quantiles.ts";

const modelId = "smollm2";
const streams = 32;
const promptTokens = 128;
const longPromptTokens = 2048;
const livenessLimitMs = 10;

/** Milliseconds under one kind of load. */
interface Load {
  label: string;
  livenessMs: number[];
  gapsMs: number[];
  firstTokenMs: number[];
}

await runBench(import.meta.url, async ({ profile, say }) => {
  const model = requireSmolLM2();
  const seconds = profile === "quick" ? 5 : 30;
  const trials = profile === "quick" ? 5 : 40;
  const cacheDir = mkdtempSync(join(tmpdir(), "bonsai-latency-"));
  buildProgram();
  const loads: Load[] = [];
  let rowSteps: number[];
  try {
    const server = await startBonsai(["--model", `${modelId}=${model}`, "--cache-dir", cacheDir]);
    try {
      say("No load");
      loads.push({ label: "none", livenessMs: await liveness(server.url, seconds / 3), gapsMs: [], firstTokenMs: [] });
      say(`${streams} streams`);
      loads.push(await underLoad(server.url, `${streams} streams, a prompt of ${promptTokens} tokens each second`, seconds, promptTokens));
      say(`${streams} streams and long prompts`);
      loads.push(
        await underLoad(server.url, `${streams} streams, a prompt of ${longPromptTokens} tokens each second`, seconds, longPromptTokens),
      );
    } finally {
      await server.stop();
    }
    say("Cancellation");
    const { quantization, ...limits } = defaultConfig();
    const engine = await startEngine({ ...limits, quantization, models: [{ id: modelId, path: model }], cacheDir, log: say });
    try {
      rowSteps = await cancellations(engine, trials);
    } finally {
      await engine.close();
    }
  } finally {
    rmSync(cacheDir, { recursive: true, force: true });
  }
  const busy = loads.slice(1).map(({ livenessMs }) => quantile(livenessMs, 0.99));
  return {
    title: "Latency under load",
    about: [
      `SmolLM2-135M-Instruct (Q4_1 file) in the default mode, through HTTP. ${streams} streams with prompts of ${promptTokens} random tokens decode without pause, and each second another request comes for one token.`,
      "The load, the probe and the server are three processes on the same cores.",
    ].join("\n"),
    tables: [
      quantileTable(
        "GET /health/live",
        "From the question to the whole answer, one at a time, 5 ms apart.",
        loads,
        ({ livenessMs }) => livenessMs,
      ),
      quantileTable("Between two tokens of a stream", "As the client reads them.", loads.slice(1), ({ gapsMs }) => gapsMs),
      quantileTable(
        "To the first token of the request that comes each second",
        "Its prompt's chunks take turns with decode steps.",
        loads.slice(1),
        ({ firstTokenMs }) => firstTokenMs,
      ),
      {
        title: "Cancellation",
        note: "One of 16 streams of the engine is aborted at a random moment. Counted are the decode steps whose result came after that and that still had its row; the step that ran at that moment is one of them.",
        columns: [{ heading: "decode steps with the cancelled row" }, { heading: "cancellations", digits: 0 }],
        rows: [...new Set(rowSteps)]
          .toSorted((a, b) => a - b)
          .map((steps): Cell[] => [String(steps), rowSteps.filter((other) => other === steps).length]),
      },
    ],
    checks: [
      {
        claim: `GET /health/live, p99 while ${streams} streams decode`,
        measured: Math.max(...busy),
        unit: "ms",
        bound: "at most",
        limit: livenessLimitMs,
      },
      { claim: "decode steps that still have a cancelled row", measured: Math.max(...rowSteps), unit: "", bound: "at most", limit: 1 },
    ],
    raw: { loads: loads.map(({ label, ...parts }) => ({ label, ...summaries(parts) })), rowSteps },
  };
});

function quantileTable(title: string, note: string, loads: readonly Load[], values: (load: Load) => number[]): Table {
  return {
    title,
    note,
    columns: [{ heading: "load" }, ...quantileColumns],
    rows: loads.map((load) => [load.label, ...quantileCells(values(load))]),
  };
}

function summaries(parts: Record<string, number[]>): Record<string, number[]> {
  const grid = [0, 0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 1];
  return Object.fromEntries(
    Object.entries(parts).map(([name, values]) => [name, values.length === 0 ? [] : grid.map((share) => quantile(values, share))]),
  );
}

async function liveness(url: string, seconds: number): Promise<number[]> {
  const probe = await startProbe(`${url}/health/live`);
  await sleep(seconds * 1000);
  return probe.stop();
}

/** Streams that follow one another in each of 32 places, while a request for one token comes each second. */
async function underLoad(url: string, label: string, seconds: number, extraPromptTokens: number): Promise<Load> {
  const deal = promptDealer(49_152, extraPromptTokens);
  const controller = new AbortController();
  setMaxListeners(0, controller.signal);
  const finished: HttpStream[] = [];
  const place = async (): Promise<void> => {
    while (!controller.signal.aborted)
      finished.push(await streamCompletion(url, fixedLengthBody(modelId, deal(promptTokens), 1024, 0.8), controller.signal));
  };
  const places = Array.from({ length: streams }, place);
  // Every stream is in its answer before anything is measured.
  await until(async () => (await meanBatch(url, 500)) === streams);
  const startMs = performance.now();
  const probe = await startProbe(`${url}/health/live`);
  const firstTokenMs: number[] = [];
  while (performance.now() - startMs < seconds * 1000) {
    const askedMs = performance.now();
    const { arrivalsMs, complete } = await streamCompletion(url, fixedLengthBody(modelId, deal(extraPromptTokens), 1, 0));
    const [first] = arrivalsMs;
    if (!complete || first === undefined) throw new Error("A request under load got no token.");
    firstTokenMs.push(first - askedMs);
    await sleep(Math.max(0, 1000 - (performance.now() - askedMs)));
  }
  const livenessMs = await probe.stop();
  controller.abort();
  await Promise.all(places);
  const gapsMs = finished.flatMap(({ arrivalsMs }) => {
    const within = arrivalsMs.filter((at) => at >= startMs);
    return within.slice(1).map((at, index) => at - (within[index] as number));
  });
  return { label, livenessMs, gapsMs, firstTokenMs };
}

/** Rows of a decode step, on average over a while. */
async function meanBatch(url: string, overMs: number): Promise<number> {
  const before = await readMetrics(url);
  await sleep(overMs);
  const after = await readMetrics(url);
  const grown = (name: string): number => (after.get(name) ?? 0) - (before.get(name) ?? 0);
  return grown("bonsai_decode_rows_total") / grown("bonsai_decode_steps_total");
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) await sleep(50);
}

/** For each cancellation, the decode steps that still had the row. */
async function cancellations(engine: Engine, trials: number): Promise<number[]> {
  const count = 16;
  const deal = promptDealer(engine.models[0]?.vocabSize ?? 0);
  const rowSteps: number[] = [];
  for (let trial = 0; trial < trials; trial++) {
    const everything = new AbortController();
    setMaxListeners(0, everything.signal);
    const leaver = new AbortController();
    const decoding = new Set<number>();
    const follow = async (index: number): Promise<void> => {
      const signal = index === 0 ? leaver.signal : everything.signal;
      const request = fixedLengthRequest(modelId, deal(promptTokens), 1024, 0);
      for await (const event of engine.generate(request, signal)) if (event.type === "delta") decoding.add(index);
    };
    const followed = Array.from({ length: count }, async (_, index) =>
      follow(index).catch((error: unknown) => {
        if (!leaver.signal.aborted && !everything.signal.aborted) throw error;
      }),
    );
    await until(async () => decoding.size === count);
    await sleep(200 + 50 * uniform(1, trial));
    const before = engine.stats();
    leaver.abort();
    // The counters after each step come with its tokens: while all 16 rows step, every step adds 16.
    await until(async () => engine.stats().runningSequences < count && engine.stats().decodeSteps > before.decodeSteps + 2);
    const after = engine.stats();
    rowSteps.push(after.decodeRows - before.decodeRows - (count - 1) * (after.decodeSteps - before.decodeSteps));
    everything.abort();
    await Promise.all(followed);
    await idle(engine);
  }
  return rowSteps;
}
