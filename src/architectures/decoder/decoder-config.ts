/**
 * @file One description of the decoders we run: what Llama, Qwen2, Qwen3 and GPT-2 have in common, and where they
 * differ.
 */

import { BonsaiError } from "../../errors/bonsai-error.ts";
import { ConfigReader } from "../config-reader.ts";
import { readRotary, type RotaryConfig } from "./rotary.ts";

export interface DecoderConfig {
  family: DecoderFamily;
  hiddenSize: number;
  layers: number;
  /** Query heads. */
  heads: number;
  /** Key/value heads; each serves heads / kvHeads query heads (GQA, Ainslie et al. 2023). */
  kvHeads: number;
  headDim: number;
  intermediateSize: number;
  vocabSize: number;
  /** Most positions that the model was made for. */
  contextLength: number;
  norm: { kind: "rms" | "layer"; epsilon: number };
  position: { kind: "rotary"; rotary: RotaryConfig } | { kind: "learned" };
  /** gated: down(act(gate(x)) * up(x)), SwiGLU (Shazeer 2020); plain: down(act(up(x))). */
  mlp: { kind: "gated"; activation: "silu" } | { kind: "plain"; activation: "gelu_tanh" };
  biases: { qkv: boolean; output: boolean; mlp: boolean };
  /** RMS norm of each query and key head before the rotation (Qwen3). */
  queryKeyNorm: boolean;
  /** The output projection is the embedding table. */
  tiedEmbeddings: boolean;
}

export const decoderFamilies = ["llama", "qwen2", "qwen3", "gpt2"] as const;
export type DecoderFamily = (typeof decoderFamilies)[number];

/** Limits that no real model reaches: a config beyond them is damaged, and nothing is allocated for it. */
const limits = {
  hiddenSize: 65_536,
  layers: 512,
  heads: 1024,
  headDim: 1024,
  intermediateSize: 1 << 20,
  vocabSize: 1 << 22,
  contextLength: 1 << 24,
};

/** Reads a Hugging Face config.json. Throws `unsupported_model` or `invalid_model_file` naming the key. */
export function readDecoderConfig(json: Record<string, unknown>, path: string): DecoderConfig {
  const reader = new ConfigReader(json, path);
  const family = reader.choice("model_type", decoderFamilies);
  const config = family === "gpt2" ? readGpt2(reader) : readLlamaLike(reader, family);
  if (config.heads % config.kvHeads !== 0) {
    throw new BonsaiError(
      "invalid_model_file",
      `${path}: num_attention_heads (${config.heads}) must be a multiple of num_key_value_heads (${config.kvHeads}).`,
    );
  }
  if (config.headDim % 2 !== 0) throw new BonsaiError("invalid_model_file", `${path}: head_dim (${config.headDim}) must be even.`);
  return config;
}

function readLlamaLike(reader: ConfigReader, family: Exclude<DecoderFamily, "gpt2">): DecoderConfig {
  reader.choice("hidden_act", ["silu"], "silu");
  reader.mustBe("use_sliding_window", false);
  if (family === "llama") reader.mustBe("mlp_bias", false);
  const hiddenSize = reader.size("hidden_size", limits.hiddenSize);
  const heads = reader.size("num_attention_heads", limits.heads);
  // Qwen2's code has these three biases whatever its config says.
  const attentionBias = family !== "qwen2" && reader.flag("attention_bias", false);
  return {
    family,
    hiddenSize,
    heads,
    layers: reader.size("num_hidden_layers", limits.layers),
    kvHeads: reader.size("num_key_value_heads", limits.heads, heads),
    headDim: reader.size("head_dim", limits.headDim, hiddenSize / heads),
    intermediateSize: reader.size("intermediate_size", limits.intermediateSize),
    vocabSize: reader.size("vocab_size", limits.vocabSize),
    contextLength: reader.size("max_position_embeddings", limits.contextLength),
    norm: { kind: "rms", epsilon: reader.positive("rms_norm_eps", 1e-6, 1) },
    position: { kind: "rotary", rotary: readRotary(reader) },
    mlp: { kind: "gated", activation: "silu" },
    biases: { qkv: attentionBias || family === "qwen2", output: attentionBias, mlp: false },
    queryKeyNorm: family === "qwen3",
    tiedEmbeddings: reader.flag("tie_word_embeddings", false),
  };
}

function readGpt2(reader: ConfigReader): DecoderConfig {
  reader.choice("activation_function", ["gelu_new", "gelu_pytorch_tanh"], "gelu_new");
  reader.mustBe("scale_attn_by_inverse_layer_idx", false);
  reader.mustBe("reorder_and_upcast_attn", false);
  const hiddenSize = reader.size("n_embd", limits.hiddenSize);
  const heads = reader.size("n_head", limits.heads);
  return {
    family: "gpt2",
    hiddenSize,
    heads,
    layers: reader.size("n_layer", limits.layers),
    kvHeads: heads,
    headDim: hiddenSize / heads,
    intermediateSize: reader.size("n_inner", limits.intermediateSize, 4 * hiddenSize),
    vocabSize: reader.size("vocab_size", limits.vocabSize),
    contextLength: reader.size("n_positions", limits.contextLength),
    norm: { kind: "layer", epsilon: reader.positive("layer_norm_epsilon", 1e-5, 1) },
    position: { kind: "learned" },
    mlp: { kind: "plain", activation: "gelu_tanh" },
    biases: { qkv: true, output: true, mlp: true },
    queryKeyNorm: false,
    tiedEmbeddings: reader.flag("tie_word_embeddings", true),
  };
}
