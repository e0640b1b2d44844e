/**
 * @file One description of the encoders we run: BERT (Devlin et al. 2019), whose layers look at all places of a row and
 * normalise after each sum.
 */

import { BonsaiError } from "../../errors/bonsai-error.ts";
import { ConfigReader } from "../config-reader.ts";

export interface BertConfig {
  hiddenSize: number;
  layers: number;
  heads: number;
  headDim: number;
  intermediateSize: number;
  vocabSize: number;
  /** Kinds of places, such as first and second text of a pair. */
  typeVocabSize: number;
  /** Most places of a row: positions are learned. */
  contextLength: number;
  norm: { kind: "layer"; epsilon: number };
  /** gelu is the exact one, x Φ(x); gelu_tanh its approximation (Hendrycks and Gimpel 2016). */
  activation: "gelu" | "gelu_tanh";
  /** The token that fills rows up. Its value does not matter, since padding is masked. */
  padTokenId: number;
  /** Dropout of hidden states and of what enters the classifier, in training. */
  dropout: { hidden: number; classifier: number };
  /** Names of the classifier's outputs, in their order: one for each dimension of a reward. */
  labels: readonly string[];
}

/** Limits that no real model reaches: a config beyond them is damaged, and nothing is allocated for it. */
const limits = {
  hiddenSize: 65_536,
  layers: 512,
  heads: 1024,
  intermediateSize: 1 << 20,
  vocabSize: 1 << 22,
  typeVocabSize: 1024,
  contextLength: 1 << 20,
  labels: 4096,
};

/**
 * Reads a Hugging Face config.json of `model_type` bert. Throws `unsupported_model` or `invalid_model_file` naming the
 * key.
 */
export function readBertConfig(json: Record<string, unknown>, path: string): BertConfig {
  const reader = new ConfigReader(json, path);
  reader.choice("model_type", ["bert"]);
  reader.choice("position_embedding_type", ["absolute"], "absolute");
  reader.mustBe("is_decoder", false);
  reader.mustBe("add_cross_attention", false);
  const hiddenSize = reader.size("hidden_size", limits.hiddenSize);
  const heads = reader.size("num_attention_heads", limits.heads);
  if (hiddenSize % heads !== 0) {
    throw new BonsaiError(
      "invalid_model_file",
      `${path}: hidden_size (${hiddenSize}) must be a multiple of num_attention_heads (${heads}).`,
      {
        param: "hidden_size",
      },
    );
  }
  const vocabSize = reader.size("vocab_size", limits.vocabSize);
  const hiddenDropout = reader.share("hidden_dropout_prob", 0.1);
  return {
    hiddenSize,
    heads,
    vocabSize,
    headDim: hiddenSize / heads,
    layers: reader.size("num_hidden_layers", limits.layers),
    intermediateSize: reader.size("intermediate_size", limits.intermediateSize),
    typeVocabSize: reader.size("type_vocab_size", limits.typeVocabSize, 2),
    contextLength: reader.size("max_position_embeddings", limits.contextLength),
    norm: { kind: "layer", epsilon: reader.positive("layer_norm_eps", 1e-12, 1) },
    activation: reader.choice("hidden_act", ["gelu", "gelu_new", "gelu_pytorch_tanh"], "gelu") === "gelu" ? "gelu" : "gelu_tanh",
    padTokenId: reader.index("pad_token_id", vocabSize, 0),
    dropout: { hidden: hiddenDropout, classifier: reader.share("classifier_dropout", hiddenDropout) },
    labels: readLabels(reader, path),
  };
}

/** `id2label` of config.json counts before `num_labels`, and transformers' own default is two. */
function readLabels(reader: ConfigReader, path: string): string[] {
  const named = reader.object("id2label");
  const count = named === undefined ? reader.size("num_labels", limits.labels, 2) : Object.keys(named).length;
  if (count < 1 || count > limits.labels) {
    throw new BonsaiError("invalid_model_file", `${path}: id2label must name from 1 to ${limits.labels} outputs, not ${count}.`, {
      param: "id2label",
    });
  }
  return Array.from({ length: count }, (_, index) => {
    const label = named === undefined ? `LABEL_${index}` : Object.hasOwn(named, String(index)) ? named[String(index)] : undefined;
    if (typeof label === "string") return label;
    throw new BonsaiError("invalid_model_file", `${path}: id2label must have a string for each of "0" to "${count - 1}".`, {
      param: "id2label",
    });
  });
}
