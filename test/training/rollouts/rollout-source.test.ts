/**
 * @file Every source of rollouts: greedy answers are a naive decode of the same weights, seeds reproduce,
 * log-probabilities are the training graph's.
 */

import assert from "node:assert/strict";
import { mkdtempSync } from "node:fs";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { readDecoderConfig } from "../../../src/architectures/decoder/decoder-config.ts";
import { decoderWeightShapes } from "../../../src/architectures/decoder/decoder-weights.ts";
import type { WeightInfo, WeightSource } from "../../../src/formats/model-file.ts";
import { openModel } from "../../../src/formats/open-model.ts";
import { allBatches } from "../../../src/training/data/row-data.ts";
import { normalValues } from "../../../src/training/model/decoder-initial-weights.ts";
import { createTrainablePolicy } from "../../../src/training/preference/model.ts";
import { commonPairLength, layOutPairs, pairRows } from "../../../src/training/preference/pair-rows.ts";
import type { DocumentPair } from "../../../src/training/preference/pairs.ts";
import type { Rollout, RolloutSource } from "../../../src/training/rollouts/rollout-source.ts";
import { UncachedRollouts, type UncachedRolloutsOptions } from "../../../src/training/rollouts/uncached-rollouts.ts";
import { goldenPath } from "../../architectures/goldens.ts";
import { NaiveDecoder } from "../../architectures/naive-decoder.ts";
import { temporaryFolder } from "../../fixtures/temporary-folder.ts";
import { naiveLogProbability } from "../preference/naive-log-probability.ts";

const root = temporaryFolder();
const model = openModel(goldenPath("llama"));
after(() => model.weights.close());
const config = readDecoderConfig(model.config, model.path);
const answerTokens = 6;
const prompts = [[5, 9, 17], [40], [8, 8, 60, 2, 31]];

const implementations: [name: string, open: (options: UncachedRolloutsOptions) => Promise<RolloutSource>][] = [
  ["without a cache", async (options) => UncachedRollouts.open(options)],
];

/** The model's weights with noise of this size. */
function weightsWithNoise(scale: number): Record<string, Float32Array<ArrayBuffer>> {
  const entries = [...decoderWeightShapes(config).keys()].map((name) => {
    const values = model.weights.readFloat32(name);
    const noise = normalValues(7, name, values.length, scale);
    return [name, Float32Array.from(values, (value, at) => value + noise[at]!)] as const;
  });
  return Object.fromEntries(entries);
}

function sourceOf(weights: Record<string, Float32Array<ArrayBuffer>>): WeightSource {
  const infos = new Map(
    [...decoderWeightShapes(config)].map(([name, shape]): [string, WeightInfo] => [name, { name, dtype: "F32", shape }]),
  );
  return { infos, readFloat32: (name) => weights[name]!, readRaw: (name) => new Uint8Array(weights[name]!.buffer), close: () => {} };
}

const [own, other] = [weightsWithNoise(0), weightsWithNoise(0.02)];
const sum = (values: Float32Array): number => values.reduce((total, value) => total + value, 0);
const answersOf = (rollouts: readonly Rollout[]): readonly number[][] => rollouts.map(({ answer }) => [...answer]);

for (const [name, open] of implementations) {
  describe(`rollouts ${name}`, () => {
    const sources: RolloutSource[] = [];
    after(async () => Promise.all(sources.map(async (opened) => opened.dispose())));

    /** A source for four prompts; answers end at these tokens. */
    async function source(endIds: readonly number[] = []): Promise<RolloutSource> {
      const opened = await open({
        config,
        weights: model.weights,
        path: model.path,
        mode: { kind: "full" },
        threads: 1,
        folder: mkdtempSync(join(root, "rollouts-")),
        rows: 4,
        promptTokens: 5,
        answerTokens,
        endIds: new Set(endIds),
      });
      sources.push(opened);
      return opened;
    }

    test("at temperature 0 are a naive decode of the weights that are given", async () => {
      const rollouts = await source();
      for (const weights of [own, other]) {
        const naive = new NaiveDecoder(config, sourceOf(weights));
        const found = await rollouts.sample(prompts, weights, { seed: 1, temperature: 0 });
        assert.deepEqual(answersOf(found), prompts.map((prompt) => naive.greedy(prompt, answerTokens))); // prettier-ignore
      }
    });

    test("are the same for the same seed and weights, and others for another seed", async () => {
      const rollouts = await source();
      const draw = async (seed: number, weights = own): Promise<Rollout[]> => rollouts.sample(prompts, weights, { seed, temperature: 1 });
      const first = await draw(3);
      assert.deepEqual(await draw(3), first);
      assert.notDeepEqual(answersOf(await draw(4)), answersOf(first));
      // A prompt's answer does not depend on the prompts after it.
      assert.deepEqual(
        answersOf(await rollouts.sample(prompts.slice(0, 2), own, { seed: 3, temperature: 1 })),
        answersOf(first).slice(0, 2),
      );
    });

    test("have the log-probabilities of the training graph and of a naive decoder, also of other weights", async () => {
      const rollouts = await source();
      const found = await rollouts.sample(prompts, other, { seed: 5, temperature: 1 });
      const pairs = found.map(({ prompt, answer }): DocumentPair => {
        const ids = Int32Array.from([...prompt, ...answer]);
        const document = { ids, trained: Uint8Array.from(ids, (_, at) => Number(at >= prompt.length)) };
        return { first: document, second: document, label: 1 };
      });
      const length = commonPairLength(pairs);
      const policy = await createTrainablePolicy({
        config,
        weights: sourceOf(other),
        path: model.path,
        mode: { kind: "full" },
        threads: 1,
        rows: pairs.length,
        length,
        pairs: pairs.length,
        objective: {
          kind: "pairs",
          mix: [{ name: "sft", weight: 1 }],
          settings: { beta: 1, labelSmoothing: 0, discopopTau: 1, gammaBetaRatio: 0 },
        },
        optimizer: { kind: "sgd", momentum: 0, weightDecay: 0 },
        seed: 0,
        temporaryFolder: root,
      });
      try {
        const [batch] = allBatches(pairRows(layOutPairs(pairs, false, length), length), pairs.length);
        const graph = await policy.logProbabilities(batch!);
        const naive = new NaiveDecoder(config, sourceOf(other));
        const reference = new NaiveDecoder(config, sourceOf(own));
        const ofReference = await rollouts.logProbabilities(found, own);
        for (const [row, { prompt, answer, logProbabilities }] of found.entries()) {
          assert.equal(logProbabilities.length, answer.length);
          assert.ok(Math.abs(sum(logProbabilities) - graph[2 * row]!) < 1e-4, `${sum(logProbabilities)}, not ${graph[2 * row]}`);
          assert.ok(Math.abs(sum(logProbabilities) - naiveLogProbability(naive, prompt, answer)) < 1e-3);
          assert.ok(Math.abs(sum(ofReference[row]!) - naiveLogProbability(reference, prompt, answer)) < 1e-3);
        }
      } finally {
        await policy.dispose();
      }
    });

    test("end with the first end-of-sequence token, which is part of the answer", async () => {
      const [whole] = await (await source()).sample([prompts[0]!], own, { seed: 1, temperature: 0 });
      const endId = whole!.answer[2]!;
      const [ended] = await (await source([endId])).sample([prompts[0]!], own, { seed: 1, temperature: 0 });
      assert.deepEqual(ended!.answer, whole!.answer.slice(0, whole!.answer.indexOf(endId) + 1));
    });

    test("refuse prompts that do not fit", async () => {
      const rollouts = await source();
      for (const wrong of [[[]], [[1, 2, 3, 4, 5, 6]], [[1], [1], [1], [1], [1]]])
        await assert.rejects(rollouts.sample(wrong, own, { seed: 1, temperature: 0 }), { code: "internal" });
    });
  });
}
