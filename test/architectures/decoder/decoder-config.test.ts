/** @file config.json becomes the one description of differences, or an error that names the key. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { readDecoderConfig } from "../../../src/architectures/decoder/decoder-config.ts";
import { BonsaiError } from "../../../src/errors/bonsai-error.ts";
import { makeTinyModel } from "../../fixtures/tiny-model.ts";

const llama = makeTinyModel().config;
const gpt2 = makeTinyModel({ architecture: "gpt2" }).config;

const without = (config: Record<string, unknown>, ...keys: string[]): Record<string, unknown> =>
  Object.fromEntries(Object.entries(config).filter(([key]) => !keys.includes(key)));

function refuses(config: Record<string, unknown>, code: string, message: RegExp): void {
  assert.throws(
    () => readDecoderConfig(config, "model"),
    (error) => error instanceof BonsaiError && error.code === code && message.test(error.message) && error.message.startsWith("model: "),
  );
}

describe("a decoder's config", () => {
  test("has what its architecture implies", () => {
    const differences = (["llama", "qwen2", "qwen3", "gpt2"] as const).map((architecture) => {
      const { norm, position, mlp, biases, queryKeyNorm } = readDecoderConfig(makeTinyModel({ architecture }).config, "model");
      return [architecture, norm.kind, position.kind, mlp.kind, biases.qkv, biases.output, biases.mlp, queryKeyNorm];
    });
    assert.deepEqual(differences, [
      ["llama", "rms", "rotary", "gated", false, false, false, false],
      ["qwen2", "rms", "rotary", "gated", true, false, false, false],
      ["qwen3", "rms", "rotary", "gated", false, false, false, true],
      ["gpt2", "layer", "learned", "plain", true, true, true, false],
    ]);
  });

  test("has transformers' defaults where a key is absent or null", () => {
    const bare = readDecoderConfig(
      {
        ...without(llama, "num_key_value_heads", "head_dim", "rope_theta", "rope_scaling", "tie_word_embeddings", "rms_norm_eps"),
        hidden_act: null,
      },
      "model",
    );
    assert.deepEqual([bare.kvHeads, bare.headDim, bare.tiedEmbeddings, bare.norm.epsilon], [4, 16, false, 1e-6]);
    assert.deepEqual(bare.position, { kind: "rotary", rotary: { theta: 10_000, scaling: { kind: "none" } } });
    const bareGpt2 = readDecoderConfig(
      { ...without(gpt2, "tie_word_embeddings", "layer_norm_epsilon", "activation_function"), n_inner: null },
      "model",
    );
    assert.deepEqual([bareGpt2.intermediateSize, bareGpt2.tiedEmbeddings, bareGpt2.norm.epsilon], [256, true, 1e-5]);
  });

  test("reads rotary scaling as transformers 4 and 5 write it", () => {
    const scaling = { factor: 8, low_freq_factor: 1, high_freq_factor: 4, original_max_position_embeddings: 64 };
    const old = readDecoderConfig({ ...llama, rope_theta: 500_000, rope_scaling: { ...scaling, rope_type: "llama3" } }, "model");
    const current = readDecoderConfig(
      { ...without(llama, "rope_theta", "rope_scaling"), rope_parameters: { ...scaling, rope_theta: 500_000, rope_type: "llama3" } },
      "model",
    );
    assert.deepEqual(current, old);
    assert.deepEqual(old.position, {
      kind: "rotary",
      rotary: {
        theta: 500_000,
        scaling: { kind: "llama3", factor: 8, lowFrequencyFactor: 1, highFrequencyFactor: 4, originalContextLength: 64 },
      },
    });
    const linear = readDecoderConfig({ ...llama, rope_scaling: { type: "linear", factor: 2 } }, "model");
    assert.deepEqual(linear.position.kind === "rotary" && linear.position.rotary.scaling, { kind: "linear", factor: 2 });
  });

  test("of an architecture or a variant that the graphs do not compute is refused by name", () => {
    refuses({ ...llama, model_type: "mamba" }, "unsupported_model", /model_type is "mamba"; supported: llama, qwen2, qwen3, gpt2/);
    refuses(without(llama, "model_type"), "unsupported_model", /model_type is absent/);
    refuses({ ...llama, hidden_act: "gelu" }, "unsupported_model", /hidden_act is "gelu"/);
    refuses({ ...llama, mlp_bias: true }, "unsupported_model", /mlp_bias/);
    refuses({ ...llama, use_sliding_window: true }, "unsupported_model", /use_sliding_window/);
    refuses({ ...llama, rope_scaling: { rope_type: "yarn", factor: 4 } }, "unsupported_model", /rope_type is "yarn"/);
    refuses({ ...gpt2, scale_attn_by_inverse_layer_idx: true }, "unsupported_model", /scale_attn_by_inverse_layer_idx/);
  });

  test("with a damaged value is refused before anything is allocated for it", () => {
    for (const value of [0, -1, 1.5, "64", null, 1e12, Number.NaN, [], {}]) {
      refuses({ ...llama, hidden_size: value }, "invalid_model_file", /hidden_size must be an integer from 1 to/);
    }
    refuses(without(llama, "vocab_size"), "invalid_model_file", /vocab_size .* absent/);
    refuses(
      { ...llama, num_key_value_heads: 3 },
      "invalid_model_file",
      /num_attention_heads \(4\) must be a multiple of num_key_value_heads \(3\)/,
    );
    refuses({ ...llama, head_dim: 15 }, "invalid_model_file", /head_dim/);
    refuses({ ...without(llama, "head_dim"), hidden_size: 66 }, "invalid_model_file", /head_dim/);
    refuses({ ...llama, rms_norm_eps: -1 }, "invalid_model_file", /rms_norm_eps/);
    refuses({ ...llama, rope_scaling: "linear" }, "invalid_model_file", /rope_scaling must be an object/);
    refuses({ ...llama, rope_scaling: { type: "linear" } }, "invalid_model_file", /factor/);
    refuses({ ...llama, tie_word_embeddings: "yes" }, "invalid_model_file", /tie_word_embeddings must be true or false/);
    refuses({ ...gpt2, n_embd: 62 }, "invalid_model_file", /head_dim/);
  });
});
