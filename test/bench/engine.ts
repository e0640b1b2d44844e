/**
 * @file Tokens a second of the engine, in decoding and in prefill, beside llama.cpp's in the same run, and through
 * HTTP.
 */

import { availableParallelism, tmpdir } from "node:os";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { defaultConfig } from "../../src/config/options.ts";
import { startEngine } from "../../src/engine/worker/start-engine.ts";
import type { Engine } from "../../src/engine/contract/request.ts";
import { requireSmolLM2 } from "../../loadtest/measurement/real-files.ts";
import { decodeRate, idle, wholeRun } from "./load/engine-streams.ts";
import { wholeHttpRun } from "./load/http-streams.ts";
import { nodeCount, nodesAloneMs } from "./load/nodes-alone.ts";
import { productsAloneMs } from "./load/products-alone.ts";
import { promptDealer } from "./load/prompts.ts";
import { fixedLengthBody, fixedLengthRequest } from "./load/requests.ts";
import { buildProgram, startBonsai, type ServerProcess } from "../../loadtest/measurement/server-process.ts";
import { batchedBench, findLlama, type BatchedBenchRow, type Llama } from "../../loadtest/peers/llama.ts";
import type { Check, Table } from "../../loadtest/measurement/bench-result.ts";
import { lineChart, type LineChart } from "../../src/training/report/line-chart.ts";
import { runBench } from "./report/run-bench.ts";
import { Samples } from "./report/samples.ts";

const modelId = "smollm2";
const promptTokens = 128;
const generatedTokens = 128;
const longContext = 4096;
const longContextTokens = 64;
/** Runs of the products alone and of the nodes alone; their median counts. */
const runsAlone = 100;
/** Width of the rows that nodes alone multiply: the hidden size of SmolLM2. */
const widthAlone = 576;

/** What one profile measures. */
interface Plan {
  rounds: number;
  streams: number[];
  temperatures: number[];
  prefill: number[];
  whole: number[];
  /** Streams at the long context; rounds beyond `longRounds` leave them out. */
  long: number[];
  longRounds: number;
}

const plans: Record<"full" | "quick", Plan> = {
  full: { rounds: 3, streams: [1, 8, 16, 32], temperatures: [0, 0.8], prefill: [512, 2048], whole: [16, 32], long: [1, 8], longRounds: 1 },
  quick: { rounds: 1, streams: [1, 8], temperatures: [0], prefill: [512], whole: [8], long: [], longRounds: 0 },
};

await runBench(import.meta.url, async ({ profile, say }) => {
  const model = requireSmolLM2();
  const plan = plans[profile];
  const llama = findLlama(say);
  const cacheDir = mkdtempSync(join(tmpdir(), "bonsai-engine-"));
  const { quantization, ...limits } = defaultConfig();
  buildProgram();
  const engine = await startEngine({
    ...limits,
    quantization,
    models: [{ id: modelId, path: model }],
    cacheDir,
    prefixCacheBytes: 0,
    log: say,
  });
  const server = await startBonsai(["--model", `${modelId}=${model}`, "--cache-dir", cacheDir, "--prefix-cache-bytes", "0"]);
  const samples = new Samples();
  try {
    const deal = promptDealer(engine.models[0]?.vocabSize ?? 0);
    await wholeRun(engine, [fixedLengthRequest(modelId, deal(promptTokens), generatedTokens, 0)]);
    await wholeHttpRun(server.url, [fixedLengthBody(modelId, deal(promptTokens), generatedTokens, 0)]);
    for (let round = 0; round < plan.rounds; round++) {
      say(`Round ${round + 1} of ${plan.rounds}`);
      const long = round < plan.longRounds ? plan.long : [];
      await measureDecoding(engine, plan, deal, samples);
      if (quantization === "w8a8") await measureBounds(model, cacheDir, samples);
      if (llama !== undefined) await measureLlama(llama, model, plan, long, samples);
      await measurePrefill(engine, plan, deal, samples);
      await measureWhole(engine, server, plan, deal, samples);
      await measureLongContext(engine, long, deal, samples);
    }
  } finally {
    await server.stop();
    await engine.close();
    rmSync(cacheDir, { recursive: true, force: true });
  }
  const temperature = plan.temperatures.map((value) => (value === 0 ? "greedy" : `temperature ${value}`));
  return {
    title: "Speed of the engine",
    about: [
      `SmolLM2-135M-Instruct (Q4_1 file) in the default mode, \`${quantization}\`, tokens a second over all streams. Prompts of ${promptTokens} random tokens, no two alike; ${generatedTokens} tokens generated past any end`,
      "of sequence. Decoding is timed while every stream is in its answer, so ours has up to as many tokens more of context, and includes sampling, detokenisation and the way to the caller;",
      "llama-batched-bench times the model alone. The two take turns: each round measures both. Ratios are medians of the rounds' own ratios.",
    ].join("\n"),
    peers: llama === undefined ? {} : { "llama.cpp": llama.version },
    tables: [
      decodeTable(plan, samples, temperature),
      ...boundTable(samples),
      prefillTable(plan, samples),
      wholeTable(plan, samples),
      ...longTable(plan, samples),
    ],
    checks: checks(samples),
    figures: [
      {
        file: "engine.svg",
        caption: "Decoding speed by number of streams",
        svg: await decodeFigure(plan, samples, temperature, llama !== undefined),
      },
    ],
    raw: samples,
  };
});

async function measureDecoding(engine: Engine, plan: Plan, deal: (tokens: number) => number[], samples: Samples): Promise<void> {
  for (const temperature of plan.temperatures) {
    for (const streams of plan.streams) {
      // Twice the tokens: the first streams decode while the last prompts are filled.
      const requests = Array.from({ length: streams }, () =>
        fixedLengthRequest(modelId, deal(promptTokens), 2 * generatedTokens, temperature),
      );
      samples.add(`decode ${temperature} ${streams}`, await decodeRate(engine, requests, generatedTokens - 1));
      await idle(engine);
    }
  }
}

async function measurePrefill(engine: Engine, plan: Plan, deal: (tokens: number) => number[], samples: Samples): Promise<void> {
  for (const tokens of plan.prefill) {
    const { timings } = await wholeRun(engine, [fixedLengthRequest(modelId, deal(tokens), 1, 0)]);
    samples.add(`prefill ${tokens}`, (tokens / (timings[0]?.prefillMs ?? NaN)) * 1000);
  }
}

async function measureWhole(
  engine: Engine,
  server: ServerProcess,
  plan: Plan,
  deal: (tokens: number) => number[],
  samples: Samples,
): Promise<void> {
  for (const streams of plan.whole) {
    const prompts = (): number[][] => Array.from({ length: streams }, () => deal(promptTokens));
    const tokens = streams * generatedTokens;
    const { seconds } = await wholeRun(
      engine,
      prompts().map((ids) => fixedLengthRequest(modelId, ids, generatedTokens, 0.8)),
    );
    samples.add(`whole engine ${streams}`, tokens / seconds);
    const httpSeconds = await wholeHttpRun(
      server.url,
      prompts().map((ids) => fixedLengthBody(modelId, ids, generatedTokens, 0.8)),
    );
    samples.add(`whole http ${streams}`, tokens / httpSeconds);
  }
}

async function measureLongContext(
  engine: Engine,
  long: readonly number[],
  deal: (tokens: number) => number[],
  samples: Samples,
): Promise<void> {
  for (const streams of long) {
    const request = fixedLengthRequest(modelId, deal(longContext), longContextTokens + 1, 0, streams);
    samples.add(`long ${streams}`, await decodeRate(engine, [request], longContextTokens - 1));
    await idle(engine);
  }
}

async function measureLlama(llama: Llama, model: string, plan: Plan, long: readonly number[], samples: Samples): Promise<void> {
  const options = { model, threads: availableParallelism() };
  const answers = { ...options, promptTokens, generatedTokens, sequences: plan.streams, contextTokens: 16_384 };
  for (const row of await batchedBench(llama, answers)) {
    samples.add(`llama decode ${row.pl}`, row.speed_tg);
    samples.add(`llama whole ${row.pl}`, (row.pl * row.tg) / row.t);
  }
  for (const tokens of plan.prefill) {
    const [row] = await batchedBench(llama, {
      ...options,
      promptTokens: tokens,
      generatedTokens: 1,
      sequences: [1],
      contextTokens: tokens + 64,
    });
    samples.add(`llama prefill ${tokens}`, (row as BatchedBenchRow).speed_pp);
  }
  if (long.length === 0) return;
  // llama.cpp divides its context evenly among the sequences, even where they share a prompt.
  const contextTokens = Math.max(...long) * (longContext + longContextTokens + 64);
  const shared = {
    ...options,
    promptTokens: longContext,
    generatedTokens: longContextTokens,
    sequences: long,
    contextTokens,
    sharedPrompt: true,
  };
  for (const row of await batchedBench(llama, shared)) samples.add(`llama long ${row.pl}`, row.speed_tg);
}

function decodeTable(plan: Plan, samples: Samples, temperatures: readonly string[]): Table {
  return {
    title: "Decoding",
    columns: [
      { heading: "streams", digits: 0 },
      ...temperatures.map((heading) => ({ heading, digits: 0 })),
      { heading: "llama.cpp", digits: 0 },
      ...temperatures.map((heading) => ({ heading: `${heading} / llama.cpp`, digits: 2 })),
    ],
    rows: plan.streams.map((streams) => [
      streams,
      ...plan.temperatures.map((temperature) => samples.cell(`decode ${temperature} ${streams}`)),
      samples.cell(`llama decode ${streams}`),
      ...plan.temperatures.map((temperature) => samples.ratioCell(`decode ${temperature} ${streams}`, `llama decode ${streams}`)),
    ]),
  };
}

async function decodeFigure(plan: Plan, samples: Samples, temperatures: readonly string[], withLlama: boolean): Promise<string> {
  const line = (name: string, key: string): LineChart["series"][number] => ({
    name,
    points: plan.streams.map((streams) => ({ x: streams, y: samples.median(`${key} ${streams}`) })),
  });
  return lineChart({
    xTitle: "streams",
    yTitle: "tokens a second, all streams together",
    marked: true,
    series: [
      ...plan.temperatures.map((temperature, index) => line(`bonsai, ${temperatures[index]}`, `decode ${temperature}`)),
      ...(withLlama ? [line("llama.cpp", "llama decode")] : []),
    ],
  });
}

/** Measures what a step of one stream takes at least: its products, and as many nodes as it has. */
async function measureBounds(modelPath: string, cacheDir: string, samples: Samples): Promise<void> {
  const threads = availableParallelism();
  const productsMs = await productsAloneMs(modelPath, threads, runsAlone);
  samples.add("products alone", 1000 / productsMs);
  const graphs = readdirSync(cacheDir, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith("decoder.onnx"));
  if (graphs.length !== 1) throw new Error(`${cacheDir} should hold the graph of one model, not ${graphs.length}.`);
  const nodes = nodeCount(join(cacheDir, graphs[0] as string));
  samples.add("nodes", nodes);
  const nodesMs = await nodesAloneMs(nodes, widthAlone, threads, runsAlone);
  samples.add("nodes alone", 1000 / nodesMs);
  samples.add("one after the other", 1000 / (productsMs + nodesMs));
}

function boundTable(samples: Samples): Table[] {
  if (samples.ratio("products alone", "llama decode 1") === undefined) return [];
  const row = (what: string, key: string): Table["rows"][number] => [what, samples.cell(key), samples.ratioCell(key, "llama decode 1")];
  return [
    {
      title: "One stream, and what bounds it",
      note: [
        "The products alone are the matrix products of one token over the same weights, with nothing between them: no attention, no norms, no sampling. A token must read all weights,",
        "here with a byte each, where llama.cpp's Q4_1 file has 5 bits. The nodes alone are as many nodes as the step's graph has, each of which multiplies one row with a number: what it",
        "takes ONNX Runtime to go from one to the next. A step takes at least both, one after the other. Medians of many runs of each, with everything in the caches of the processor.",
      ].join("\n"),
      columns: [{ heading: "one stream" }, { heading: "tokens a second", digits: 0 }, { heading: "times llama.cpp", digits: 2 }],
      rows: [
        row("decoding, greedy", "decode 0 1"),
        row("the products alone", "products alone"),
        row(`${samples.median("nodes")} nodes alone`, "nodes alone"),
        row("one after the other: the most there can be", "one after the other"),
      ],
    },
  ];
}

function prefillTable(plan: Plan, samples: Samples): Table {
  return {
    title: "Prefill",
    note: "One prompt alone, in chunks between which decode steps of others would run.",
    columns: [
      { heading: "prompt tokens", digits: 0 },
      { heading: "engine", digits: 0 },
      { heading: "llama.cpp", digits: 0 },
      { heading: "engine / llama.cpp", digits: 2 },
    ],
    rows: plan.prefill.map((tokens) => {
      const [ours, theirs] = [`prefill ${tokens}`, `llama prefill ${tokens}`];
      return [tokens, samples.cell(ours), samples.cell(theirs), samples.ratioCell(ours, theirs)];
    }),
  };
}

function wholeTable(plan: Plan, samples: Samples): Table {
  return {
    title: "From the first request to the last token, and through HTTP",
    note: `All requests arrive at once; generated tokens a second with prefill in the time. Ours at temperature 0.8. The HTTP client reads every stream as it comes, on the same cores.`,
    columns: [
      { heading: "streams", digits: 0 },
      { heading: "engine", digits: 0 },
      { heading: "through HTTP", digits: 0 },
      { heading: "HTTP / engine", digits: 3 },
      { heading: "llama.cpp", digits: 0 },
      { heading: "HTTP / llama.cpp", digits: 2 },
    ],
    rows: plan.whole.map((streams) => {
      const [engine, http, theirs] = [`whole engine ${streams}`, `whole http ${streams}`, `llama whole ${streams}`];
      return [
        streams,
        samples.cell(engine),
        samples.cell(http),
        samples.ratioCell(http, engine),
        samples.cell(theirs),
        samples.ratioCell(http, theirs),
      ];
    }),
  };
}

function longTable(plan: Plan, samples: Samples): Table[] {
  if (plan.long.length === 0) return [];
  return [
    {
      title: `Decoding after ${longContext} tokens of context`,
      note: "Several streams are the samples of one request: they share their prompt, in llama.cpp too (`-pps`).",
      columns: [
        { heading: "streams", digits: 0 },
        { heading: "engine", digits: 0 },
        { heading: "llama.cpp", digits: 0 },
        { heading: "engine / llama.cpp", digits: 2 },
      ],
      rows: plan.long.map((streams) => {
        const [ours, theirs] = [`long ${streams}`, `llama long ${streams}`];
        return [streams, samples.cell(ours), samples.cell(theirs), samples.ratioCell(ours, theirs)];
      }),
    },
  ];
}

function checks(samples: Samples): Check[] {
  const wanted: [claim: string, key: string, against: string, limit: number][] = [
    ["decoding 1 stream, times llama.cpp", "decode 0 1", "llama decode 1", 1.3],
    ["decoding 16 streams, times llama.cpp", "decode 0 16", "llama decode 16", 2.2],
    ["prefill of 512 tokens, times llama.cpp", "prefill 512", "llama prefill 512", 1.7],
    ["HTTP at 16 streams, share of the engine", "whole http 16", "whole engine 16", 0.9],
    ["HTTP at 32 streams, share of the engine", "whole http 32", "whole engine 32", 0.9],
  ];
  return wanted.flatMap(([claim, key, against, limit]): Check[] => {
    const measured = samples.ratio(key, against);
    return measured === undefined ? [] : [{ claim, measured, unit: "", bound: "at least", limit }];
  });
}
