/**
 * @file The CPU computes the logits of PyTorch and of the naive decoder, wherever a text is cut into prompt and answer.
 */

import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, test } from "node:test";
import { readDecoderConfig } from "../../../src/architectures/decoder/decoder-config.ts";
import { openModel } from "../../../src/formats/open-model.ts";
import { goldenCases, goldenModels, goldenPath, largestDifference } from "../../architectures/goldens.ts";
import { NaiveDecoder } from "../../architectures/naive-decoder.ts";
import { RandomChoices } from "../../engine/random-requests.ts";
import { load } from "../../engine/tiny-engine.ts";
import { temporaryFolder } from "../../fixtures/temporary-folder.ts";
import { writeTinyModel, type TinyModelOptions } from "../../fixtures/tiny-model.ts";
import { logitsBySteps } from "../stepwise.ts";

const folder = temporaryFolder();
const tolerance = 1e-4;

describe("the CPU device in fp32", () => {
  for (const name of goldenModels) {
    test(`computes PyTorch's logits of ${name} at every place, by prefill and by decoding`, async () => {
      const { device } = await load(goldenPath(name), join(folder, "cache"), { id: name });
      for (const { ids, positions, logits } of goldenCases(name)) {
        for (const prefilled of [0, 7, ids.length - 1, ids.length]) {
          const [computed] = await logitsBySteps(device, ids, prefilled);
          positions.forEach((position, at) => {
            assert.ok(
              largestDifference(computed![position]!, logits[at]!) < tolerance,
              `token ${position} of ${ids.length}, ${prefilled} prefilled`,
            );
          });
        }
      }
      await device.dispose();
    });
  }

  const shapes: TinyModelOptions[] = [
    { keyValueHeads: 1 },
    { heads: 6, keyValueHeads: 2, headDim: 10, hiddenSize: 60, intermediateSize: 100, tieWordEmbeddings: false },
    { architecture: "qwen3", heads: 1, keyValueHeads: 1, headDim: 64, layers: 1, ropeTheta: 1e6 },
    { architecture: "gpt2", heads: 2, headDim: 32, layers: 3 },
  ];
  for (const shape of shapes) {
    test(`computes the naive decoder's logits of ${JSON.stringify(shape)}`, async () => {
      const path = join(folder, JSON.stringify(shape).replaceAll(/\W+/g, "-"));
      writeTinyModel(path, shape);
      const file = openModel(path);
      const config = readDecoderConfig(file.config, path);
      const { device } = await load(path, join(folder, "cache"));
      const ids = new RandomChoices(5).integers(90, 0, config.vocabSize - 1);
      const expected = new NaiveDecoder(config, file.weights).logits(ids);
      for (const [prefilled, count] of [
        [1, 1],
        [64, 3],
        [70, 5],
      ] as const) {
        for (const computed of await logitsBySteps(device, ids, prefilled, count)) {
          computed.forEach((row, at) =>
            assert.ok(largestDifference(row, expected[at]!) < tolerance, `token ${at}, ${prefilled} prefilled, ${count} rows`),
          );
        }
      }
      file.weights.close();
      await device.dispose();
    });
  }

  test("computes the naive decoder's logits past the length at which a prompt's cache grows", async () => {
    const shape = { contextLength: 800, layers: 1, hiddenSize: 32, heads: 2, keyValueHeads: 1, headDim: 16, intermediateSize: 32 };
    const path = join(folder, "long");
    writeTinyModel(path, shape);
    const file = openModel(path);
    const config = readDecoderConfig(file.config, path);
    const { device } = await load(path, join(folder, "cache"));
    const ids = new RandomChoices(6).integers(800, 0, config.vocabSize - 1);
    const expected = new NaiveDecoder(config, file.weights).logits(ids);
    for (const prefilled of [0, 513, 799]) {
      const [computed] = await logitsBySteps(device, ids, prefilled);
      computed!.forEach((row, at) => assert.ok(largestDifference(row, expected[at]!) < tolerance, `token ${at}, ${prefilled} prefilled`));
    }
    file.weights.close();
    await device.dispose();
  });
});
