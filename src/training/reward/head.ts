/** @file A reward head under training: a linear score over hidden states of a policy, which is frozen and not run. */

import type { TrainedWeight } from "../../architectures/training/trained-weights.ts";
import { add, matmul } from "../../autodiff/operations.ts";
import type { OptimizerOptions } from "../../autodiff/optimizers.ts";
import { Program } from "../../autodiff/program.ts";
import type { ComparisonBatch, RewardObjective } from "./batch.ts";
import type { EncodedAnswer } from "./comparisons.ts";
import { normalValues } from "../model/decoder-initial-weights.ts";
import type { ComparisonSizes } from "./loss.ts";
import { rewardEvaluationProgram, rewardGradientProgram, TrainableRewardModel, type BuildNetwork } from "./model.ts";
import { inGraphFolder } from "../model/open-graphs.ts";
import { TrainingGraphs } from "../model/training-graphs.ts";

export interface RewardHeadOptions {
  hiddenSize: number;
  /** Hidden state of every answer that will be read, [H]. */
  states: ReadonlyMap<EncodedAnswer, Float32Array>;
  sizes: ComparisonSizes;
  objective: RewardObjective;
  optimizer: OptimizerOptions;
  maxGradNorm: number | undefined;
  threads: number;
  seed: number;
  /** Standard deviation of the score's first weights, which are normal; its bias begins at zero. */
  scoreDeviation: number;
  temporaryFolder: string;
}

/** hidden scoreᵀ + bias. Trained weights: score.weight [D, H], score.bias [D]. */
export async function createRewardHead(options: RewardHeadOptions): Promise<TrainableRewardModel> {
  const { hiddenSize, states, sizes, objective, optimizer, maxGradNorm, threads, seed, scoreDeviation } = options;
  const trained: TrainedWeight[] = [
    { name: "score.weight", shape: [sizes.dimensions, hiddenSize] },
    { name: "score.bias", shape: [sizes.dimensions] },
  ];
  const build: BuildNetwork = () => {
    const program = new Program();
    const hidden = program.input("hidden", "float32", [sizes.answers, hiddenSize]);
    const [weight, bias] = trained.map(({ name, shape }) => program.parameter(name, shape));
    const outputs = add(matmul(hidden, weight!, { transposeB: true }), bias!);
    return { program, outputs, parameters: new Map([["score.weight", weight!], ["score.bias", bias!]]) }; // prettier-ignore
  };
  return inGraphFolder(options.temporaryFolder, async (folder, release) => {
    const graphs = await TrainingGraphs.open({
      folder,
      threads,
      trained,
      initial: ({ name, shape }) =>
        shape.length === 1 ? new Float32Array(shape[0]!) : normalValues(seed, name, shape[0]! * shape[1]!, scoreDeviation),
      optimizer,
      maxGradNorm,
      gradients: (accumulate) => rewardGradientProgram(build, sizes, { recompute: "cheap", accumulate }),
      evaluation: () => rewardEvaluationProgram(build, sizes),
      release,
    });
    return new TrainableRewardModel({
      graphs,
      sizes,
      objective,
      arrays: (batch) => ({ hidden: hiddenOf(batch, states, sizes.answers, hiddenSize) }),
      seed,
    });
  });
}

/** [N, H]. */
function hiddenOf({ answers }: ComparisonBatch, states: RewardHeadOptions["states"], N: number, H: number): Float32Array<ArrayBuffer> {
  const hidden = new Float32Array(N * H);
  for (const [index, answer] of answers.entries()) hidden.set(states.get(answer)!, index * H);
  return hidden;
}
