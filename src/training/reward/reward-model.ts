/** @file Training a reward model from options to a folder: data, model, loop, the scale of its rewards, and what the run leaves. */

import { basename, join } from "node:path";

import type { RewardTrainingOptions } from "../../config/reward-training-options.ts";
import { BonsaiError } from "../../errors/bonsai-error.ts";
import type { Normalization } from "../../engine/contract/reward-description.ts";
import type { ModelFile } from "../../formats/model-file.ts";
import { openModel } from "../../formats/open-model.ts";
import { measureNormalization } from "../../reward/normalization.ts";
import { writeRewardConfig, type RewardConfig } from "../../reward/reward-config.ts";
import type { RewardObjective } from "./comparison-batch.ts";
import { readMetricLines } from "../run/metrics-file.ts";
import { answerBatches, comparisonBatches } from "./preference-data.ts";
import { readRewardData, type RewardData } from "./reward-data.ts";
import { openForm, type OpenedForm } from "./reward-forms.ts";
import { addRewardSums, namedRewardMetrics, type RewardSums } from "./reward-metrics.ts";
import { writeRewardReport, type RewardReport } from "./reward-report.ts";
import type { RewardStep, TrainableRewardModel } from "./reward-trainable.ts";
import { inOutputFolder } from "../run/run-folder.ts";
import { identityOf, requireSameSoFar } from "../run/run-identity.ts";
import { courseOf, steppingOf, totalStepsOf } from "../run/run-options.ts";
import { recordOf } from "../report/training-report.ts";
import { metricsFileName, runSteps, type MetricNaming, type RunOutcome, type TrainingEvent } from "../run/training-run.ts";

export interface RewardTraining extends Pick<RewardReport, "command" | "flags" | "versions"> {
  /** A GGUF file or a Hugging Face folder. */
  modelPath: string;
  options: RewardTrainingOptions;
  /** Ends the run after the step that is being done, with a checkpoint. */
  stop: AbortSignal;
  observe: (event: TrainingEvent) => void;
  /** Takes lines for the person who waits. */
  log: (line: string) => void;
}

/** Flags of this trainer that decide a run's course. */
const ownFlags = ["--form", "--loss-type", "--center-rewards-coefficient", "--dimensions", "--dimension-weights"];

/**
 * Trains a model on preferences, and writes it to the output folder once its last step is done.
 * @throws BonsaiError as `openModel`, `openForm`, `readComparisons` and `runSteps`; `usage` for options that the model does not allow.
 */
export async function trainRewardModel(training: RewardTraining): Promise<RunOutcome> {
  const { options, modelPath } = training;
  const objective = { weights: readWeights(options), centring: options.centerRewardsCoefficient };
  return inOutputFolder(options, modelPath, async (workFolder) => {
    const model = openModel(modelPath);
    try {
      return await trainIn(workFolder, training, model, objective);
    } finally {
      model.weights.close();
    }
  });
}

/** Of the dimensions, in their order. Throws `usage` where they are no numbers, or not as many. */
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

async function trainIn(workFolder: string, training: RewardTraining, model: ModelFile, objective: RewardObjective): Promise<RunOutcome> {
  const { options, modelPath, log } = training;
  const form = openForm(options, model);
  log(`The model ${modelPath}, as the form ${form.form}: ${form.trains} will be trained.`);
  const run = { flags: training.flags, options, model, adapter: form.adapter, ownFlags };
  if (options.resume) requireSameSoFar(options.outputDir, { ...run, totalSteps: options.maxSteps || undefined }, options);
  const data = readRewardData(options, form, log);
  if (form.form === "policy-head") log(`The policy reads ${data.answers.length} answers, once.`);
  const reward = await form.create(
    { rows: options.batchSize, length: data.length, sizes: data.sizes, objective, answers: data.answers },
    {
      ...steppingOf(options),
      temporaryFolder: workFolder,
      stop: training.stop,
    },
  );
  if (reward === undefined) return { step: 0, isFinished: false, trainSeconds: 0 };
  try {
    const totalSteps = totalStepsOf(options, data.training.stepsPerEpoch);
    const outcome = await runSteps(
      {
        model: reward,
        data: data.training,
        evaluation: data.heldOut && comparisonBatches(data.heldOut, options.batchSize, options.lossType),
        ...courseOf(options, totalSteps),
        identity: identityOf({ ...run, ...data.summary, totalSteps }),
        stop: training.stop,
        observe: training.observe,
      },
      metricNaming(options.dimensions),
    );
    if (outcome.isFinished) await leave(training, form, model, reward, data, objective, outcome);
    return outcome;
  } finally {
    await reward.dispose();
  }
}

function metricNaming(dimensions: readonly string[]): MetricNaming<RewardStep, RewardSums> {
  return {
    ofStep: ({ sums }) => namedRewardMetrics(sums, dimensions),
    ofEvaluation: (all) => {
      const sums = addRewardSums(all as [RewardSums, ...RewardSums[]]);
      const named = Object.entries(namedRewardMetrics(sums, dimensions)).map(([name, value]) => [`eval_${name}`, value]);
      return { eval_loss: sums.loss / sums.labels, ...(Object.fromEntries(named) as Record<string, number>) };
    },
  };
}

/** Writes what a finished run leaves; config.json comes last of what makes a model. */
async function leave(
  training: RewardTraining,
  form: OpenedForm,
  model: ModelFile,
  reward: TrainableRewardModel,
  data: RewardData,
  objective: RewardObjective,
  outcome: RunOutcome,
): Promise<void> {
  const { options } = training;
  const config: RewardConfig = {
    form: form.form,
    dimensions: options.dimensions,
    weights: objective.weights,
    normalization: await scale(reward, data, objective.weights),
    maxLength: data.maxLength,
    policy: form.policy,
  };
  writeRewardConfig(options.outputDir, config);
  form.write(options.outputDir, reward, data.answers);
  const { policy: _, ...description } = config;
  await writeRewardReport(options.outputDir, {
    stage: "reward",
    ...recordOf(training, model, outcome, data.training.stepsPerEpoch),
    trains: form.trains,
    reward: description,
    data: data.summary,
    metrics: readMetricLines(join(options.outputDir, metricsFileName)),
  });
}

/** Scores the reference answers, each of them once. */
async function scale(reward: TrainableRewardModel, data: RewardData, weights: readonly number[]): Promise<Normalization> {
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
