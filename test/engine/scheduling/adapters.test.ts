/**
 * @file Adapters over a shared base: each computes what peft and merging do, and none changes a bit of another's
 * answers or of the base's.
 */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { readDecoderConfig } from "../../../src/architectures/decoder/decoder-config.ts";
import { locateDecoderWeights } from "../../../src/architectures/decoder/decoder-weights.ts";
import type { Model } from "../../../src/engine/loading/model.ts";
import { BonsaiError } from "../../../src/errors/bonsai-error.ts";
import { mergeAdapter } from "../../../src/formats/merged-adapter.ts";
import { openModel } from "../../../src/formats/open-model.ts";
import { writePeftAdapter, type LoraAdapter, type LoraPair } from "../../../src/formats/peft-adapter.ts";
import { goldenPath, largestDifference } from "../../architectures/goldens.ts";
import { NaiveDecoder } from "../../architectures/naive-decoder.ts";
import { temporaryFolder } from "../../fixtures/temporary-folder.ts";
import { writeTinyModel, type TinyModelOptions } from "../../fixtures/tiny-model.ts";
import { logitsBySteps } from "../../runtime/stepwise.ts";
import { assertAnsweredAsAlone } from "../answered-as-alone.ts";
import { roomyLimits } from "../answers.ts";
import { RandomChoices, randomRequests } from "../random-requests.ts";
import { load, loadWithAdapters } from "../tiny-engine.ts";

const folder = temporaryFolder();
const cacheDir = join(folder, "cache");

/** Random factors for the layers of a model whose weights' names match. */
function randomAdapter(path: string, matching: RegExp, rank: number, seed: number): LoraAdapter {
  const file = openModel(path);
  const weights = locateDecoderWeights(readDecoderConfig(file.config, path), file.weights, path);
  file.weights.close();
  const choices = new RandomChoices(seed);
  const values = (length: number): Float32Array<ArrayBuffer> =>
    Float32Array.from(choices.integers(length, -1000, 1000), (value) => value / 5000);
  const pairs = new Map<string, LoraPair>();
  for (const layer of weights.layers) {
    for (const { weights: names, partOutputs, inputs } of [layer.queryKeyValue, layer.output, layer.up, layer.down]) {
      names.forEach((name, part) => {
        const outputs = partOutputs[part]!;
        if (matching.test(name))
          pairs.set(name.slice(0, -".weight".length), { a: values(rank * inputs), b: values(outputs * rank), inputs, outputs });
      });
    }
  }
  return { rank, alpha: 2 * rank, useRslora: seed % 2 === 0, dropout: 0, baseModel: undefined, pairs };
}

function writeAdapter(name: string, adapter: LoraAdapter, isConv1d = false): { id: string; path: string } {
  const path = join(folder, name);
  writePeftAdapter(path, adapter, "float32", isConv1d);
  return { id: name, path };
}

function tiny(options: TinyModelOptions): string {
  const path = join(folder, `base-${JSON.stringify(options).replaceAll(/\W+/g, "-")}`);
  writeTinyModel(path, options);
  return path;
}

test("an adapter that peft made gives peft's logits", async () => {
  const path = new URL("../../oracle/adapters/llama/", import.meta.url).pathname;
  const golden = JSON.parse(readFileSync(join(path, "golden.json"), "utf8")) as { ids: number[]; logits: number[] };
  const [base, tuned] = await loadWithAdapters(goldenPath("llama"), cacheDir, { adapters: [{ id: "tuned", path }] });
  for (const prefilled of [3, golden.ids.length]) {
    const [logits] = await logitsBySteps(tuned!.device, golden.ids, prefilled, 1, tuned!.adapter);
    assert.ok(largestDifference(logits!.at(-1)!, golden.logits) < 1e-4);
  }
  await base.device.dispose();
});

describe("an adapter beside its base", () => {
  const cases: { options: TinyModelOptions; matching: RegExp }[] = [
    { options: {}, matching: /proj/ },
    { options: { architecture: "qwen2", keyValueHeads: 1 }, matching: /q_proj|up_proj/ },
    { options: { architecture: "qwen3" }, matching: /v_proj|gate_proj|o_proj/ },
    { options: { architecture: "gpt2" }, matching: /c_attn|c_proj|c_fc/ },
  ];
  for (const { options, matching } of cases) {
    test(`computes what the merged weights do: ${JSON.stringify(options)}, ${String(matching)}`, async () => {
      const path = tiny(options);
      const adapters = [3, 4].map((seed) => randomAdapter(path, matching, seed, seed));
      const named = adapters.map((adapter, index) =>
        writeAdapter(`${JSON.stringify(options)}-${index}`.replaceAll(/\W+/g, "-"), adapter, options.architecture === "gpt2"),
      );
      const [base, ...tuned] = await loadWithAdapters(path, cacheDir, { adapters: named });
      const ids = new RandomChoices(8).integers(80, 3, 200);
      for (const [index, model] of tuned.entries()) {
        const [logits] = await logitsBySteps(model.device, ids, 66, 1, model.adapter);
        const file = openModel(path);
        const merged = mergeAdapter(file.weights, adapters[index]!);
        const expected = new NaiveDecoder(readDecoderConfig(file.config, path), merged).logits(ids);
        merged.close();
        logits!.forEach((row, at) => assert.ok(largestDifference(row, expected[at]!) < 1e-3, `adapter ${index}, token ${at}`));
      }
      await base.device.dispose();
    });
  }

  for (const quantization of ["fp32", "q8", "w8a8"] as const) {
    test(`leaves the base's bits as they are without it, in ${quantization}`, async () => {
      const path = tiny({});
      const ids = new RandomChoices(9).integers(80, 3, 200);
      const strong = randomAdapter(path, /proj/, 4, 5);
      for (const pair of strong.pairs.values()) pair.b = pair.b.map((value) => 10 * value);
      const alone = await load(path, cacheDir, { quantization });
      const adapters = [writeAdapter("beside", strong)];
      const [base] = await loadWithAdapters(path, cacheDir, { quantization, adapters });
      assert.deepEqual(await logitsBySteps(base.device, ids, 66), await logitsBySteps(alone.device, ids, 66));
      assert.notEqual(base.info.fingerprint, alone.info.fingerprint);
      for (const { device } of [alone, base]) await device.dispose();
    });

    test(`computes in ${quantization} nearly what it does in fp32, also where its keys and values are far larger than the base's`, async () => {
      const path = tiny({});
      const ids = new RandomChoices(10).integers(80, 3, 200);
      const large = randomAdapter(path, /[kv]_proj/, 4, 6);
      for (const pair of large.pairs.values()) pair.b = pair.b.map((value) => 6 * value);
      const adapters = [writeAdapter("large", large)];
      const logitsIn = async (mode: typeof quantization): Promise<Float32Array[]> => {
        const [base, tuned] = await loadWithAdapters(path, cacheDir, { quantization: mode, adapters });
        const [logits] = await logitsBySteps(tuned!.device, ids, 40, 1, tuned!.adapter);
        await base.device.dispose();
        return logits!;
      };
      const [exact, computed] = [await logitsIn("fp32"), await logitsIn(quantization)];
      // Of the largest error of each place: with the base's scales it is several times as much.
      const errors = exact.map((row, at) => largestDifference(row, computed[at]!));
      const mean = errors.reduce((sum, error) => sum + error, 0) / errors.length;
      assert.ok(mean < 0.6, `${mean}`);
    });
  }

  for (const quantization of ["fp32", "q8", "w8a8"] as const) {
    test(`answers 40 random requests of base and adapters as each alone, in ${quantization}`, async () => {
      const path = tiny({ contextLength: 1024 });
      const adapters = [1, 5, 8].map((rank) =>
        writeAdapter(`of-rank-${rank}`, randomAdapter(path, rank === 5 ? /proj/ : /q_proj|down/, rank, rank)),
      );
      const models: Model[] = await loadWithAdapters(path, cacheDir, { quantization, adapters });
      assert.deepEqual(
        models.map(({ info }) => [info.id, info.base]),
        [["tiny", undefined], ...adapters.map(({ id }) => [id, "tiny"])],
      );
      const { vocabSize } = models[0]!.info;
      const requests = randomRequests(11, 40, { model: "tiny", vocabSize, longestPrompt: 200, longestAnswer: 40 }).map((timed, index) => ({
        ...timed,
        request: { ...timed.request, model: models[index % models.length]!.info.id },
      }));
      await assertAnsweredAsAlone(models, requests, { ...roomyLimits, maxSequences: 24 });
    });
  }

  test("that does not fit is an error that names the layer", async () => {
    const path = tiny({});
    const adapter = randomAdapter(path, /q_proj/, 2, 6);
    const [[name, pair]] = [...adapter.pairs] as [[string, LoraPair]];
    const refused = async (pairs: [string, LoraPair][], code: string, message: RegExp): Promise<void> => {
      const named = writeAdapter(`bad-${code}`, { ...adapter, pairs: new Map(pairs) });
      await assert.rejects(
        loadWithAdapters(path, cacheDir, { adapters: [named] }),
        (error) => error instanceof BonsaiError && error.code === code && message.test(error.message),
      );
    };
    await refused([["lm_head", pair]], "unsupported_model", /lm_head/);
    await refused(
      [[name.replace("q_proj", "k_proj"), { ...pair, outputs: pair.outputs * 2, b: new Float32Array(pair.outputs * 4) }]],
      "invalid_model_file",
      /k_proj as \[/,
    );
  });
});
