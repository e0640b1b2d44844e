/** @file SmolLM2-135M-Instruct: PyTorch's greedy answers token for token, and the same bytes under load as alone. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { runSlices } from "../../../src/text/slices.ts";
import { EngineLoop } from "../../../src/engine/scheduling/engine-loop.ts";
import { readPrompt, type Model } from "../../../src/engine/loading/model.ts";
import { preparedModels } from "../../fixtures/prepared-models.ts";
import { sharedDataPath, smolLM2Path, withoutSharedData, withoutSmolLM2 } from "../../fixtures/real-models.ts";
import { assertAnsweredAsAlone } from "../answered-as-alone.ts";
import { requestFor, roomyLimits, run } from "../answers.ts";
import { randomRequests } from "../random-requests.ts";
import { load } from "../tiny-engine.ts";

interface GreedyGolden {
  cases: {
    prompt: string;
    prompt_ids: number[];
    /** [k]: of token k + 1 given those before it. */
    prompt_logprobs: number[];
    completion_ids: number[];
    completion: string;
    logprobs: number[];
    top5: [tokenId: number, logprob: number][][];
  }[];
}

const goldenPath = "vectors/smollm2/greedy.json";
const tolerance = 1e-3;

function modelIn(quantization: "fp32" | "q8" | "w8a8"): () => Model {
  let model: Model | undefined;
  before(async () => {
    model = await load(smolLM2Path()!, preparedModels(), { id: "smollm2", quantization, maxRows: 16, kvCacheBytes: 2 ** 28 });
  });
  after(async () => model?.device.dispose());
  return () => model!;
}

describe("SmolLM2 in fp32", { skip: withoutSmolLM2 }, () => {
  const model = modelIn("fp32");

  test(
    "answers as PyTorch does, token for token, with its log-probabilities, all prompts at once",
    { skip: withoutSharedData(goldenPath) },
    async () => {
      const { cases } = JSON.parse(readFileSync(sharedDataPath(goldenPath)!, "utf8")) as GreedyGolden;
      const loop = new EngineLoop([model()], roomyLimits);
      const answers = await Promise.all(
        cases.map(({ prompt, completion_ids: ids }) => {
          const messages = [{ role: "user" as const, content: prompt }];
          return run(
            loop,
            requestFor("smollm2", { prompt: { kind: "messages", messages }, maxTokens: ids.length, logprobs: 5, echo: true }),
          );
        }),
      );
      const close = (a: number, b: number, what: string): void => assert.ok(Math.abs(a - b) < tolerance, `${what}: ${a} is not ${b}`);
      for (const [at, golden] of cases.entries()) {
        const { sequences, echo } = answers[at]!;
        const { text, tokenIds, logprobs } = sequences[0]!;
        assert.deepEqual(
          runSlices(readPrompt(model(), { kind: "messages", messages: [{ role: "user", content: golden.prompt }] })),
          golden.prompt_ids,
        );
        assert.deepEqual(tokenIds, golden.completion_ids);
        assert.equal(text, golden.completion);
        golden.prompt_logprobs.forEach((logprob, k) =>
          close(echo!.tokens![k + 1]!.logprob!, logprob, `prompt token ${k + 1} of "${golden.prompt}"`),
        );
        golden.logprobs.forEach((logprob, k) => close(logprobs[k]!.logprob, logprob, `token ${k} after "${golden.prompt}"`));
        golden.top5.forEach((top, k) =>
          top.forEach(([tokenId, logprob], rank) => {
            const mine = logprobs[k]!.top[rank]!;
            close(mine.logprob, logprob, `rank ${rank} of token ${k} after "${golden.prompt}"`);
            // Ranks as close as this may change places, and the last with one that is not listed.
            const isTied = top.some(([other, otherLogprob]) => other !== tokenId && Math.abs(otherLogprob - logprob) < 2 * tolerance);
            if (!isTied && rank < 4) assert.deepEqual(mine.bytes, [...model().tokenizer.tokenBytes(tokenId)]);
          }),
        );
      }
    },
  );

  test("answers random requests under load as it answers each alone", async () => {
    const requests = randomRequests(31, 6, { model: "smollm2", vocabSize: model().info.vocabSize, longestPrompt: 150, longestAnswer: 10 });
    await assertAnsweredAsAlone([model()], requests, { ...roomyLimits, maxSequences: 16 });
  });
});

describe("SmolLM2 in q8", { skip: withoutSmolLM2 }, () => {
  const model = modelIn("q8");

  test("answers 32 random requests that arrive, join, leave and are cancelled as it answers each alone", async () => {
    const requests = randomRequests(32, 32, { model: "smollm2", vocabSize: model().info.vocabSize, longestPrompt: 150, longestAnswer: 12 });
    await assertAnsweredAsAlone([model()], requests, { ...roomyLimits, maxSequences: 16 });
  });
});

describe("SmolLM2 in w8a8", { skip: withoutSmolLM2 }, () => {
  const model = modelIn("w8a8");

  test("answers random requests under load as it answers each alone", async () => {
    const requests = randomRequests(33, 6, { model: "smollm2", vocabSize: model().info.vocabSize, longestPrompt: 150, longestAnswer: 10 });
    await assertAnsweredAsAlone([model()], requests, { ...roomyLimits, maxSequences: 16 });
  });
});
