/** @file A BERT with a classifier as a reward model under training: all weights, or LoRA's factors and the classifier. */

import { join } from "node:path";
import type { BertConfig } from "../architectures/bert-config.ts";
import { locateBertWeights } from "../architectures/bert-weights.ts";
import { checkTargets, type TrainedWeight, type TrainingMode } from "../architectures/training/trained-weights.ts";
import { buildTrainingBert } from "../architectures/training/training-bert.ts";
import type { OptimizerOptions } from "../autodiff/optimizers.ts";
import type { WeightSource } from "../formats/model-file.ts";
import { ExternalDataWriter } from "../onnx/external-data.ts";
import { tokenArrays, type RewardObjective, type RowSizes } from "./comparison-batch.ts";
import { FrozenWeights, type BaseBits } from "./decoder-frozen-weights.ts";
import { initialLoraA, normalValues } from "./decoder-initial-weights.ts";
import type { ComparisonSizes } from "./preference-loss.ts";
import { rewardEvaluationProgram, rewardGradientProgram, type BuildNetwork } from "./reward-programs.ts";
import { TrainableRewardModel } from "./reward-trainable.ts";
import { inGraphFolder } from "./run-folder.ts";
import { TrainingGraphs } from "./training-graphs.ts";

export interface RewardEncoderOptions extends RowSizes {
  config: BertConfig;
  /** Read while this is made, and not after. */
  weights: WeightSource;
  /** Of the model, as errors name it. */
  path: string;
  mode: TrainingMode;
  /** Of the frozen linear layers under LoRA. */
  baseBits: BaseBits;
  sizes: ComparisonSizes;
  objective: RewardObjective;
  optimizer: OptimizerOptions;
  maxGradNorm: number | undefined;
  threads: number;
  /** See `createTrainableDecoder`. */
  recompute: boolean;
  seed: number;
  /** Standard deviation of new matrices, which are normal; new biases begin at zero. */
  deviation: number;
  temporaryFolder: string;
}

/**
 * The classifier is new, and so is the pooler where the model has none; LoRA needs one, since it would be left as it was drawn. Errors and files as
 * `createTrainableDecoder`.
 */
export async function createRewardEncoder(options: RewardEncoderOptions): Promise<TrainableRewardModel> {
  return inGraphFolder(options.temporaryFolder, async (folder, release) => openIn(folder, options, release));
}

async function openIn(folder: string, options: RewardEncoderOptions, release: () => void): Promise<TrainableRewardModel> {
  const { config, mode, rows, length, sizes, recompute } = options;
  const weights = locateBertWeights(config, options.weights, options.path, mode.kind === "lora" ? "pooled" : "encoder");
  if (mode.kind === "lora") checkTargets(mode.lora, weights);
  const data = new ExternalDataWriter(join(folder, "weights.bin"));
  const frozen = new FrozenWeights(undefined, options.weights, data, mode.kind === "lora" ? options.baseBits : 32);
  const network = { config, weights, mode, rows, length, documents: sizes.answers };
  // What is trained has no blocks, nor has a pooler that is not there yet.
  const blockSize = (module: string): number | undefined => (mode.kind === "full" ? undefined : frozen.blockSize(module));
  const build: BuildNetwork = ({ dropout }) => {
    const built = buildTrainingBert({ ...network, blockSize, dropout });
    return { ...built, outputs: built.logits };
  };
  const graphs = await TrainingGraphs.open({
    folder,
    threads: options.threads,
    trained: [...build({ dropout: false }).parameters].map(([name, { shape }]): TrainedWeight => ({ name, shape })),
    initial: (weight) => initialValues(options, weight),
    optimizer: options.optimizer,
    maxGradNorm: options.maxGradNorm,
    gradients: (accumulate) => rewardGradientProgram(build, sizes, { recompute: recompute ? "all" : "cheap", accumulate }),
    evaluation: () => rewardEvaluationProgram(build, sizes),
    weights: { fileName: data.fileName, data: (name) => frozen.locate(name) },
  });
  return new TrainableRewardModel({
    graphs,
    sizes,
    objective: options.objective,
    arrays: (batch) => tokenArrays(batch, { rows, length }, sizes.answers),
    seed: options.seed,
    release: () => {
      data.close();
      release();
    },
  });
}

/** The model's own weights; a new classifier, and perhaps pooler; of LoRA's factors A drawn and B zero. */
function initialValues({ weights, seed, deviation }: RewardEncoderOptions, { name, shape }: TrainedWeight): Float32Array {
  const [rows = 1, columns = 1] = shape;
  if (name.endsWith(".lora_A.weight")) return initialLoraA(seed, name, rows, columns);
  const own = name.replace(/^base_model\.model\./, "");
  if (!own.startsWith("classifier.") && weights.infos.has(own)) return weights.readFloat32(own);
  const isDrawn = shape.length > 1 && !name.endsWith(".lora_B.weight");
  return isDrawn ? normalValues(seed, own, rows * columns, deviation) : new Float32Array(rows * columns);
}
