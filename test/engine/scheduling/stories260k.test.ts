/**
 * @file stories260K, a real Llama of 260,000 parameters, against float64 goldens and the texts that llama2.c prints.
 */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { before, describe, test } from "node:test";
import { EngineLoop } from "../../../src/engine/scheduling/engine-loop.ts";
import type { Model } from "../../../src/engine/loading/model.ts";
import { sampleFromTop } from "../../../src/engine/sampling/sampler.ts";
import { largestDifference } from "../../architectures/goldens.ts";
import { sharedDataPath, withoutSharedData } from "../../fixtures/real-models.ts";
import { temporaryFolder } from "../../fixtures/temporary-folder.ts";
import { fill, logitsBySteps } from "../../runtime/stepwise.ts";
import { greedySampling, requestFor, roomyLimits, run } from "../answers.ts";
import { neverWanted } from "../../../src/runtime/device.ts";
import { load } from "../tiny-engine.ts";

interface NumpyGolden {
  greedy: { ids: number[] };
  /** logprobs[k]: of token k + 1 given those before it. */
  cases: { text: string; ids: number[]; logprobs: number[]; last_logits: number[]; mean_logits_per_pos: number[] }[];
}

interface SamplingGolden {
  steps: number;
  cases: { temperature: number; top_p?: number; seed?: number; prompt?: string; text: string }[];
}

const path = "models/stories260K";
const skip = withoutSharedData(path);

function read(name: string): unknown {
  return JSON.parse(readFileSync(join(sharedDataPath(path)!, name), "utf8"));
}

const readNumpy = (): NumpyGolden => read("golden_numpy.json") as NumpyGolden;
const readSampling = (): SamplingGolden => read("golden_sampling.json") as SamplingGolden;

/** llama2.c's xorshift64*: uniform in [0, 1). */
function coins(seed: number): () => number {
  let state = BigInt(seed);
  return () => {
    state ^= state >> 12n;
    state ^= BigInt.asUintN(64, state << 25n);
    state ^= state >> 27n;
    const word = BigInt.asUintN(64, state * 0x2545f4914f6cdd1dn) >> 32n;
    return Number(word >> 8n) / 16_777_216;
  };
}

describe("stories260K in fp32", { skip }, () => {
  const folder = temporaryFolder();
  let model: Model;
  before(async () => {
    model = await load(sharedDataPath(path)!, folder, { id: "stories" });
  });

  test("continues a story greedily as llama2.c does", async () => {
    const { greedy } = readNumpy();
    const { steps, cases } = readSampling();
    const [bos, ...answer] = greedy.ids;
    const { sequences } = await run(
      new EngineLoop([model], roomyLimits),
      requestFor("stories", { prompt: { kind: "tokens", ids: [bos!] }, maxTokens: answer.length, ignoreEos: true }),
    );
    assert.deepEqual(sequences[0]!.tokenIds, answer);
    const text = model.tokenizer.decode(sequences[0]!.tokenIds.slice(0, steps));
    assert.equal(text, cases.find(({ temperature }) => temperature === 0)!.text);
  });

  test("gives texts the log-probabilities and logits of float64", async () => {
    const loop = new EngineLoop([model], roomyLimits);
    for (const golden of readNumpy().cases) {
      const request = requestFor("stories", { prompt: { kind: "text", text: golden.text }, maxTokens: 0, echo: true, logprobs: 0 });
      const tokens = (await run(loop, request)).echo!.tokens!;
      assert.deepEqual(model.tokenizer.encode(golden.text), golden.ids);
      const logprobs = tokens.slice(1).map(({ logprob }) => logprob!);
      assert.equal(logprobs.length, golden.logprobs.length);
      assert.ok(largestDifference(logprobs, golden.logprobs) < 1e-4, golden.text);
      const [logits] = await logitsBySteps(model.device, golden.ids, golden.ids.length - 1);
      assert.ok(largestDifference(logits!.at(-1)!, golden.last_logits) < 1e-3, golden.text);
      const means = logits!.map((row) => row.reduce((sum, value) => sum + value, 0) / row.length);
      assert.ok(largestDifference(means, golden.mean_logits_per_pos) < 1e-4, golden.text);
    }
  });

  test("samples llama2.c's texts from llama2.c's draws, where both draw from the most likely tokens on", async () => {
    const { steps, cases } = readSampling();
    const nucleus = cases.filter(({ top_p: topP }) => topP !== undefined && topP < 1);
    assert.ok(nucleus.length > 0);
    for (const { temperature, top_p: topP, seed, prompt = "", text } of nucleus) {
      const coin = coins(seed!);
      const ids = prompt === "" ? [1] : model.tokenizer.encode(prompt);
      const { prompt: cache } = await fill(model.device, ids.slice(0, -1));
      const [row] = model.device.openRows(cache, 1, steps);
      while (ids.length <= steps) {
        const { rows } = await model.device.decode([
          { row: row!, tokenId: ids.at(-1)!, inverseTemperature: 1 / temperature, wantsLogits: neverWanted },
        ]);
        const drawn = sampleFromTop(rows[0]!, { ...greedySampling, temperature, topP: topP! }, coin());
        // The nucleus of so small a model lies within the largest logits.
        assert.ok(drawn !== undefined);
        if (drawn.tokenId === 1) break;
        ids.push(drawn.tokenId);
      }
      model.device.closeRow(row!);
      assert.equal(model.tokenizer.decode(ids.slice(1)), text);
    }
  });
});
