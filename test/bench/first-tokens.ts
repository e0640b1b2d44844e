/**
 * @file The time to the first tokens of 16 candidates, beside that of one: a request's prompt is computed once for all
 * candidates.
 */

import { tmpdir } from "node:os";
import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { defaultConfig } from "../../src/config/options.ts";
import type { Engine } from "../../src/engine/contract/request.ts";
import { startEngine } from "../../src/engine/worker/start-engine.ts";
import { requireSmolLM2 } from "../../loadtest/measurement/real-files.ts";
import { firstTokensMs, idle } from "./load/engine-streams.ts";
import { promptDealer } from "./load/prompts.ts";
import { fixedLengthRequest } from "./load/requests.ts";
import { runBench } from "./report/run-bench.ts";
import { Samples } from "./report/samples.ts";

const modelId = "smollm2";
const candidates = 16;
const longest = 1024;
const limit = 1.15;

const plans = {
  full: { rounds: 7, prompts: [128, 512, longest] },
  quick: { rounds: 1, prompts: [128, longest] },
};

await runBench(import.meta.url, async ({ profile, say }) => {
  const model = requireSmolLM2();
  const { rounds, prompts } = plans[profile];
  const cacheDir = mkdtempSync(join(tmpdir(), "bonsai-first-tokens-"));
  const samples = new Samples();
  // Without a prefix cache, every request computes its own prompt.
  const engine = await startEngine({ ...defaultConfig(), models: [{ id: modelId, path: model }], cacheDir, prefixCacheBytes: 0, log: say });
  try {
    const deal = promptDealer(engine.models[0]?.vocabSize ?? 0);
    const take = async (tokens: number, n: number): Promise<number> => measure(engine, deal(tokens), n);
    for (const n of [1, candidates]) await take(prompts[0] as number, n);
    for (let round = 0; round < rounds; round++) {
      for (const tokens of prompts) for (const n of [1, candidates]) samples.add(`${tokens} ${n}`, await take(tokens, n));
    }
  } finally {
    await engine.close();
    rmSync(cacheDir, { recursive: true, force: true });
  }
  return {
    title: "A prompt for many candidates",
    about: `SmolLM2-135M-Instruct: milliseconds from a request, alone in the engine, to the first token of each of its candidates. Prompts of random tokens, no two alike, and nothing cached from one request to the next.`,
    tables: [
      {
        title: "To the first tokens",
        columns: [
          { heading: "prompt tokens", digits: 0 },
          { heading: "one candidate (ms)", digits: 0 },
          { heading: `all of ${candidates} (ms)`, digits: 0 },
          { heading: "times one", digits: 3 },
        ],
        rows: prompts.map((tokens) => [
          tokens,
          samples.cell(`${tokens} 1`),
          samples.cell(`${tokens} ${candidates}`),
          samples.ratioCell(`${tokens} ${candidates}`, `${tokens} 1`),
        ]),
      },
    ],
    checks: [
      {
        claim: `time to all ${candidates} first tokens after a prompt of ${longest}, times one's`,
        measured: samples.ratio(`${longest} ${candidates}`, `${longest} 1`) ?? NaN,
        unit: "",
        bound: "at most",
        limit,
      },
    ],
    raw: samples,
  };
});

async function measure(engine: Engine, ids: number[], n: number): Promise<number> {
  const ms = await firstTokensMs(engine, fixedLengthRequest(modelId, ids, 2, 1, n));
  await idle(engine);
  return ms;
}
