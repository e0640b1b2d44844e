/**
 * @file A BERT with a classifier as a reward model under training: all weights, or LoRA's factors and the classifier.
 */

import type { BertConfig } from "../../architectures/encoder/bert-config.ts";
import { locateBertWeights } from "../../architectures/encoder/bert-weights.ts";
import { checkTargets, type TrainedWeight } from "../../architectures/training/trained-weights.ts";
import { buildTrainingBert } from "../../architectures/training/training-bert.ts";
import { initialLoraA, normalValues } from "../model/decoder-initial-weights.ts";
import type { ModelTrainingOptions } from "../model/open-graphs.ts";
import { openRewardModel, type RewardLossOptions, type TrainableRewardModel } from "./model.ts";

export interface RewardEncoderOptions extends ModelTrainingOptions, RewardLossOptions {
  config: BertConfig;
  /** Standard deviation of new matrices, which are normal; new biases begin at zero. */
  deviation: number;
}

/**
 * The classifier is new, and so is the pooler where the model has none; LoRA needs one, since it would be left as it
 * was drawn. Errors and files as `createTrainableDecoder`.
 */
export async function createRewardEncoder(options: RewardEncoderOptions): Promise<TrainableRewardModel> {
  const { config, mode, rows, length, sizes } = options;
  const weights = locateBertWeights(config, options.weights, options.path, mode.kind === "lora" ? "pooled" : "encoder");
  if (mode.kind === "lora") checkTargets(mode.lora, weights);
  const network = { config, weights, mode, rows, length, documents: sizes.answers };
  return openRewardModel(options, undefined, {
    build: (frozenBlocks, dropout) => {
      // What is trained has no blocks, nor has a pooler that is not there yet.
      const blockSize = mode.kind === "full" ? (): undefined => undefined : frozenBlocks;
      const built = buildTrainingBert({ ...network, blockSize, dropout });
      return { ...built, outputs: built.logits };
    },
    initial: (weight) => initialValues(options, weight),
  });
}

/** The model's own weights; a new classifier, and perhaps pooler; of LoRA's factors A drawn and B zero. */
function initialValues({ weights, seed = 0, deviation }: RewardEncoderOptions, { name, shape }: TrainedWeight): Float32Array {
  const [rows = 1, columns = 1] = shape;
  if (name.endsWith(".lora_A.weight")) return initialLoraA(seed, name, rows, columns);
  const own = name.replace(/^base_model\.model\./, "");
  if (!own.startsWith("classifier.") && weights.infos.has(own)) return weights.readFloat32(own);
  const isDrawn = shape.length > 1 && !name.endsWith(".lora_B.weight");
  return isDrawn ? normalValues(seed, own, rows * columns, deviation) : new Float32Array(rows * columns);
}
