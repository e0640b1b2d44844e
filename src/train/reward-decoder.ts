/** @file A decoder with a score as a reward model under training: all weights, or LoRA's factors and the score. */

import { buildTrainingRewardDecoder, scoreName } from "../architectures/training/training-reward-decoder.ts";
import { normalValues } from "./decoder-initial-weights.ts";
import type { TrainableDecoderOptions } from "./decoder-trainable.ts";
import { initialOfDecoder, locateTrainedDecoder } from "./model-graphs.ts";
import { openRewardModel, type RewardTask, type TrainableRewardModel } from "./reward-trainable.ts";

export interface RewardDecoderOptions extends TrainableDecoderOptions, RewardTask {
  /** Standard deviation of the score's first weights, which are normal: transformers' `initializer_range`. */
  scoreDeviation: number;
}

/** Errors and files as `createTrainableDecoder`. */
export async function createRewardDecoder(options: RewardDecoderOptions): Promise<TrainableRewardModel> {
  const { config, mode, rows, length, sizes, seed = 0, scoreDeviation } = options;
  const weights = locateTrainedDecoder(config, options);
  const network = { config, weights, mode, rows, length, documents: sizes.answers, outputs: sizes.dimensions };
  return openRewardModel(options, config, {
    build: (blockSize, dropout) => buildTrainingRewardDecoder({ ...network, blockSize, dropout }),
    initial: (weight) => {
      const [outputs, inputs] = weight.shape as [number, number];
      return weight.name === scoreName(mode)
        ? normalValues(seed, "score.weight", outputs * inputs, scoreDeviation)
        : initialOfDecoder(config, options, weight);
    },
  });
}
