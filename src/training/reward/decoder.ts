/** @file A decoder with a score as a reward model under training: all weights, or LoRA's factors and the score. */

import { buildTrainingRewardDecoder, scoreName } from "../../architectures/training/training-reward-decoder.ts";
import { normalValues } from "../model/decoder-initial-weights.ts";
import type { TrainableDecoderOptions } from "../model/decoder-trainable.ts";
import { initialOfDecoder, locateTrainedDecoder } from "../model/open-graphs.ts";
import { openRewardModel, type RewardNetworkParts, type RewardLossOptions, type TrainableRewardModel } from "./model.ts";

export interface ScoredDecoderOptions extends TrainableDecoderOptions {
  /** Standard deviation of the score's first weights, which are normal: transformers' `initializer_range`. */
  scoreDeviation: number;
}

export interface RewardDecoderOptions extends ScoredDecoderOptions, RewardLossOptions {}

/** Errors and files as `createTrainableDecoder`. */
export async function createRewardDecoder(options: RewardDecoderOptions): Promise<TrainableRewardModel> {
  const { answers, dimensions } = options.sizes;
  return openRewardModel(options, options.config, scoredDecoder(options, { places: answers, outputs: dimensions }));
}

/**
 * The network that a decoder with a score is.
 * @param places tokens of a batch whose states are scored; `outputs` numbers at each.
 */
export function scoredDecoder(options: ScoredDecoderOptions, { places, outputs }: { places: number; outputs: number }): RewardNetworkParts {
  const { config, mode, rows, length, seed = 0, scoreDeviation } = options;
  const weights = locateTrainedDecoder(config, options);
  const network = { config, weights, mode, rows, length, documents: places, outputs };
  return {
    build: (blockSize, dropout) => buildTrainingRewardDecoder({ ...network, blockSize, dropout }),
    initial: (weight) => {
      const [rowsOfWeight, columns] = weight.shape as [number, number];
      return weight.name === scoreName(mode)
        ? normalValues(seed, "score.weight", rowsOfWeight * columns, scoreDeviation)
        : initialOfDecoder(config, options, weight);
    },
  };
}
