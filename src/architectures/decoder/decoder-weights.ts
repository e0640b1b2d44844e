/**
 * @file Where each part of a decoder is found among a model's named tensors, and the check that every one has its
 * shape.
 */

import { BonsaiError } from "../../errors/bonsai-error.ts";
import type { WeightSource } from "../../formats/model-file.ts";
import type { DecoderConfig } from "./decoder-config.ts";

/** y = x Wᵀ + b. The tensors of `weights`, each [partOutputs_i, inputs], are stacked along their outputs. */
export interface LinearWeight {
  name: string;
  outputs: number;
  inputs: number;
  weights: readonly string[];
  /** One for each of `weights`. */
  partOutputs: readonly number[];
  biases: readonly string[];
}

export interface NormWeight {
  weight: string;
  bias: string | undefined;
}

export interface LayerWeights {
  inputNorm: NormWeight;
  /** Query, key and value in one product: outputs (heads + 2 kvHeads) * headDim. */
  queryKeyValue: LinearWeight;
  /** [headDim] each (Qwen3). */
  queryNorm: string | undefined;
  keyNorm: string | undefined;
  output: LinearWeight;
  mlpNorm: NormWeight;
  /** Gate and up in one product when the MLP is gated, else up alone. */
  up: LinearWeight;
  down: LinearWeight;
}

/** The linear layers of a block, in the order in which they are computed. */
export function linearsOf({
  queryKeyValue,
  output,
  up,
  down,
}: Pick<LayerWeights, "queryKeyValue" | "output" | "up" | "down">): LinearWeight[] {
  return [queryKeyValue, output, up, down];
}

export interface DecoderWeights {
  embedding: string;
  /** [contextLength, hiddenSize], learned positions. */
  positions: string | undefined;
  layers: LayerWeights[];
  finalNorm: NormWeight;
  head: LinearWeight;
}

/**
 * Names every weight of the config's architecture and checks its presence and shape. Throws `invalid_model_file` naming
 * the tensor.
 */
export function locateDecoderWeights(config: DecoderConfig, source: Pick<WeightSource, "infos">, path: string): DecoderWeights {
  requireShapes(decoderWeightShapes(config), source, path);
  return decoderWeightNames(config);
}

/** Checks presence and shape of every weight. Throws `invalid_model_file` naming the tensor. */
export function requireShapes(shapes: ReadonlyMap<string, readonly number[]>, source: Pick<WeightSource, "infos">, path: string): void {
  for (const [name, shape] of shapes) {
    const info = source.infos.get(name);
    if (info === undefined) throw new BonsaiError("invalid_model_file", `${path}: the tensor "${name}" is missing.`);
    if (info.shape.join() !== shape.join()) {
      throw new BonsaiError(
        "invalid_model_file",
        `${path}: the tensor "${name}" has shape [${info.shape.join(", ")}], not [${shape.join(", ")}].`,
      );
    }
  }
}

/** Where each part is, whether or not there are such weights yet. */
export function decoderWeightNames(config: DecoderConfig): DecoderWeights {
  return config.family === "gpt2" ? gpt2Names(config) : llamaNames(config);
}

/** The shape of every weight by its name, in PyTorch's layout; one that is used twice is there once. */
export function decoderWeightShapes(config: DecoderConfig): Map<string, readonly number[]> {
  const weights = decoderWeightNames(config);
  const shapes = new Map<string, readonly number[]>();
  const { hiddenSize, headDim, vocabSize } = config;
  const addNorm = (norm: NormWeight): void => {
    shapes.set(norm.weight, [hiddenSize]);
    if (norm.bias !== undefined) shapes.set(norm.bias, [hiddenSize]);
  };
  const addLinear = (linear: LinearWeight): void => {
    linear.weights.forEach((name, part) => shapes.set(name, [linear.partOutputs[part] as number, linear.inputs]));
    linear.biases.forEach((name, part) => shapes.set(name, [linear.partOutputs[part] as number]));
  };
  shapes.set(weights.embedding, [vocabSize, hiddenSize]);
  if (weights.positions !== undefined) shapes.set(weights.positions, [config.contextLength, hiddenSize]);
  for (const layer of weights.layers) {
    addNorm(layer.inputNorm);
    addNorm(layer.mlpNorm);
    for (const linear of linearsOf(layer)) addLinear(linear);
    if (layer.queryNorm !== undefined) shapes.set(layer.queryNorm, [headDim]);
    if (layer.keyNorm !== undefined) shapes.set(layer.keyNorm, [headDim]);
  }
  addNorm(weights.finalNorm);
  addLinear(weights.head);
  return shapes;
}

/** The stacked weight, fp32 [outputs, inputs]. */
export function loadLinear(source: WeightSource, linear: LinearWeight): Float32Array<ArrayBuffer> {
  return stack(source, linear.weights, linear.outputs * linear.inputs);
}

/** The stacked bias, fp32 [outputs], or undefined where the layer has none. */
export function loadBias(source: WeightSource, linear: LinearWeight): Float32Array<ArrayBuffer> | undefined {
  return linear.biases.length === 0 ? undefined : stack(source, linear.biases, linear.outputs);
}

function stack(source: WeightSource, names: readonly string[], length: number): Float32Array<ArrayBuffer> {
  const [only] = names;
  if (names.length === 1 && only !== undefined) return source.readFloat32(only);
  const stacked = new Float32Array(length);
  let offset = 0;
  for (const name of names) {
    const part = source.readFloat32(name);
    stacked.set(part, offset);
    offset += part.length;
  }
  return stacked;
}

function llamaNames(config: DecoderConfig): DecoderWeights {
  const { hiddenSize, heads, kvHeads, headDim, intermediateSize, vocabSize, biases } = config;
  const norm = (name: string): NormWeight => ({ weight: `${name}.weight`, bias: undefined });
  const linear = (name: string, parts: readonly string[], partOutputs: readonly number[], inputs: number, bias: boolean): LinearWeight => ({
    name,
    outputs: partOutputs.reduce((sum, outputs) => sum + outputs, 0),
    inputs,
    weights: parts.map((part) => `${part}.weight`),
    partOutputs,
    biases: bias ? parts.map((part) => `${part}.bias`) : [],
  });
  return {
    embedding: "model.embed_tokens.weight",
    positions: undefined,
    layers: Array.from({ length: config.layers }, (_, index) => {
      const layer = `model.layers.${index}`;
      const attention = `${layer}.self_attn`;
      const projections = ["q_proj", "k_proj", "v_proj"].map((part) => `${attention}.${part}`);
      const gateUp = ["gate_proj", "up_proj"].map((part) => `${layer}.mlp.${part}`);
      return {
        inputNorm: norm(`${layer}.input_layernorm`),
        queryKeyValue: linear(
          `${attention}.qkv`,
          projections,
          [heads, kvHeads, kvHeads].map((count) => count * headDim),
          hiddenSize,
          biases.qkv,
        ),
        queryNorm: config.queryKeyNorm ? `${attention}.q_norm.weight` : undefined,
        keyNorm: config.queryKeyNorm ? `${attention}.k_norm.weight` : undefined,
        output: linear(`${attention}.o_proj`, [`${attention}.o_proj`], [hiddenSize], heads * headDim, biases.output),
        mlpNorm: norm(`${layer}.post_attention_layernorm`),
        up: linear(`${layer}.mlp.gate_up`, gateUp, [intermediateSize, intermediateSize], hiddenSize, biases.mlp),
        down: linear(`${layer}.mlp.down_proj`, [`${layer}.mlp.down_proj`], [hiddenSize], intermediateSize, biases.mlp),
      };
    }),
    finalNorm: norm("model.norm"),
    head: linear("lm_head", [config.tiedEmbeddings ? "model.embed_tokens" : "lm_head"], [vocabSize], hiddenSize, false),
  };
}

function gpt2Names(config: DecoderConfig): DecoderWeights {
  const { hiddenSize, intermediateSize, vocabSize } = config;
  const norm = (name: string): NormWeight => ({ weight: `${name}.weight`, bias: `${name}.bias` });
  const linear = (name: string, outputs: number, inputs: number): LinearWeight => ({
    name,
    outputs,
    inputs,
    weights: [`${name}.weight`],
    partOutputs: [outputs],
    biases: [`${name}.bias`],
  });
  const headName = config.tiedEmbeddings ? "transformer.wte.weight" : "lm_head.weight";
  return {
    embedding: "transformer.wte.weight",
    positions: "transformer.wpe.weight",
    layers: Array.from({ length: config.layers }, (_, index) => {
      const layer = `transformer.h.${index}`;
      return {
        inputNorm: norm(`${layer}.ln_1`),
        queryKeyValue: linear(`${layer}.attn.c_attn`, 3 * hiddenSize, hiddenSize),
        queryNorm: undefined,
        keyNorm: undefined,
        output: linear(`${layer}.attn.c_proj`, hiddenSize, hiddenSize),
        mlpNorm: norm(`${layer}.ln_2`),
        up: linear(`${layer}.mlp.c_fc`, intermediateSize, hiddenSize),
        down: linear(`${layer}.mlp.c_proj`, hiddenSize, intermediateSize),
      };
    }),
    finalNorm: norm("transformer.ln_f"),
    head: { name: "lm_head", outputs: vocabSize, inputs: hiddenSize, weights: [headName], partOutputs: [vocabSize], biases: [] },
  };
}
