/**
 * @file Memory of the whole server with 16 sequences of 1,024 tokens, and the time from its start until it is ready,
 * beside llama-server's.
 */

import { availableParallelism, tmpdir } from "node:os";
import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { requireSmolLM2 } from "../../loadtest/measurement/real-files.ts";
import { wholeHttpRun } from "./load/http-streams.ts";
import { readMemory, type ProcessMemory } from "./load/process-memory.ts";
import { promptDealer } from "./load/prompts.ts";
import { fixedLengthBody } from "./load/requests.ts";
import { buildProgram, startBonsai, type ServerProcess } from "../../loadtest/measurement/server-process.ts";
import { findLlama, startLlamaServer } from "../../loadtest/peers/llama.ts";
import type { Check } from "../../loadtest/measurement/bench-result.ts";
import { runBench } from "./report/run-bench.ts";
import { Samples } from "./report/samples.ts";

const modelId = "smollm2";
const sequences = 16;
const promptTokens = 896;
const generatedTokens = 128;
const residentLimitMB = 600;
const readyLimitMs = 5000;
/** Ids of random prompts stay below this: every SmolLM2 has 49,152. */
const vocabSize = 49_152;

interface Subject {
  label: string;
  start: () => Promise<ServerProcess>;
}

interface Held {
  ready: ProcessMemory;
  /** When the last answer ended. */
  loaded: ProcessMemory;
}

await runBench(import.meta.url, async ({ profile, say }) => {
  const model = requireSmolLM2();
  const llama = findLlama(say);
  const scratch = mkdtempSync(join(tmpdir(), "bonsai-memory-"));
  const bonsai = (cacheDir: string, ...flags: string[]): Promise<ServerProcess> =>
    startBonsai(["--model", `${modelId}=${model}`, "--cache-dir", join(scratch, cacheDir), ...flags]);
  const subjects: Subject[] = [
    { label: "bonsai, default flags", start: async () => bonsai("kept") },
    { label: "bonsai, `--prefix-cache-bytes 0`", start: async () => bonsai("kept", "--prefix-cache-bytes", "0") },
  ];
  if (llama !== undefined) {
    const options = {
      model,
      threads: availableParallelism(),
      slots: sequences,
      contextTokens: sequences * (promptTokens + generatedTokens),
    };
    subjects.push({
      label: `llama-server, \`-np ${sequences} -c ${options.contextTokens}\``,
      start: async () => startLlamaServer(llama, options),
    });
  }
  const rounds = profile === "quick" ? 1 : 3;
  const samples = new Samples();
  buildProgram();
  try {
    for (let round = 0; round < rounds; round++) {
      say(`Round ${round + 1} of ${rounds}`);
      const first = await bonsai(`first-${round}`);
      samples.add("first start", first.readyMs);
      await first.stop();
      if (round === 0) await (await bonsai("kept")).stop();
      for (const { label, start } of subjects) {
        const server = await start();
        try {
          samples.add(`${label} start`, server.readyMs);
          record(samples, label, await load(server));
        } finally {
          await server.stop();
        }
      }
    }
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
  const megabytes = (heading: string): { heading: string; digits: number } => ({ heading, digits: 0 });
  const [ours] = subjects as [Subject];
  return {
    title: "Memory and start",
    about: [
      `The server's whole process with SmolLM2-135M-Instruct (Q4_1 file), from Linux's own accounts, in MB of 10^6 bytes: when it is ready, and when ${sequences} sequences of ${promptTokens + generatedTokens} tokens`,
      `(${promptTokens} random ones, no two prompts alike, and ${generatedTokens} generated) ended together. Servers are started anew for each round and take turns.`,
    ].join("\n"),
    ...(llama && { peers: { "llama.cpp": llama.version } }),
    tables: [
      {
        title: `Memory with ${sequences} sequences of ${promptTokens + generatedTokens} tokens`,
        note: "Weights are mapped from files: resident counts their pages that were touched, anonymous does not. The prefix cache keeps prompts for requests to come.",
        columns: [
          { heading: "server" },
          megabytes("ready: resident"),
          megabytes("loaded: resident"),
          megabytes("loaded: proportional"),
          megabytes("loaded: anonymous"),
          megabytes("highest resident"),
        ],
        rows: subjects.map(({ label }) => [
          label,
          ...["ready", "resident", "proportional", "anonymous", "peak"].map((part) => samples.cell(`${label} ${part}`)),
        ]),
      },
      {
        title: "From start to ready",
        note: "From the start of the process to the first answer of its readiness route. The first start also quantises and writes the weights; later ones map what it wrote.",
        columns: [{ heading: "start" }, { heading: "ms", digits: 0 }],
        rows: [
          ["bonsai, the first with a model", samples.cell("first start")],
          ...subjects.map(({ label }) => [label, samples.cell(`${label} start`)]),
        ],
      },
    ],
    checks: [
      bound("resident memory when loaded, default flags", samples.highest(`${ours.label} resident`), "MB", residentLimitMB),
      bound("highest resident memory since the start, default flags", samples.highest(`${ours.label} peak`), "MB", residentLimitMB),
      bound("ready, with the quantised weights on disk", samples.highest(`${ours.label} start`), "ms", readyLimitMs),
    ],
    raw: samples,
  };
});

function bound(claim: string, measured: number, unit: string, limit: number): Check {
  return { claim, measured, unit, bound: "at most", limit };
}

async function load(server: ServerProcess): Promise<Held> {
  const deal = promptDealer(vocabSize);
  const ready = readMemory(server.pid);
  const bodies = Array.from({ length: sequences }, () => fixedLengthBody(modelId, deal(promptTokens), generatedTokens, 0));
  await wholeHttpRun(server.url, bodies);
  return { ready, loaded: readMemory(server.pid) };
}

function record(samples: Samples, label: string, { ready, loaded }: Held): void {
  samples.add(`${label} ready`, ready.residentMB);
  samples.add(`${label} resident`, loaded.residentMB);
  samples.add(`${label} proportional`, loaded.proportionalMB);
  samples.add(`${label} anonymous`, loaded.anonymousMB);
  samples.add(`${label} peak`, loaded.peakMB);
}
