/**
 * @file The files of a trained reward model: a Hugging Face folder with a score or classifier, a PEFT adapter, or a
 * head.
 */

import { mkdirSync } from "node:fs";
import { join } from "node:path";

import type { JsonObject } from "../../formats/json-file.ts";
import { bytesAs, savedTypes, writeHuggingFaceFolder, writeTokenizer, type SavedType } from "../../formats/hugging-face-writer.ts";
import type { ModelFile } from "../../formats/model-file.ts";
import { classifierTensors, scoreTensor, writePeftAdapter } from "../../formats/peft-adapter.ts";
import { writeSafetensors } from "../../formats/safetensors/safetensors-writer.ts";
import { scoreFile } from "../../formats/safetensors/score-weight.ts";
import { onDisk, writeJsonFile } from "../../formats/written-file.ts";
import { Tokenizer } from "../../text/tokenizer/tokenizer.ts";
import type { StateTensor } from "../run/trainable-model.ts";
import { pairsOfFactors, type AdapterSettings } from "../model/trained-output.ts";

type Trained = ReadonlyMap<string, StateTensor>;

/** Classes of transformers by config.json's `model_type`. */
const classes: Readonly<Record<string, string>> = {
  llama: "LlamaForSequenceClassification",
  qwen2: "Qwen2ForSequenceClassification",
  qwen3: "Qwen3ForSequenceClassification",
  gpt2: "GPT2ForSequenceClassification",
  bert: "BertForSequenceClassification",
};

/** What config.json says of a model with an output for each dimension. */
function headConfig(base: ModelFile, dimensions: readonly string[]): JsonObject {
  return {
    architectures: [classes[String(base.config["model_type"])]],
    num_labels: dimensions.length,
    id2label: Object.fromEntries(dimensions.map((name, index) => [index, name])),
    label2id: Object.fromEntries(dimensions.map((name, index) => [name, index])),
  };
}

/**
 * Writes a decoder whose head is the trained `score.weight`.
 * @param padTokenId fills rows up for transformers, which reads a reward at the last token that is another one.
 * @throws BonsaiError `write_failed`.
 */
export function writeRewardDecoder(
  folder: string,
  base: ModelFile,
  trained: Trained,
  { dimensions, padTokenId, type }: { dimensions: readonly string[]; padTokenId: number; type: SavedType },
): void {
  const names = [...base.weights.infos.keys()].filter((name) => name !== "lm_head.weight" && name !== "score.weight");
  const weights = [...names, "score.weight"].map((name) => ({
    name,
    shape: trained.get(name)?.shape ?? base.weights.infos.get(name)!.shape,
    read: () => trained.get(name)?.data ?? base.weights.readFloat32(name),
  }));
  writeHuggingFaceFolder(folder, base, weights, type, { ...headConfig(base, dimensions), pad_token_id: padTokenId });
}

/** Writes the trained adapter with its score or classifier. @throws BonsaiError `write_failed`. */
export function writeRewardAdapter(folder: string, base: ModelFile, trained: Trained, settings: AdapterSettings, type: SavedType): void {
  const { data, shape } = (trained.get(scoreTensor) ?? trained.get(classifierTensors.weight))!;
  const score = { weight: data, outputs: shape[0]!, inputs: shape[1]!, bias: trained.get(classifierTensors.bias)?.data };
  writePeftAdapter(folder, { ...settings, pairs: pairsOfFactors(trained), score }, type, base.config["model_type"] === "gpt2");
  writeTokenizer(folder, base);
}

/**
 * Writes an encoder with the weights of `names`, of which the base may lack the pooler and the classifier.
 * @throws BonsaiError `write_failed`.
 */
export function writeRewardEncoder(
  folder: string,
  base: ModelFile,
  trained: Trained,
  { dimensions, type }: { dimensions: readonly string[]; type: SavedType },
): void {
  const weights = [...trained].map(([name, { shape, data }]) => ({ name, shape, read: () => data }));
  writeHuggingFaceFolder(folder, base, weights, type, { ...headConfig(base, dimensions), problem_type: "regression" });
}

/** Writes a head over a policy's hidden states. @throws BonsaiError `write_failed`. */
export function writeRewardHead(
  folder: string,
  policy: ModelFile,
  trained: Trained,
  { dimensions, type }: { dimensions: readonly string[]; type: SavedType },
): void {
  onDisk(folder, () => mkdirSync(folder, { recursive: true }));
  writeSafetensors(
    join(folder, scoreFile),
    [...trained].map(([name, { shape, data }]) => ({ name, dtype: savedTypes[type], shape, bytes: () => bytesAs(data, type) })),
  );
  const { architectures: _, ...labels } = headConfig(policy, dimensions);
  writeJsonFile(join(folder, "config.json"), {
    model_type: policy.config["model_type"],
    hidden_size: trained.get("score.weight")!.shape[1],
    ...labels,
  });
}

/**
 * A token that no answer ends with, as transformers looks for the last token that is no padding: the model's own
 * padding, another special token, or the first of the vocabulary.
 */
export function paddingToken({ config, tokenizer }: Pick<ModelFile, "config" | "tokenizer">, lastTokens: ReadonlySet<number>): number {
  const vocabulary = new Tokenizer(tokenizer);
  const named = ["pad_token", "unk_token", "bos_token", "eos_token"].flatMap((key) => {
    const value = tokenizer.tokenizerConfig[key];
    const content = typeof value === "object" && value !== null ? (value as { content?: unknown }).content : value;
    return typeof content === "string" ? (vocabulary.idOf(content) ?? []) : [];
  });
  const own = config["pad_token_id"];
  const candidates = [...(typeof own === "number" && own >= 0 ? [own] : []), ...named];
  const found = candidates.find((id) => !lastTokens.has(id));
  if (found !== undefined) return found;
  let id = 0;
  while (lastTokens.has(id)) id++;
  return id;
}
