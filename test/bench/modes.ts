/** @file The speed of each way to hold the weights; the measurement `quantization` has what each costs in quality. */

import { tmpdir } from "node:os";
import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { defaultConfig, quantizations, type Quantization } from "../../src/config/options.ts";
import { startEngine } from "../../src/engine/worker/start-engine.ts";
import { requireSmolLM2 } from "../../loadtest/measurement/real-files.ts";
import { decodeRate, idle, wholeRun } from "./load/engine-streams.ts";
import { promptDealer } from "./load/prompts.ts";
import { fixedLengthRequest } from "./load/requests.ts";
import { runBench } from "./report/run-bench.ts";
import { Samples } from "./report/samples.ts";

const modelId = "smollm2";
const promptTokens = 128;
const generatedTokens = 128;
const longPromptTokens = 512;

const plans = {
  full: { rounds: 3, streams: [1, 4, 16, 32] },
  quick: { rounds: 1, streams: [1, 4] },
};

await runBench(import.meta.url, async ({ profile, say }) => {
  const model = requireSmolLM2();
  const { rounds, streams } = plans[profile];
  const cacheDir = mkdtempSync(join(tmpdir(), "bonsai-modes-"));
  const samples = new Samples();
  try {
    for (let round = 0; round < rounds; round++) {
      for (const mode of quantizations) {
        say(`Round ${round + 1} of ${rounds}: ${mode}`);
        await measureMode(mode, { model, cacheDir, streams, say }, samples);
      }
    }
  } finally {
    rmSync(cacheDir, { recursive: true, force: true });
  }
  const rate = (heading: string): { heading: string; digits: number } => ({ heading, digits: 0 });
  const standard = defaultConfig().quantization;
  return {
    title: "Speed of each mode",
    about: [
      `SmolLM2-135M-Instruct (Q4_1 file), tokens a second. Decoding: over all streams, greedy, prompts of ${promptTokens} random tokens, while every stream is in its answer.`,
      `Prefill: one prompt of ${longPromptTokens} tokens. Modes take turns, each in an engine of its own. \`${standard}\` is the default.`,
    ].join("\n"),
    tables: [
      {
        title: "Tokens a second of each mode",
        columns: [{ heading: "mode" }, ...streams.map((count) => rate(count === 1 ? "1 stream" : `${count} streams`)), rate("prefill")],
        rows: quantizations.map((mode) => [
          `\`${mode}\``,
          ...[...streams.map(String), "prefill"].map((part) => samples.cell(`${mode} ${part}`)),
        ]),
      },
      {
        title: `Times the default, \`${standard}\``,
        columns: [
          { heading: "mode" },
          ...[...streams.map((count) => (count === 1 ? "1 stream" : `${count} streams`)), "prefill"].map((heading) => ({
            heading,
            digits: 2,
          })),
        ],
        rows: quantizations.map((mode) => [
          `\`${mode}\``,
          ...[...streams.map(String), "prefill"].map((part) => samples.ratioCell(`${mode} ${part}`, `${standard} ${part}`)),
        ]),
      },
    ],
    checks: [],
    raw: samples,
  };
});

interface ModePlan {
  model: string;
  cacheDir: string;
  streams: readonly number[];
  say: (line: string) => void;
}

async function measureMode(mode: Quantization, { model, cacheDir, streams, say }: ModePlan, samples: Samples): Promise<void> {
  const { quantization: _, ...limits } = defaultConfig();
  const engine = await startEngine({
    ...limits,
    quantization: mode,
    models: [{ id: modelId, path: model }],
    cacheDir,
    prefixCacheBytes: 0,
    log: say,
  });
  try {
    const deal = promptDealer(engine.models[0]?.vocabSize ?? 0);
    const request = (): ReturnType<typeof fixedLengthRequest> => fixedLengthRequest(modelId, deal(promptTokens), 2 * generatedTokens, 0);
    await decodeRate(engine, [request()], generatedTokens / 2);
    await idle(engine);
    for (const count of streams) {
      samples.add(`${mode} ${count}`, await decodeRate(engine, Array.from({ length: count }, request), generatedTokens - 1));
      await idle(engine);
    }
    const { timings } = await wholeRun(engine, [fixedLengthRequest(modelId, deal(longPromptTokens), 1, 0)]);
    samples.add(`${mode} prefill`, (longPromptTokens / (timings[0]?.prefillMs ?? NaN)) * 1000);
  } finally {
    await engine.close();
  }
}
