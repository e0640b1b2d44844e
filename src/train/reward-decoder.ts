/** @file A decoder with a score as a reward model under training: all weights, or LoRA's factors and the score. */

import { join } from "node:path";
import { decoderWeightShapes, locateDecoderWeights } from "../architectures/decoder-weights.ts";
import { checkTargets, type TrainedWeight } from "../architectures/training/trained-weights.ts";
import { buildTrainingRewardDecoder, scoreName } from "../architectures/training/training-reward-decoder.ts";
import { ExternalDataWriter } from "../onnx/external-data.ts";
import { tokenArrays, type RewardObjective } from "./comparison-batch.ts";
import { FrozenWeights } from "./decoder-frozen-weights.ts";
import { initialLoraA, normalValues } from "./decoder-initial-weights.ts";
import type { TrainableDecoderOptions } from "./decoder-trainable.ts";
import type { ComparisonSizes } from "./preference-loss.ts";
import { rewardEvaluationProgram, rewardGradientProgram, type BuildNetwork } from "./reward-programs.ts";
import { TrainableRewardModel } from "./reward-trainable.ts";
import { inGraphFolder } from "./run-folder.ts";
import { TrainingGraphs } from "./training-graphs.ts";

export interface RewardDecoderOptions extends TrainableDecoderOptions {
  optimizer: NonNullable<TrainableDecoderOptions["optimizer"]>;
  seed: number;
  temporaryFolder: string;
  sizes: ComparisonSizes;
  objective: RewardObjective;
  /** Standard deviation of the score's first weights, which are normal: transformers' `initializer_range`. */
  scoreDeviation: number;
}

/** Errors and files as `createTrainableDecoder`. */
export async function createRewardDecoder(options: RewardDecoderOptions): Promise<TrainableRewardModel> {
  return inGraphFolder(options.temporaryFolder, async (folder, release) => openIn(folder, options, release));
}

async function openIn(folder: string, options: RewardDecoderOptions, release: () => void): Promise<TrainableRewardModel> {
  const { config, weights: source, mode, rows, length, sizes, threads, recompute = false, baseBits = 32 } = options;
  const weights = locateDecoderWeights(config, source, options.path);
  if (mode.kind === "lora") checkTargets(mode.lora, weights);
  const data = new ExternalDataWriter(join(folder, "weights.bin"));
  const frozen = new FrozenWeights(config, source, data, mode.kind === "lora" ? baseBits : 32);
  const network = { config, weights, mode, rows, length, documents: sizes.answers, outputs: sizes.dimensions };
  const blockSize = (module: string): number | undefined => frozen.blockSize(module);
  const build: BuildNetwork = ({ dropout }) => buildTrainingRewardDecoder({ ...network, blockSize, dropout });
  const graphs = await TrainingGraphs.open({
    folder,
    threads,
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

/** The model's own weights; a new score; of LoRA's factors A drawn and B zero. */
function initialValues(options: RewardDecoderOptions, { name, shape }: TrainedWeight): Float32Array {
  const { config, weights, mode, seed, scoreDeviation } = options;
  const [rows, columns] = shape as [number, number];
  if (name === scoreName(mode)) return normalValues(seed, "score.weight", rows * columns, scoreDeviation);
  if (decoderWeightShapes(config).has(name)) return weights.readFloat32(name);
  return name.endsWith(".lora_A.weight") ? initialLoraA(seed, name, rows, columns) : new Float32Array(rows * columns);
}
