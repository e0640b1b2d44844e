/** @file A BERT with a classifier as a reward model under training: all weights. */

import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { BertConfig } from "../architectures/bert-config.ts";
import { locateBertWeights } from "../architectures/bert-weights.ts";
import type { TrainedWeight } from "../architectures/training/trained-weights.ts";
import { buildTrainingBert } from "../architectures/training/training-bert.ts";
import type { OptimizerOptions } from "../autodiff/optimizers.ts";
import type { WeightSource } from "../formats/model-file.ts";
import { tokenArrays, type RewardObjective, type RowSizes } from "./comparison-batch.ts";
import { normalValues } from "./decoder-initial-weights.ts";
import type { ComparisonSizes } from "./preference-loss.ts";
import { rewardEvaluationProgram, rewardGradientProgram, type BuildNetwork } from "./reward-programs.ts";
import { TrainableRewardModel } from "./reward-trainable.ts";
import { TrainingGraphs } from "./training-graphs.ts";

export interface RewardEncoderOptions extends RowSizes {
  config: BertConfig;
  /** Read while this is made, and not after. */
  weights: WeightSource;
  /** Of the model, as errors name it. */
  path: string;
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

/** The classifier is new, and so is the pooler where the model has none. Errors and files as `createTrainableDecoder`. */
export async function createRewardEncoder(options: RewardEncoderOptions): Promise<TrainableRewardModel> {
  const { config, rows, length, sizes, objective, optimizer, maxGradNorm, threads, recompute, seed } = options;
  const weights = locateBertWeights(config, options.weights, options.path, "encoder");
  const build: BuildNetwork = ({ dropout }) => {
    const network = buildTrainingBert({ config, weights, mode: { kind: "full" }, rows, length, documents: sizes.answers, dropout });
    return { ...network, outputs: network.logits };
  };
  const folder = mkdtempSync(join(options.temporaryFolder, "bonsai-training-"));
  const release = (): void => rmSync(folder, { recursive: true, force: true });
  try {
    const graphs = await TrainingGraphs.open({
      folder,
      threads,
      trained: [...build({ dropout: false }).parameters].map(([name, { shape }]): TrainedWeight => ({ name, shape })),
      initial: (weight) => initialValues(options, weight),
      optimizer,
      maxGradNorm,
      gradients: (accumulate) => rewardGradientProgram(build, sizes, { recompute: recompute ? "all" : "cheap", accumulate }),
      evaluation: () => rewardEvaluationProgram(build, sizes),
    });
    const arrays = (batch: Parameters<typeof tokenArrays>[0]): ReturnType<typeof tokenArrays> =>
      tokenArrays(batch, { rows, length }, sizes.answers);
    return new TrainableRewardModel({ graphs, sizes, objective, arrays, seed, release });
  } catch (error) {
    release();
    throw error;
  }
}

function initialValues({ weights, seed, deviation }: RewardEncoderOptions, { name, shape }: TrainedWeight): Float32Array {
  const isNew = name.startsWith("classifier.") || !weights.infos.has(name);
  if (!isNew) return weights.readFloat32(name);
  const length = shape.reduce((product, size) => product * size, 1);
  return shape.length === 1 ? new Float32Array(length) : normalValues(seed, name, length, deviation);
}
