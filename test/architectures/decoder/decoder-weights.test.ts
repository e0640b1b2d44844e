/** @file Every weight is found under its name with its shape, or the error names the tensor. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { readDecoderConfig } from "../../../src/architectures/decoder/decoder-config.ts";
import { loadBias, loadLinear, locateDecoderWeights } from "../../../src/architectures/decoder/decoder-weights.ts";
import { BonsaiError } from "../../../src/errors/bonsai-error.ts";
import type { WeightInfo, WeightSource } from "../../../src/formats/model-file.ts";
import { makeTinyModel, type TinyModel, type TinyModelOptions } from "../../fixtures/tiny-model.ts";

/** A tiny model's weights without files. */
function sourceOf({ weights }: TinyModel): WeightSource & { infos: Map<string, WeightInfo> } {
  const byName = new Map(weights.map((weight) => [weight.name, weight]));
  return {
    infos: new Map(weights.map(({ name, shape }) => [name, { name, shape, dtype: "F32" }])),
    readRaw: (name) => new Uint8Array(byName.get(name)!.values.slice().buffer),
    readFloat32: (name) => byName.get(name)!.values.slice(),
    close: () => {},
  };
}

const shapes: TinyModelOptions[] = [
  { architecture: "llama" },
  { architecture: "llama", tieWordEmbeddings: false },
  { architecture: "qwen2" },
  { architecture: "qwen3" },
  { architecture: "gpt2" },
  { architecture: "gpt2", tieWordEmbeddings: false },
];

describe("a decoder's weights", () => {
  for (const shape of shapes) {
    test(`of ${JSON.stringify(shape)} are all used, and each is needed with its shape`, () => {
      const model = makeTinyModel(shape);
      const config = readDecoderConfig(model.config, "model");
      const located = JSON.stringify(locateDecoderWeights(config, sourceOf(model), "model"));
      for (const { name, shape: dimensions } of model.weights) {
        assert.ok(located.includes(JSON.stringify(name)), `${name} is not used`);
        const refuses = (change: (infos: Map<string, WeightInfo>) => void, message: RegExp): void => {
          const source = sourceOf(model);
          change(source.infos);
          assert.throws(
            () => locateDecoderWeights(config, source, "model"),
            (error) =>
              error instanceof BonsaiError &&
              error.code === "invalid_model_file" &&
              error.message.includes(`"${name}"`) &&
              message.test(error.message),
          );
        };
        refuses((infos) => infos.delete(name), /is missing/);
        refuses((infos) => infos.set(name, { name, dtype: "F32", shape: [...dimensions, 1] }), /has shape .*, not \[/);
        refuses((infos) => infos.set(name, { name, dtype: "F32", shape: dimensions.with(0, dimensions[0]! + 1) }), /has shape/);
      }
    });
  }

  test("are stacked along their outputs, and their biases too", () => {
    const model = makeTinyModel({ architecture: "qwen2" });
    const source = sourceOf(model);
    const { queryKeyValue, up } = locateDecoderWeights(readDecoderConfig(model.config, "model"), source, "model").layers[0]!;
    const read = (part: string): number[] => Array.from(source.readFloat32(`model.layers.0.${part}`));
    const parts = ["q", "k", "v"].map((part) => `self_attn.${part}_proj`);
    assert.deepEqual(
      Array.from(loadLinear(source, queryKeyValue)),
      parts.flatMap((part) => read(`${part}.weight`)),
    );
    assert.deepEqual(
      Array.from(loadBias(source, queryKeyValue)!),
      parts.flatMap((part) => read(`${part}.bias`)),
    );
    assert.deepEqual(Array.from(loadLinear(source, up)), [...read("mlp.gate_proj.weight"), ...read("mlp.up_proj.weight")]);
    assert.equal(loadBias(source, up), undefined);
  });
});
