/** @file From a GGUF's metadata to the keys of Hugging Face's config.json, for the architectures that are supported. */

import { BonsaiError } from "../../errors/bonsai-error.ts";
import type { GgufFile } from "./gguf.ts";
import type { GgufMetadata } from "./gguf-metadata.ts";
import type { JsonObject } from "../json-file.ts";
import { ropeScalingOfFactors } from "./gguf-rope-factors.ts";

/**
 * `general.architecture` values that are supported, with transformers' class names. The names are also transformers'
 * `model_type`.
 */
const classNames = {
  llama: "LlamaForCausalLM",
  qwen2: "Qwen2ForCausalLM",
  qwen3: "Qwen3ForCausalLM",
  gpt2: "GPT2LMHeadModel",
} as const;

export type GgufArchitecture = keyof typeof classNames;

/** The architecture. @throws BonsaiError `unsupported_model` that lists the supported ones. */
export function ggufArchitecture(path: string, metadata: GgufMetadata): GgufArchitecture {
  const architecture = metadata.string("general.architecture") ?? metadata.fail("general.architecture", "is absent.");
  if (Object.hasOwn(classNames, architecture)) return architecture as GgufArchitecture;
  throw new BonsaiError(
    "unsupported_model",
    `${path}: the architecture ${JSON.stringify(architecture)} is not supported; supported are ${Object.keys(classNames).join(", ")}.`,
  );
}

/**
 * The config.json of the model.
 * @param ropeFactors The values of `rope_freqs.weight` where the file has it.
 * @throws BonsaiError `invalid_model_file` when a key is absent or makes no sense; `unsupported_model` for mixtures of
 * experts, partial rotary embeddings and the like.
 */
export function ggufConfig(path: string, file: GgufFile, ropeFactors: Float32Array | undefined): JsonObject {
  const { metadata, tensors } = file;
  const architecture = ggufArchitecture(path, metadata);
  const splits = metadata.integer("split.count") ?? 1;
  if (splits > 1) metadata.unsupported("split.count", `is ${splits}: merge the parts into one file first (llama-gguf-split --merge).`);
  const experts = metadata.integer(`${architecture}.expert_count`) ?? 0;
  if (experts > 0) metadata.unsupported(`${architecture}.expert_count`, `is ${experts}: mixtures of experts are not supported.`);

  const embedding = tensors.get("token_embd.weight");
  if (embedding === undefined) throw new BonsaiError("invalid_model_file", `${path} has no tensor "token_embd.weight".`);
  const hiddenSize = required(metadata, `${architecture}.embedding_length`);
  const [vocabSize, rowLength] = embedding.shape;
  if (embedding.shape.length !== 2 || rowLength !== hiddenSize) {
    throw new BonsaiError(
      "invalid_model_file",
      `${path}: tensor "token_embd.weight" has the shape [${embedding.shape.join(", ")}] instead of [vocabulary, ${hiddenSize}].`,
    );
  }
  const dimensions: Dimensions = {
    hiddenSize,
    layers: required(metadata, `${architecture}.block_count`),
    heads: required(metadata, `${architecture}.attention.head_count`),
    intermediateSize: required(metadata, `${architecture}.feed_forward_length`),
    contextLength: required(metadata, `${architecture}.context_length`),
  };
  return {
    model_type: architecture,
    architectures: [classNames[architecture]],
    ...(architecture === "gpt2" ? gpt2Keys(metadata, dimensions) : llamaLikeKeys(path, architecture, file, dimensions, ropeFactors)),
    vocab_size: vocabSize,
    tie_word_embeddings: !tensors.has("output.weight"),
    ...definedKeys({
      bos_token_id: metadata.integer("tokenizer.ggml.bos_token_id"),
      eos_token_id: metadata.integer("tokenizer.ggml.eos_token_id"),
      pad_token_id: metadata.integer("tokenizer.ggml.padding_token_id"),
    }),
  };
}

interface Dimensions {
  hiddenSize: number;
  layers: number;
  heads: number;
  intermediateSize: number;
  contextLength: number;
}

function gpt2Keys(metadata: GgufMetadata, dimensions: Dimensions): JsonObject {
  const { hiddenSize, heads } = dimensions;
  if (hiddenSize % heads !== 0)
    metadata.fail("gpt2.attention.head_count", `is ${heads}, which does not divide the embedding length ${hiddenSize}.`);
  return {
    activation_function: "gelu_new",
    n_embd: hiddenSize,
    n_layer: dimensions.layers,
    n_head: heads,
    n_inner: dimensions.intermediateSize,
    n_positions: dimensions.contextLength,
    n_ctx: dimensions.contextLength,
    layer_norm_epsilon: shortest(metadata.number("gpt2.attention.layer_norm_epsilon") ?? 1e-5),
  };
}

function llamaLikeKeys(
  path: string,
  architecture: GgufArchitecture,
  file: GgufFile,
  dimensions: Dimensions,
  ropeFactors: Float32Array | undefined,
): JsonObject {
  const { metadata, tensors } = file;
  const { hiddenSize, heads } = dimensions;
  const key = (name: string): string => `${architecture}.${name}`;
  const keyValueHeads = metadata.integer(key("attention.head_count_kv"), 1) ?? heads;
  if (heads % keyValueHeads !== 0)
    metadata.fail(key("attention.head_count_kv"), `is ${keyValueHeads}, which does not divide the ${heads} heads.`);
  const headDim = metadata.integer(key("attention.key_length"), 1) ?? hiddenSize / heads;
  if (!Number.isInteger(headDim) || headDim % 2 !== 0)
    metadata.fail(key("attention.head_count"), `is ${heads}, which gives heads of ${headDim} values of ${hiddenSize}; they must be even.`);
  const valueLength = metadata.integer(key("attention.value_length"), 1) ?? headDim;
  if (valueLength !== headDim) metadata.unsupported(key("attention.value_length"), `is ${valueLength}, other than the ${headDim} of keys.`);
  const rotaryLength = metadata.integer(key("rope.dimension_count"), 1) ?? headDim;
  if (rotaryLength !== headDim)
    metadata.unsupported(
      key("rope.dimension_count"),
      `is ${rotaryLength}: rotary embeddings of a part of the head (${headDim}) are not supported.`,
    );
  const ropeTheta = shortest(metadata.number(key("rope.freq_base")) ?? 10000);
  const epsilon =
    metadata.number(key("attention.layer_norm_rms_epsilon")) ?? metadata.fail(key("attention.layer_norm_rms_epsilon"), "is absent.");
  const ropeScaling =
    ropeFactors === undefined ? ropeScalingOfMetadata(metadata, architecture) : ropeScalingOfFactors(path, ropeFactors, headDim, ropeTheta);
  return {
    hidden_act: "silu",
    hidden_size: hiddenSize,
    intermediate_size: dimensions.intermediateSize,
    num_hidden_layers: dimensions.layers,
    num_attention_heads: heads,
    num_key_value_heads: keyValueHeads,
    head_dim: headDim,
    max_position_embeddings: dimensions.contextLength,
    rms_norm_eps: shortest(epsilon),
    rope_theta: ropeTheta,
    rope_scaling: ropeScaling,
    attention_bias: tensors.has("blk.0.attn_q.bias"),
    mlp_bias: tensors.has("blk.0.ffn_up.bias"),
    ...definedKeys({ sliding_window: metadata.integer(key("attention.sliding_window")) }),
  };
}

/** `rope_scaling` of config.json from `ARCH.rope.scaling.*` (gguf.md, "RoPE"), or null. */
function ropeScalingOfMetadata(metadata: GgufMetadata, architecture: string): JsonObject | null {
  const key = (name: string): string => `${architecture}.rope.${name}`;
  const type = metadata.string(key("scaling.type")) ?? (metadata.has(key("scale_linear")) ? "linear" : "none");
  if (type === "none") return null;
  const factor =
    metadata.number(key("scaling.factor")) ?? metadata.number(key("scale_linear")) ?? metadata.fail(key("scaling.factor"), "is absent.");
  if (type === "linear") return { rope_type: "linear", factor: shortest(factor) };
  if (type !== "yarn")
    return metadata.unsupported(key("scaling.type"), `is ${JSON.stringify(type)}; supported are "none", "linear" and "yarn".`);
  return {
    rope_type: "yarn",
    factor: shortest(factor),
    ...definedKeys({
      original_max_position_embeddings: metadata.integer(key("scaling.original_context_length"), 1),
      attention_factor: metadata.number(key("scaling.attn_factor")),
      beta_fast: metadata.number(key("scaling.yarn_beta_fast")),
      beta_slow: metadata.number(key("scaling.yarn_beta_slow")),
    }),
  };
}

function required(metadata: GgufMetadata, key: string): number {
  const value = metadata.integer(key, 1) ?? metadata.fail(key, "is absent.");
  // Sizes are multiplied further on; this keeps the products exact.
  return value <= 2 ** 31 ? value : metadata.fail(key, `is ${value}, more than any model has.`);
}

/**
 * A number stored as fp32 in the shortest decimal form that is the same fp32: 1e-5 rather than 9.999999747378752e-6.
 */
function shortest(value: number): number {
  const short = Number(value.toPrecision(7));
  return Math.fround(short) === Math.fround(value) ? short : value;
}

function definedKeys(object: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined));
}
