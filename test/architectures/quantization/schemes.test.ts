/**
 * @file Every way of storing weights computes nearly what fp32 does, for every architecture: a factor folded into the
 * wrong place would not.
 */

import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { RandomChoices } from "../../engine/random-requests.ts";
import { load, loadTiny } from "../../engine/tiny-engine.ts";
import { temporaryFolder } from "../../fixtures/temporary-folder.ts";
import { writeTinyGguf } from "../../fixtures/tiny-gguf.ts";
import { writeTinyModel, type TinyModelOptions } from "../../fixtures/tiny-model.ts";
import { tinyVocabSize } from "../../fixtures/tiny-tokenizer.ts";
import type { Model } from "../../../src/engine/loading/model.ts";
import { logitsBySteps } from "../../runtime/stepwise.ts";

const folder = temporaryFolder();
const ids = new RandomChoices(40).integers(90, 3, tinyVocabSize - 1);

/** Roundings of 8 bits cost a fifth of this, on models that are no more robust than random ones. */
const mostNats = 0.01;

/** Mean over the tokens of the Kullback-Leibler divergence of b's next-token distribution from a's, in nats. */
function meanKlNats(a: readonly Float32Array[], b: readonly Float32Array[]): number {
  const logProbabilities = (logits: Float32Array): Float64Array => {
    const row = Float64Array.from(logits);
    const largest = Math.max(...row);
    const logSum = largest + Math.log(row.reduce((sum, logit) => sum + Math.exp(logit - largest), 0));
    return row.map((logit) => logit - logSum);
  };
  const divergences = a.map((row, at) => {
    const [p, q] = [logProbabilities(row), logProbabilities(b[at]!)];
    return p.reduce((sum, value, token) => sum + Math.exp(value) * (value - q[token]!), 0);
  });
  return divergences.reduce((sum, value) => sum + value, 0) / divergences.length;
}

/** Half of the tokens as a prompt, half one by one. */
async function logitsOf({ device }: Model): Promise<Float32Array[]> {
  const [logits] = await logitsBySteps(device, ids, 45);
  await device.dispose();
  return logits!;
}

describe("a tiny model", () => {
  const shapes: TinyModelOptions[] = [
    { architecture: "llama" },
    { architecture: "llama", tieWordEmbeddings: false, hiddenSize: 80, headDim: 20, intermediateSize: 90 },
    { architecture: "qwen2" },
    { architecture: "qwen3", keyValueHeads: 1 },
    { architecture: "gpt2" },
  ];
  for (const shape of shapes) {
    test(`${JSON.stringify(shape)} predicts in q8 and w8a8 nearly what it does in fp32`, async () => {
      const exact = await logitsOf(await loadTiny(folder, shape));
      for (const quantization of ["q8", "w8a8"] as const) {
        const klNats = meanKlNats(exact, await logitsOf(await loadTiny(folder, shape, { quantization })));
        assert.ok(klNats < mostNats, `${quantization}: ${klNats} nats`);
        assert.ok(klNats > 0);
      }
    });
  }

  for (const type of ["Q4_1", "Q8_0"] as const) {
    test(`of ${type} blocks predicts from the file's own blocks nearly what they do in fp32`, async () => {
      const path = join(folder, `${type}.gguf`);
      writeTinyGguf(path, { type });
      const cacheDir = join(folder, "cache");
      const exact = await logitsOf(await load(path, cacheDir));
      const klNats = meanKlNats(exact, await logitsOf(await load(path, cacheDir, { quantization: type === "Q4_1" ? "q4" : "q8" })));
      assert.ok(klNats < mostNats, `${klNats} nats`);
    });
  }

  test("whose keys look otherwise far from the beginning is as near to fp32 there", async () => {
    const path = join(folder, "leaning");
    writeLeaning(path);
    const long = new RandomChoices(41).integers(960, 3, tinyVocabSize - 1);
    const last = async (quantization: "fp32" | "w8a8"): Promise<Float32Array[]> => {
      const { device } = await load(path, join(folder, "cache"), { quantization });
      const [logits] = await logitsBySteps(device, long, 950);
      await device.dispose();
      return logits!.slice(-60);
    };
    const klNats = meanKlNats(await last("fp32"), await last("w8a8"));
    assert.ok(klNats < mostNats, `${klNats} nats`);
  });
});

/**
 * A model whose keys lean far towards one of the two channels of a pair that turns slowly: a quarter of a turn later
 * they lean towards the other.
 */
function writeLeaning(path: string): void {
  const headDim = 16;
  // Turns by 10000^(-12/16) = 0.001 a token.
  const leaning = 6;
  writeTinyModel(path, { architecture: "qwen2", contextLength: 1024, ropeTheta: 10_000, headDim });
  const file = join(path, "model.safetensors");
  const bytes = readFileSync(file);
  const headerBytes = Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.subarray(8, 8 + headerBytes).toString()) as Record<string, { data_offsets: [number, number] }>;
  const biases = Object.entries(header).filter(([name]) => name.endsWith("k_proj.bias"));
  for (const [, { data_offsets: offsets }] of biases) {
    for (let channel = 0; offsets[0] + 4 * channel < offsets[1]; channel++)
      bytes.writeFloatLE(channel % headDim === leaning ? 12 : 0, 8 + headerBytes + offsets[0] + 4 * channel);
  }
  writeFileSync(file, bytes);
}
