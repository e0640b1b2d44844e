/** @file Training a reward model on comparisons of answers. */

import { basename } from "node:path";

import type { RewardTrainingOptions } from "../../config/reward-training-options.ts";
import type { Normalization } from "../../engine/contract/reward-description.ts";
import { BonsaiError } from "../../errors/bonsai-error.ts";
import type { ModelFile } from "../../formats/model-file.ts";
import { measureNormalization } from "../../reward/normalization.ts";
import { writeRewardConfig } from "../../reward/reward-config.ts";
import { heldOutNames } from "../run/metrics-file.ts";
import { runTraining } from "../run/run-training.ts";
import type { MetricNaming, RunOutcome } from "../run/training-loop.ts";
import type { TrainingRequest, TrainingTask } from "../run/training-task.ts";
import type { ComparisonBatch } from "./batch.ts";
import { rewardCard } from "./card.ts";
import { answerBatches } from "./comparison-rows.ts";
import type { Comparisons } from "./comparisons.ts";
import { layOutRewardData, readLoggedComparisons, type RewardData } from "./data.ts";
import { openForm } from "./forms.ts";
import { addRewardSums, namedRewardMetrics, type RewardSums } from "./metrics.ts";
import type { RewardStep, TrainableRewardModel } from "./model.ts";

export type RewardTraining = TrainingRequest<RewardTrainingOptions>;

type RewardTask = TrainingTask<Comparisons, ComparisonBatch, RewardStep, RewardSums, TrainableRewardModel, RewardData>;

const courseFlags = ["--form", "--loss-type", "--center-rewards-coefficient", "--dimensions", "--dimension-weights"];

/** Trains a model on preferences. @throws BonsaiError as `runTraining`. */
export async function trainRewardModel(training: RewardTraining): Promise<RunOutcome> {
  return runTraining(training, (base) => rewardTask(training, base));
}

function rewardTask({ options, modelPath, log }: RewardTraining, base: ModelFile): RewardTask {
  const weights = readWeights(options);
  const objective = { weights, centring: options.centerRewardsCoefficient };
  const form = openForm(options, base);
  return {
    announcement: `The model ${modelPath}, as the form ${form.form}: ${form.trains} will be trained.`,
    contextLength: form.contextLength,
    adapter: form.adapter,
    courseFlags,
    read: (paths, maxLength) => readLoggedComparisons(paths, form, options, maxLength, log),
    layOut: (read, heldOut, maxLength) => layOutRewardData(options, form, read, heldOut, maxLength, log),
    open: async (data, opening) => {
      if (form.form === "policy-head") log(`The policy computes the hidden states of ${data.answers.length} answers, once.`);
      const model = await form.create({ ...data, objective }, opening);
      return model && { model, dispose: async () => model.dispose() };
    },
    metrics: rewardMetrics(options.dimensions),
    publish: async (model, data, record) => {
      const reward = {
        form: form.form,
        dimensions: options.dimensions,
        weights,
        normalization: await measureScale(model, data, weights),
        maxLength: data.maxLength,
      };
      writeRewardConfig(options.outputDir, { ...reward, policy: form.policy });
      form.write(options.outputDir, model, data.answers);
      const report = { stage: "reward", ...record, trains: form.trains, reward, data: data.summary } as const;
      return { report, lossTitle: "loss (nats a label)", card: rewardCard(basename(options.outputDir), report) };
    },
  };
}

/** Weights of the dimensions, in their order. @throws BonsaiError `usage` where they are no numbers, or not as many. */
function readWeights({ dimensions, dimensionWeights }: RewardTrainingOptions): number[] {
  const refuse = (problem: string): BonsaiError =>
    new BonsaiError("usage", `--dimension-weights ${problem}.`, { param: "--dimension-weights" });
  const repeated = dimensions.find((name, index) => dimensions.indexOf(name) !== index);
  if (repeated !== undefined) throw new BonsaiError("usage", `--dimensions names ${repeated} twice.`, { param: "--dimensions" });
  if (dimensionWeights.length === 0) return dimensions.map(() => 1 / dimensions.length);
  if (dimensionWeights.length !== dimensions.length)
    throw refuse(`has ${dimensionWeights.length} numbers and there are ${dimensions.length} dimensions: give one for each`);
  const weights = dimensionWeights.map(Number);
  const wrong = weights.findIndex((weight) => !(weight >= 0 && weight <= 1e6));
  if (wrong !== -1) throw refuse(`takes numbers from 0, not ${JSON.stringify(dimensionWeights[wrong])}`);
  if (weights.every((weight) => weight === 0)) throw refuse("are all 0, so that no answer would be better than another");
  return weights;
}

function rewardMetrics(dimensions: readonly string[]): MetricNaming<RewardStep, RewardSums> {
  return {
    ofStep: ({ sums }) => namedRewardMetrics(sums, dimensions),
    ofEvaluation: (all) => {
      const sums = addRewardSums(all as [RewardSums, ...RewardSums[]]);
      return { eval_loss: sums.loss / sums.labels, ...heldOutNames(namedRewardMetrics(sums, dimensions)) };
    },
  };
}

/** Mean and deviation of the rewards of the reference answers. */
async function measureScale(reward: TrainableRewardModel, data: RewardData, weights: readonly number[]): Promise<Normalization> {
  const { answers, files } = data.reference;
  const { measures, dimensions } = data.sizes;
  const outputs: number[][] = [];
  for (const batch of answerBatches(answers, data, data.sizes.answers)) {
    const rewards = await reward.rewards(batch);
    // Dimensions come first among the measures of an answer.
    for (let at = 0; at < rewards.length; at += measures) outputs.push([...rewards.subarray(at, at + dimensions)]);
  }
  const names = [...new Set(files.map(({ path }) => basename(path)))].join(", ");
  return measureNormalization(outputs, weights, `${answers.length} answers of ${names}`.slice(0, 1000));
}
