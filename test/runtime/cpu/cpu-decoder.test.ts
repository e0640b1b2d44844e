/** @file The device computes what PyTorch and the naive decoder do, wherever a text is cut into prompt and answer, and the same bits for all who share. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { before, describe, test } from "node:test";
import { readDecoderConfig } from "../../../src/architectures/decoder/decoder-config.ts";
import type { Model } from "../../../src/engine/loading/model.ts";
import { openModel } from "../../../src/formats/open-model.ts";
import { goldenCases, goldenModels, goldenPath, largestDifference } from "../../architectures/goldens.ts";
import { NaiveDecoder } from "../../architectures/naive-decoder.ts";
import { RandomChoices } from "../../engine/random-requests.ts";
import { load, loadTiny } from "../../engine/tiny-engine.ts";
import { temporaryFolder } from "../../fixtures/temporary-folder.ts";
import { writeTinyModel, type TinyModelOptions } from "../../fixtures/tiny-model.ts";
import { fill, logitsBySteps, step } from "../stepwise.ts";

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

for (const quantization of ["fp32", "q8", "w8a8"] as const) {
  describe(`the CPU device in ${quantization} gives the same bits`, () => {
    let model: Model;
    const choices = new RandomChoices(7);
    before(async () => {
      model = await loadTiny(folder, { contextLength: 1024 }, { quantization });
    });

    test("to rows that share a prompt's cache, to rows that copy it, and to one row", async () => {
      const ids = choices.integers(100, 3, 200);
      const [alone] = await logitsBySteps(model.device, ids, 70);
      for (const count of [2, 4, 6]) {
        for (const row of await logitsBySteps(model.device, ids, 70, count)) assert.deepEqual(row, alone);
      }
    });

    test("to a prompt that was made of another's pages", async () => {
      const { device } = model;
      const [common, own, rest] = [choices.integers(128, 3, 200), choices.integers(600, 3, 200), choices.integers(50, 3, 200)];
      // The first prompt is long, so its cache has room where the second's has none.
      const first = await fill(device, [...common, ...own]);
      const second = device.openPrompt(128 + rest.length);
      for (const start of [0, 64]) device.appendPage(second, device.readPage(first.prompt, start));
      assert.equal(second.length, 128);
      const logits = await device.prefill(second, rest, true);
      const whole = await fill(device, [...common, ...rest]);
      assert.deepEqual(logits, Float32Array.from(whole.logits.slice(128).flatMap((row) => Array.from(row))));
      const rows = [second, whole.prompt].map((prompt) => device.openRows(prompt, 1, 1)[0]!);
      const [fromPages, computed] = await step(device, rows, [9, 9]);
      assert.deepEqual(fromPages, computed);
      for (const row of rows) device.closeRow(row);
      device.closePrompt(first.prompt);
    });

    test("to a row however many others join, outgrow it and leave", async () => {
      const { device } = model;
      const [prompt, answer] = [choices.integers(30, 3, 200), choices.integers(300, 3, 200)];
      const [alone] = await logitsBySteps(device, [...prompt, ...answer], prompt.length);
      const open = async (ids: readonly number[], count: number): Promise<ReturnType<typeof device.openRows>> =>
        device.openRows((await fill(device, ids)).prompt, count, 400);
      const others = await open(choices.integers(400, 3, 200), 2);
      const [row] = await open(prompt, 1);
      others.push(...(await open(choices.integers(40, 3, 200), 3)));
      for (const [at, id] of answer.entries()) {
        if (at % 40 === 20) others.push(...(await open(choices.integers(choices.integer(1, 300), 3, 200), choices.integer(1, 5))));
        while (others.length > 10) device.closeRow(others.splice(choices.integer(0, others.length - 1), 1)[0]!);
        const rows = [...others.slice(0, 3), row!, ...others.slice(3)];
        const logits = await step(
          device,
          rows,
          rows.map((other) => (other === row ? id : choices.integer(3, 200))),
        );
        assert.deepEqual(logits[rows.indexOf(row!)], alone![prompt.length + at], `after token ${at}`);
      }
      for (const other of [row!, ...others]) device.closeRow(other);
    });
  });
}
