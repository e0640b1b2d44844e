/** @file Training a value model from options to a folder: data, model, loop, and what the run leaves. */

import { join } from "node:path";
import type { RewardTrainingOptions } from "../../config/reward-training-options.ts";
import { BonsaiError } from "../../errors/bonsai-error.ts";
import type { ModelFile } from "../../formats/model-file.ts";
import { openModel } from "../../formats/open-model.ts";
import { rawNormalization, writeRewardConfig } from "../../reward/reward-config.ts";
import { readMetricLines } from "../run/metrics-file.ts";
import { lengthOfOptions } from "../reward/reward-data.ts";
import { openValueForm, type OpenedValueForm } from "../reward/reward-forms.ts";
import type { RewardTraining } from "../reward/reward-model.ts";
import { inOutputFolder } from "../run/run-folder.ts";
import { identityOf, requireSameSoFar } from "../run/run-identity.ts";
import { courseOf, steppingOf, totalStepsOf } from "../run/run-options.ts";
import { recordOf } from "../report/training-report.ts";
import { metricsFileName, runSteps, type MetricNaming, type RunOutcome } from "../run/training-run.ts";
import { layOutAnswers, readScoredAnswers, ValueData, valueBatches, valueRowLength, type ScoredAnswers } from "./value-data.ts";
import { writeValueReport, type ValueReport } from "./value-report.ts";
import { addValueSums, explainedVariance, type ValueStep, type ValueSums } from "./value-trainable.ts";

/** Flags that are of comparisons, with what they are where nobody gave them. */
const ofComparisons = {
  "--loss-type": ({ lossType }) => lossType === "bradley-terry",
  "--center-rewards-coefficient": ({ centerRewardsCoefficient }) => centerRewardsCoefficient === 0,
  "--dimensions": ({ dimensions }) => dimensions.length === 1 && dimensions[0] === "reward",
  "--dimension-weights": ({ dimensionWeights }) => dimensionWeights.length === 0,
  "--reference": ({ reference }) => reference.length === 0,
} satisfies Record<string, (options: RewardTrainingOptions) => boolean>;

/**
 * Trains a model to say at every token of an answer what the whole is worth, and writes it to the output folder once its last step is done.
 * @throws BonsaiError as `openModel`, `openValueForm`, `readScoredAnswers` and `runSteps`; `usage` for options of comparisons.
 */
export async function trainValueModel(training: RewardTraining): Promise<RunOutcome> {
  const { options, modelPath } = training;
  for (const [flag, isDefault] of Object.entries(ofComparisons)) {
    if (isDefault(options)) continue;
    throw new BonsaiError("usage", `${flag} is of comparisons; --form value learns from scores and has one output: leave it out.`, {
      param: flag,
    });
  }
  return inOutputFolder(options, modelPath, async (workFolder) => {
    const model = openModel(modelPath);
    try {
      return await trainIn(workFolder, training, model);
    } finally {
      model.weights.close();
    }
  });
}

async function trainIn(workFolder: string, training: RewardTraining, model: ModelFile): Promise<RunOutcome> {
  const { options, modelPath, log } = training;
  const form = openValueForm(options, model);
  log(`The model ${modelPath}, as the form value: ${form.trains} will be trained.`);
  const run = { flags: training.flags, options, model, adapter: form.adapter, ownFlags: ["--form"] };
  if (options.resume) requireSameSoFar(options.outputDir, { ...run, totalSteps: options.maxSteps || undefined }, options);
  const data = readData(options, form, log);
  const value = await form.create({
    ...steppingOf(options),
    rows: options.batchSize,
    length: data.length,
    temporaryFolder: workFolder,
    stop: training.stop,
  });
  try {
    const totalSteps = totalStepsOf(options, data.training.stepsPerEpoch);
    const outcome = await runSteps(
      {
        model: value,
        data: data.training,
        evaluation: data.heldOut && valueBatches(data.heldOut, options.batchSize),
        ...courseOf(options, totalSteps),
        identity: identityOf({ ...run, ...data.summary, totalSteps }),
        stop: training.stop,
        observe: training.observe,
      },
      naming,
    );
    if (!outcome.isFinished) return outcome;
    const config = {
      form: "value" as const,
      dimensions: options.dimensions,
      weights: [1],
      normalization: { ...rawNormalization(1), reference: "none: values are on the scale of the scores that it learnt from" },
      maxLength: data.maxLength,
    };
    writeRewardConfig(options.outputDir, config);
    form.write(options.outputDir, value, data.answers);
    await writeValueReport(options.outputDir, {
      stage: "reward",
      ...recordOf(training, model, outcome, data.training.stepsPerEpoch),
      trains: form.trains,
      reward: config,
      data: data.summary,
      metrics: readMetricLines(join(options.outputDir, metricsFileName)),
    });
    return outcome;
  } finally {
    await value.dispose();
  }
}

const naming: MetricNaming<ValueStep, ValueSums> = {
  ofStep: ({ loss, sums }) => variance("explained_variance", explainedVariance(loss, sums)),
  ofEvaluation: (all) => {
    const sums = addValueSums(all);
    const loss = sums.loss / sums.labels;
    return { eval_loss: loss, ...variance("eval_explained_variance", explainedVariance(loss, sums)) };
  },
};

const variance = (name: string, value: number | undefined): Record<string, number> => (value === undefined ? {} : { [name]: value });

interface TrainedOn {
  training: ValueData;
  heldOut: ReturnType<typeof layOutAnswers> | undefined;
  /** Of rows. */
  length: number;
  maxLength: number;
  answers: ScoredAnswers["answers"];
  summary: ValueReport["data"];
}

function readData(options: RewardTrainingOptions, form: OpenedValueForm, log: (line: string) => void): TrainedOn {
  const maxLength = lengthOfOptions(options, form);
  const given = readScoredAnswers(options.dataset, form.encoder, maxLength);
  const evaluation = options.evalDataset.length === 0 ? undefined : readScoredAnswers(options.evalDataset, form.encoder, maxLength);
  const answers = [...given.answers, ...(evaluation?.answers ?? [])];
  const length = valueRowLength(answers, options.packing);
  const laidOut = layOutAnswers(given.answers, options.packing, length);
  const training = new ValueData(laidOut, {
    batchSize: options.batchSize,
    accumulationSteps: options.gradientAccumulationSteps,
    seed: options.seed,
    shuffle: options.shuffle,
  });
  const { files, truncatedAnswers, truncatedTokens, emptyRows } = given;
  const summary = {
    files,
    evaluationFiles: evaluation?.files ?? [],
    answers: given.answers.length,
    rows: laidOut.rows.length,
    length,
    truncatedAnswers,
    truncatedTokens,
    emptyRows,
  };
  log(`${summary.answers} answers in ${summary.rows} rows of ${length} tokens, ${training.stepsPerEpoch} steps an epoch.`);
  if (truncatedAnswers > 0) log(`${truncatedAnswers} answers lose their beginning to --max-length, ${truncatedTokens} tokens in all.`);
  if (emptyRows > 0) log(`${emptyRows} rows are left out: their answers have no token.`);
  return {
    training,
    heldOut: evaluation && layOutAnswers(evaluation.answers, options.packing, length),
    length,
    maxLength,
    answers,
    summary,
  };
}
