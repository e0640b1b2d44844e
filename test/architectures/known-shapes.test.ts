/**
 * @file ONNX Runtime knows the shapes of all that layers compute. It searches each buffer that it may reuse for each
 * value of unknown shape in vain, so that a session took a time that grew with the square of the layers.
 */

import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { load } from "../engine/tiny-engine.ts";
import { temporaryFolder } from "../fixtures/temporary-folder.ts";
import { writeTinyModel, type TinyModelOptions } from "../fixtures/tiny-model.ts";
import { unknownShapes } from "./known-shapes.ts";

const folder = temporaryFolder();

/** Values of unknown shape in the decoder's graph. */
async function unknownOf(tiny: TinyModelOptions, quantization: "fp32" | "q8" | "w8a8"): Promise<string[]> {
  const path = join(folder, JSON.stringify(tiny).replaceAll(/[^a-z0-9]+/gi, "-"));
  const cacheDir = join(folder, `${path}-${quantization}`);
  writeTinyModel(path, tiny);
  await (await load(path, cacheDir, { quantization })).device.dispose();
  return unknownShapes(join(cacheDir, readdirSync(cacheDir)[0]!, "decoder.onnx"));
}

describe("a decoder's layers have no value of unknown shape", () => {
  const shapes: TinyModelOptions[] = [
    { architecture: "llama" },
    { architecture: "qwen2" },
    { architecture: "qwen3", keyValueHeads: 1 },
    { architecture: "gpt2" },
  ];
  for (const shape of shapes) {
    for (const quantization of ["fp32", "q8", "w8a8"] as const) {
      test(`${JSON.stringify(shape)} in ${quantization}`, async () => {
        const [few, many] = [
          await unknownOf({ ...shape, layers: 2 }, quantization),
          await unknownOf({ ...shape, layers: 5 }, quantization),
        ];
        assert.deepEqual(many.toSorted(), few.toSorted());
      });
    }
  }
});
