/** @file Training a value model on scored answers: at every token of an answer it predicts the score of the whole. */

import { basename } from "node:path";

import type { RewardTrainingOptions } from "../../config/reward-training-options.ts";
import { BonsaiError } from "../../errors/bonsai-error.ts";
import type { ModelFile } from "../../formats/model-file.ts";
import { rawNormalization, writeRewardConfig } from "../../reward/reward-config.ts";
import { RowData } from "../data/row-data.ts";
import { openValueForm } from "../reward/forms.ts";
import type { RewardTraining } from "../reward/task.ts";
import { rowOrderOf } from "../run/run-options.ts";
import { runTraining } from "../run/run-training.ts";
import type { MetricNaming, RunOutcome } from "../run/training-loop.ts";
import type { TaskData, TrainingTask } from "../run/training-task.ts";
import { valueCard, type ValueReport } from "./card.ts";
import { answerRows, layOutAnswers, readScoredAnswers, valueRowLength, type ScoredAnswers, type ValueBatch } from "./data.ts";
import { addValueSums, explainedVariance, type TrainableValueModel, type ValueStep, type ValueSums } from "./model.ts";

interface ValueData extends TaskData<ValueBatch> {
  /** Places of every row. */
  length: number;
  /** Most tokens of an answer with its prompt. */
  maxLength: number;
  answers: ScoredAnswers["answers"];
  summary: ValueReport["data"];
}

type ValueTask = TrainingTask<ScoredAnswers, ValueBatch, ValueStep, ValueSums, TrainableValueModel, ValueData>;

/** Flags that only comparisons have, and whether an option has its default. */
const comparisonFlags = {
  "--loss-type": ({ lossType }) => lossType === "bradley-terry",
  "--center-rewards-coefficient": ({ centerRewardsCoefficient }) => centerRewardsCoefficient === 0,
  "--dimensions": ({ dimensions }) => dimensions.length === 1 && dimensions[0] === "reward",
  "--dimension-weights": ({ dimensionWeights }) => dimensionWeights.length === 0,
  "--reference": ({ reference }) => reference.length === 0,
} satisfies Record<string, (options: RewardTrainingOptions) => boolean>;

/** Trains a value model on scored answers. @throws BonsaiError as `runTraining`; `usage` for options of comparisons. */
export async function trainValueModel(training: RewardTraining): Promise<RunOutcome> {
  for (const [flag, isDefault] of Object.entries(comparisonFlags)) {
    if (isDefault(training.options)) continue;
    throw new BonsaiError("usage", `${flag} is of comparisons; --form value learns from scores and has one output: leave it out.`, {
      param: flag,
    });
  }
  return runTraining(training, (base) => valueTask(training, base));
}

function valueTask({ options, modelPath, log }: RewardTraining, base: ModelFile): ValueTask {
  const form = openValueForm(options, base);
  return {
    announcement: `The model ${modelPath}, as the form value: ${form.trains} will be trained.`,
    contextLength: form.contextLength,
    adapter: form.adapter,
    courseFlags: ["--form"],
    read: (paths, maxLength) => readScoredAnswers(paths, form.encoder, maxLength),
    layOut: (read, heldOut, maxLength) => layOutValueData(options, read, heldOut, maxLength, log),
    open: async ({ length }, opening) => {
      const model = await form.create({ ...opening, rows: options.batchSize, length });
      return { model, dispose: async () => model.dispose() };
    },
    metrics: valueMetrics,
    publish: async (model, data, record) => {
      const reward = {
        form: "value" as const,
        dimensions: options.dimensions,
        weights: [1],
        normalization: { ...rawNormalization(1), reference: "none: values are on the scale of the scores that it learnt from" },
        maxLength: data.maxLength,
      };
      writeRewardConfig(options.outputDir, reward);
      form.write(options.outputDir, model, data.answers);
      const report = { stage: "reward", ...record, trains: form.trains, reward, data: data.summary } as const;
      return { report, lossTitle: "mean squared error", card: valueCard(basename(options.outputDir), report) };
    },
  };
}

const valueMetrics: MetricNaming<ValueStep, ValueSums> = {
  ofStep: ({ loss, sums }) => variance("explained_variance", explainedVariance(loss, sums)),
  ofEvaluation: (all) => {
    const sums = addValueSums(all);
    const loss = sums.loss / sums.labels;
    return { eval_loss: loss, ...variance("eval_explained_variance", explainedVariance(loss, sums)) };
  },
};

const variance = (name: string, value: number | undefined): Record<string, number> => (value === undefined ? {} : { [name]: value });

function layOutValueData(
  options: RewardTrainingOptions,
  read: ScoredAnswers,
  heldOut: ScoredAnswers | undefined,
  maxLength: number,
  log: (line: string) => void,
): ValueData {
  const answers = [...read.answers, ...(heldOut?.answers ?? [])];
  const length = valueRowLength(answers, options.packing);
  const laidOut = layOutAnswers(read.answers, options.packing, length);
  const training = new RowData(answerRows(laidOut), rowOrderOf(options));
  const { files, truncatedAnswers, truncatedTokens, emptyRows } = read;
  const counts = { answers: read.answers.length, rows: laidOut.rows.length, length };
  log(`${counts.answers} answers in ${counts.rows} rows of ${length} tokens, ${training.stepsPerEpoch} steps an epoch.`);
  if (truncatedAnswers > 0) log(`${truncatedAnswers} answers lose their beginning to --max-length, ${truncatedTokens} tokens in all.`);
  if (emptyRows > 0) log(`${emptyRows} rows are left out: their answers have no token.`);
  return {
    training,
    heldOut: heldOut && answerRows(layOutAnswers(heldOut.answers, options.packing, length)),
    length,
    maxLength,
    answers,
    summary: { files, evaluationFiles: heldOut?.files ?? [], ...counts, truncatedAnswers, truncatedTokens, emptyRows },
  };
}
