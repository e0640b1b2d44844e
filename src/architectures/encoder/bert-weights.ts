/**
 * @file Where each part of a BERT is found among a model's named tensors, and the check that every one has its shape.
 */

import type { WeightSource } from "../../formats/model-file.ts";
import type { BertConfig } from "./bert-config.ts";
import { linearsOf, requireShapes, type LinearWeight, type NormWeight } from "../decoder/decoder-weights.ts";

export interface BertLayerWeights {
  /** Query, key and value in one product: outputs 3 hiddenSize. */
  queryKeyValue: LinearWeight;
  output: LinearWeight;
  /** The norm of the sum of a layer's input and what attention adds. */
  attentionNorm: NormWeight;
  up: LinearWeight;
  down: LinearWeight;
  /** The norm of the sum of that and what the MLP adds. */
  outputNorm: NormWeight;
}

export interface BertWeights {
  /** [vocabSize, hiddenSize]. */
  embedding: string;
  /** [contextLength, hiddenSize]. */
  positions: string;
  /** [typeVocabSize, hiddenSize]. */
  types: string;
  embeddingNorm: NormWeight;
  layers: BertLayerWeights[];
  /** Reads the state of the first place; tanh follows. */
  pooler: LinearWeight;
  /** [labels, hiddenSize] and its bias. */
  classifier: LinearWeight;
}

/** What is needed of a model: its hidden states alone, the pooler over them too, or also the classifier. */
export type BertParts = "encoder" | "pooled" | "classifier";

/**
 * Names every weight of the config's architecture, as transformers' BertForSequenceClassification has them (a bare
 * BertModel's names get their `bert.` when its folder is opened), and checks presence and shape. Throws
 * `invalid_model_file` naming the tensor.
 */
export function locateBertWeights(config: BertConfig, source: Pick<WeightSource, "infos">, path: string, parts: BertParts): BertWeights {
  requireShapes(bertWeightShapes(config, parts), source, path);
  return bertWeightNames(config);
}

/** Where each part is, whether or not there are such weights yet. */
export function bertWeightNames(config: BertConfig): BertWeights {
  const { hiddenSize, intermediateSize, labels } = config;
  const norm = (name: string): NormWeight => ({ weight: `${name}.weight`, bias: `${name}.bias` });
  const stacked = (name: string, parts: readonly string[], partOutputs: number, inputs: number): LinearWeight => ({
    name,
    outputs: parts.length * partOutputs,
    inputs,
    weights: parts.map((part) => `${part}.weight`),
    partOutputs: parts.map(() => partOutputs),
    biases: parts.map((part) => `${part}.bias`),
  });
  const linear = (name: string, outputs: number, inputs: number): LinearWeight => stacked(name, [name], outputs, inputs);
  return {
    embedding: "bert.embeddings.word_embeddings.weight",
    positions: "bert.embeddings.position_embeddings.weight",
    types: "bert.embeddings.token_type_embeddings.weight",
    embeddingNorm: norm("bert.embeddings.LayerNorm"),
    layers: Array.from({ length: config.layers }, (_, index) => {
      const layer = `bert.encoder.layer.${index}`;
      const projections = ["query", "key", "value"].map((part) => `${layer}.attention.self.${part}`);
      return {
        queryKeyValue: stacked(`${layer}.attention.self.qkv`, projections, hiddenSize, hiddenSize),
        output: linear(`${layer}.attention.output.dense`, hiddenSize, hiddenSize),
        attentionNorm: norm(`${layer}.attention.output.LayerNorm`),
        up: linear(`${layer}.intermediate.dense`, intermediateSize, hiddenSize),
        down: linear(`${layer}.output.dense`, hiddenSize, intermediateSize),
        outputNorm: norm(`${layer}.output.LayerNorm`),
      };
    }),
    pooler: linear("bert.pooler.dense", hiddenSize, hiddenSize),
    classifier: linear("classifier", labels.length, hiddenSize),
  };
}

/** The shape of every weight by its name, in PyTorch's layout. */
export function bertWeightShapes(config: BertConfig, parts: BertParts): Map<string, readonly number[]> {
  const { hiddenSize, vocabSize, contextLength, typeVocabSize } = config;
  const weights = bertWeightNames(config);
  const shapes = new Map<string, readonly number[]>([
    [weights.embedding, [vocabSize, hiddenSize]],
    [weights.positions, [contextLength, hiddenSize]],
    [weights.types, [typeVocabSize, hiddenSize]],
  ]);
  const norms = [weights.embeddingNorm, ...weights.layers.flatMap((layer) => [layer.attentionNorm, layer.outputNorm])];
  for (const { weight, bias } of norms) shapes.set(weight, [hiddenSize]).set(bias as string, [hiddenSize]);
  const linears = weights.layers.flatMap(linearsOf);
  if (parts !== "encoder") linears.push(weights.pooler);
  if (parts === "classifier") linears.push(weights.classifier);
  for (const linear of linears) {
    linear.weights.forEach((name, part) => shapes.set(name, [linear.partOutputs[part] as number, linear.inputs]));
    linear.biases.forEach((name, part) => shapes.set(name, [linear.partOutputs[part] as number]));
  }
  return shapes;
}
