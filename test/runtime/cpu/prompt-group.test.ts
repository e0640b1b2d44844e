/**
 * @file Prompts that are filled together have the hidden states that each has alone, and those of the naive decoder.
 */

import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, test } from "node:test";
import { readDecoderConfig } from "../../../src/architectures/decoder/decoder-config.ts";
import { openModel } from "../../../src/formats/open-model.ts";
import type { CpuPage } from "../../../src/runtime/cpu/cpu-page.ts";
import type { DecoderDevice, PromptCache } from "../../../src/runtime/device.ts";
import { largestDifference } from "../../architectures/goldens.ts";
import { NaiveDecoder } from "../../architectures/naive-decoder.ts";
import { RandomChoices } from "../../engine/random-requests.ts";
import { load } from "../../engine/tiny-engine.ts";
import { temporaryFolder } from "../../fixtures/temporary-folder.ts";
import { writeTinyModel, type TinyModelOptions } from "../../fixtures/tiny-model.ts";

const folder = temporaryFolder();
const cacheDir = join(folder, "cache");

interface Text {
  ids: readonly number[];
  prompt: PromptCache;
  /** The last state that came. */
  hidden: Float32Array | undefined;
}

/** Fills texts in runs of those that `choose` takes of the ones that are not whole yet; their last hidden states. */
async function fillMany(
  device: DecoderDevice,
  texts: readonly (readonly number[])[],
  choose: (open: Text[]) => Text[],
): Promise<Float32Array[]> {
  const all = texts.map((ids): Text => ({ ids, prompt: device.openPrompt(ids.length), hidden: undefined }));
  const done = new Set<Text>();
  while (done.size < all.length) {
    const chosen = choose(all.filter((text) => !done.has(text)));
    const chunks = chosen.map(({ ids, prompt }) => ({ prompt, ids: ids.slice(prompt.length, prompt.length + device.chunkTokens) }));
    const ends = chunks.map(({ prompt, ids }, at) => prompt.length + ids.length === chosen[at]!.ids.length);
    const states = await device.prefillMany(chunks);
    chosen.forEach((text, at) => {
      text.hidden = states[at];
      if (ends[at]) done.add(text);
    });
  }
  for (const { prompt } of all) device.closePrompt(prompt);
  return all.map(({ hidden }) => hidden!);
}

function tiny(options: TinyModelOptions): string {
  const path = join(folder, JSON.stringify(options).replaceAll(/\W+/g, "-"));
  writeTinyModel(path, options);
  return path;
}

describe("prompts that are filled together", () => {
  const shapes: TinyModelOptions[] = [
    {},
    { architecture: "qwen3", keyValueHeads: 1 },
    { architecture: "gpt2", heads: 2, headDim: 32 },
    { tieWordEmbeddings: false, contextLength: 200 },
  ];
  for (const shape of shapes) {
    test(`have the naive decoder's states: ${JSON.stringify(shape)}`, async () => {
      const path = tiny(shape);
      const file = openModel(path);
      const config = readDecoderConfig(file.config, path);
      const choices = new RandomChoices(3);
      const texts = [1, 15, 16, 64, 65, 130, 128, 200].map((length) => choices.integers(length, 0, config.vocabSize - 1));
      const { device } = await load(path, cacheDir);
      const computed = await fillMany(device, texts, (open) => open);
      const naive = new NaiveDecoder(config, file.weights);
      texts.forEach((ids, at) =>
        assert.ok(largestDifference(computed[at]!, naive.hidden(ids).at(-1)!) < 1e-4, `the text of ${ids.length} tokens`),
      );
      file.weights.close();
      await device.dispose();
    });
  }

  for (const quantization of ["fp32", "q8", "w8a8"] as const) {
    test(`have the bits that each has alone, in ${quantization}`, async () => {
      const { device, info } = await load(tiny({ contextLength: 512 }), cacheDir, { quantization });
      const choices = new RandomChoices(4);
      const texts = Array.from({ length: 24 }, () => choices.integers(choices.integer(1, 300), 0, info.vocabSize - 1));
      const alone = await fillMany(device, texts, (open) => open.slice(0, 1));
      const together = await fillMany(device, texts, (open) => open.filter(() => choices.integer(0, 2) > 0));
      texts.forEach((ids, at) => assert.deepEqual(together[at], alone[at], `the text of ${ids.length} tokens`));
      await device.dispose();
    });
  }

  test("leave a page of a prompt that is the one that filling it alone leaves", async () => {
    const { device, info } = await load(tiny({}), cacheDir, { quantization: "q8" });
    const ids = new RandomChoices(5).integers(64, 0, info.vocabSize - 1);
    const [alone, one, other] = [device.openPrompt(64), device.openPrompt(64), device.openPrompt(64)];
    await device.prefill(alone, ids);
    await device.prefillMany([
      { prompt: one, ids },
      { prompt: other, ids: ids.toReversed() },
    ]);
    const [ofOne, ofOther, ofAlone] = await Promise.all(
      [one, other, alone].map(async (prompt) => ((await device.readPage(prompt, 0)) as CpuPage).rows),
    );
    assert.deepEqual(ofOne, ofAlone);
    assert.notDeepEqual(ofOther, ofAlone);
    await device.dispose();
  });
});
