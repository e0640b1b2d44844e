/** @file A BERT's config.json and weights become one description, or an error that names the key or the tensor. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { readBertConfig } from "../../../src/architectures/encoder/bert-config.ts";
import { bertWeightShapes, locateBertWeights } from "../../../src/architectures/encoder/bert-weights.ts";
import { BonsaiError } from "../../../src/errors/bonsai-error.ts";
import type { WeightInfo } from "../../../src/formats/model-file.ts";
import { openModel } from "../../../src/formats/open-model.ts";
import { fullWeightName } from "../../../src/formats/weight-names.ts";
import { bertPath } from "../bert-goldens.ts";

const json = JSON.parse(readFileSync(join(bertPath("classifier"), "config.json"), "utf8")) as Record<string, unknown>;

function refuses(config: Record<string, unknown>, code: string, message: RegExp): void {
  assert.throws(
    () => readBertConfig(config, "model"),
    (error) => error instanceof BonsaiError && error.code === code && message.test(error.message) && error.message.startsWith("model: "),
  );
}

describe("a BERT's config", () => {
  test("says sizes, activation and the names of the outputs", () => {
    const { headDim, contextLength, activation, norm, labels, padTokenId, dropout } = readBertConfig(json, "model");
    assert.deepEqual(
      { headDim, contextLength, activation, norm, labels, padTokenId, dropout },
      {
        headDim: 8,
        contextLength: 40,
        activation: "gelu",
        norm: { kind: "layer", epsilon: 1e-12 },
        labels: ["usefulness", "friendliness", "safety"],
        padTokenId: 0,
        dropout: { hidden: 0.1, classifier: 0.1 },
      },
    );
  });

  test("has transformers' defaults where a key is absent or null", () => {
    const absent = /^(?:type_vocab_size|layer_norm_eps|hidden_act|pad_token_id|id2label|position_embedding_type|is_decoder)$/;
    const bare = readBertConfig(
      { ...Object.fromEntries(Object.entries(json).filter(([key]) => !absent.test(key))), hidden_dropout_prob: 0.3 },
      "model",
    );
    assert.deepEqual(
      [bare.typeVocabSize, bare.norm.epsilon, bare.activation, bare.padTokenId, bare.labels, bare.dropout.classifier],
      [2, 1e-12, "gelu", 0, ["LABEL_0", "LABEL_1"], 0.3],
    );
    assert.deepEqual(readBertConfig({ ...json, id2label: null, num_labels: 1 }, "model").labels, ["LABEL_0"]);
    assert.equal(readBertConfig({ ...json, hidden_act: "gelu_pytorch_tanh" }, "model").activation, "gelu_tanh");
  });

  test("of a variant that the graphs do not compute is refused by name", () => {
    refuses({ ...json, model_type: "roberta" }, "unsupported_model", /model_type is "roberta"; supported: bert/);
    refuses({ ...json, hidden_act: "relu" }, "unsupported_model", /hidden_act is "relu"/);
    refuses({ ...json, position_embedding_type: "relative_key" }, "unsupported_model", /position_embedding_type/);
    refuses({ ...json, is_decoder: true }, "unsupported_model", /is_decoder/);
  });

  test("with a damaged value is refused before anything is allocated for it", () => {
    for (const value of [0, -1, 1.5, "64", 1e12, Number.NaN, [], {}]) {
      refuses({ ...json, hidden_size: value }, "invalid_model_file", /hidden_size must be an integer from 1 to/);
    }
    refuses(
      { ...json, num_attention_heads: 5 },
      "invalid_model_file",
      /hidden_size \(32\) must be a multiple of num_attention_heads \(5\)/,
    );
    refuses({ ...json, pad_token_id: 58 }, "invalid_model_file", /pad_token_id must be an integer from 0 to 57, not 58/);
    refuses({ ...json, hidden_dropout_prob: 1 }, "invalid_model_file", /hidden_dropout_prob must be a number from 0 to below 1/);
    refuses({ ...json, id2label: {} }, "invalid_model_file", /id2label must name from 1 to/);
    refuses({ ...json, id2label: { 0: "a", 2: "b" } }, "invalid_model_file", /id2label must have a string for each of "0" to "1"/);
    refuses({ ...json, id2label: { 0: 5 } }, "invalid_model_file", /id2label must have a string/);
  });
});

describe("a BERT's weights", () => {
  const file = openModel(bertPath("classifier"));
  file.weights.close();
  const config = readBertConfig(file.config, file.path);

  test("are all used by the classifier, and each is needed with its shape", () => {
    assert.deepEqual([...bertWeightShapes(config, "classifier").keys()].toSorted(), [...file.weights.infos.keys()].toSorted());
    for (const [name, info] of file.weights.infos) {
      const without = new Map(file.weights.infos);
      without.delete(name);
      const wrong = new Map(file.weights.infos).set(name, { ...info, shape: [...info.shape, 1] });
      for (const [infos, message] of [
        [without, /is missing/],
        [wrong, /has shape .*, not \[/],
      ] as const) {
        assert.throws(
          () => locateBertWeights(config, { infos }, "model", "classifier"),
          (error) =>
            error instanceof BonsaiError &&
            error.code === "invalid_model_file" &&
            error.message.includes(`"${name}"`) &&
            message.test(error.message),
        );
      }
    }
  });

  test("of the encoder alone need no pooler and no classifier", () => {
    const encoder = new Map<string, WeightInfo>([...file.weights.infos].filter(([name]) => !/pooler|classifier/.test(name)));
    assert.deepEqual([...bertWeightShapes(config, "encoder").keys()].toSorted(), [...encoder.keys()].toSorted());
    locateBertWeights(config, { infos: encoder }, "model", "encoder");
  });

  test("have one name, saved with or without the prefix, now or from TensorFlow; a list of places is no weight", () => {
    const norm = "bert.encoder.layer.0.output.LayerNorm.weight";
    for (const name of [norm, norm.slice(5), norm.replace("weight", "gamma")]) assert.equal(fullWeightName("bert", name), norm);
    assert.equal(fullWeightName("bert", "embeddings.LayerNorm.beta"), "bert.embeddings.LayerNorm.bias");
    assert.equal(fullWeightName("bert", "pooler.dense.bias"), "bert.pooler.dense.bias");
    assert.equal(fullWeightName("bert", "classifier.weight"), "classifier.weight");
    assert.equal(fullWeightName("bert", "embeddings.position_ids"), undefined);
    assert.equal(fullWeightName("bert", "bert.embeddings.position_ids"), undefined);
  });
});
