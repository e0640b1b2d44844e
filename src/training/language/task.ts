/** @file Pre-training and supervised fine-tuning of a language model. */

import { existsSync, readdirSync, statSync } from "node:fs";
import { basename, join } from "node:path";

import { readDecoderConfig } from "../../architectures/decoder/decoder-config.ts";
import type { TrainingOptions } from "../../config/training-options.ts";
import { openHuggingFaceFolder } from "../../formats/hugging-face-folder.ts";
import type { ModelFile } from "../../formats/model-file.ts";
import { openModel } from "../../formats/open-model.ts";
import { commonLength, documentRows, layOut, rowLength } from "../data/document-rows.ts";
import { readDocuments, RowEncoder, type Documents } from "../data/documents.ts";
import { packingAdvice } from "../data/packing.ts";
import { RowData } from "../data/row-data.ts";
import { chooseAdapter } from "../model/adapter-choice.ts";
import { initialDecoderWeights, initializerRange } from "../model/decoder-initial-weights.ts";
import { createTrainableDecoder } from "../model/decoder-trainable.ts";
import { weightsTraining } from "../model/open-graphs.ts";
import { writeTrained } from "../model/trained-output.ts";
import { rowOrderOf } from "../run/run-options.ts";
import { runTraining } from "../run/run-training.ts";
import type { EvaluationSums, TokenBatch, TrainableModel, TrainStep } from "../run/trainable-model.ts";
import type { MetricNaming, RunOutcome } from "../run/training-loop.ts";
import type { TaskData, TrainingRequest, TrainingTask } from "../run/training-task.ts";
import { languageCard, type LanguageReport } from "./card.ts";

/** A model path that is a folder without weights begins with weights drawn from the seed. */
export interface LanguageTraining extends TrainingRequest<TrainingOptions> {
  stage: "pretrain" | "sft";
}

interface LanguageData extends TaskData<TokenBatch> {
  /** Places of every row. */
  length: number;
  summary: LanguageReport["data"];
}

type LanguageTask = TrainingTask<Documents, TokenBatch, TrainStep, EvaluationSums, TrainableModel, LanguageData>;

/** Trains a model on rows of text, messages or prompts with completions. @throws BonsaiError as `runTraining`. */
export async function trainLanguageModel(training: LanguageTraining): Promise<RunOutcome> {
  const { options, modelPath } = training;
  const isFromNothing = hasNoWeights(modelPath);
  return runTraining(
    training,
    (base) => languageTask(training, base, isFromNothing),
    isFromNothing ? (path) => openFromNothing(path, options.seed) : openModel,
  );
}

function languageTask({ stage, options, modelPath, log }: LanguageTraining, base: ModelFile, isFromNothing: boolean): LanguageTask {
  const config = readDecoderConfig(base.config, base.path);
  const adapter = chooseAdapter(options, config, base);
  const trains = adapter === undefined ? "all weights" : "a LoRA adapter";
  const packing = options.packing ? options.packingStrategy : "none";
  return {
    announcement: `${isFromNothing ? "A new model of the config" : "The model"} ${modelPath}: ${trains} will be trained.`,
    contextLength: config.contextLength,
    adapter,
    courseFlags: [],
    read: (paths, maxLength) => {
      const documents = readDocuments(paths, new RowEncoder(base), packing === "wrapped" ? Infinity : maxLength);
      logTruncation(documents, paths, log);
      return documents;
    },
    layOut: (read, heldOutDocuments, maxLength) => {
      const laidOut = layOut(read.documents, packing, maxLength);
      const heldOut = heldOutDocuments && layOut(heldOutDocuments.documents, packing, maxLength);
      const length = commonLength(heldOut === undefined ? [laidOut] : [laidOut, heldOut], maxLength);
      const training = new RowData(documentRows(laidOut, length), rowOrderOf(options));
      const { files, truncatedRows, truncatedTokens, droppedRows } = read;
      const counts = { documents: read.documents.length, rows: laidOut.rows.length, length };
      log(`${counts.documents} documents in ${counts.rows} rows of ${length} tokens, ${training.stepsPerEpoch} steps an epoch.`);
      const filled = laidOut.rows.reduce((sum, row) => sum + rowLength(row), 0) / (counts.rows * length);
      const advice = packing === "none" ? packingAdvice(filled, "tokens") : undefined;
      if (advice !== undefined) log(advice);
      const summary = { files, evaluationFiles: heldOutDocuments?.files ?? [], ...counts, truncatedRows, truncatedTokens, droppedRows };
      return { training, heldOut: heldOut && documentRows(heldOut, length), length, summary };
    },
    open: async ({ length }, { optimizer, maxGradNorm, threads, temporaryFolder }) => {
      const weights = weightsTraining(options, base, adapter);
      const rows = options.batchSize;
      const model = await createTrainableDecoder({ temporaryFolder, config, rows, length, ...weights, optimizer, maxGradNorm, threads });
      return { model, dispose: async () => model.dispose() };
    },
    metrics: languageMetrics,
    publish: async (model, data, record) => {
      writeTrained(options, base, model.trainedWeights(), adapter);
      const report = { stage, ...record, base: { ...record.base, isFromNothing }, trains, data: data.summary } as const;
      return { report, lossTitle: "loss (nats a token)", card: languageCard(basename(options.outputDir), report) };
    },
  };
}

function logTruncation(
  { truncatedRows, truncatedTokens, droppedRows }: Documents,
  paths: readonly string[],
  log: (line: string) => void,
): void {
  if (truncatedRows > 0) log(`Of ${paths.join(", ")}, ${truncatedRows} rows are cut at --max-length, ${truncatedTokens} tokens in all.`);
  if (droppedRows > 0) log(`Of ${paths.join(", ")}, ${droppedRows} rows are left out: nothing that is trained on is left of them.`);
}

/** Means over all trained tokens. */
export const languageMetrics: MetricNaming<TrainStep, EvaluationSums> = {
  ofStep: ({ entropy, meanTokenAccuracy }) => ({ entropy, mean_token_accuracy: meanTokenAccuracy }),
  ofEvaluation: (all) => {
    const sum = (key: keyof EvaluationSums): number => all.reduce((total, sums) => total + sums[key], 0);
    const tokens = sum("trainedTokens");
    return { eval_loss: sum("loss") / tokens, eval_mean_token_accuracy: sum("correct") / tokens, eval_num_tokens: tokens };
  },
};

/** Whether the path is a folder with a config and no weights. */
function hasNoWeights(path: string): boolean {
  if (!existsSync(join(path, "config.json")) || !statSync(path).isDirectory()) return false;
  return !readdirSync(path).some((name) => /\.(safetensors|safetensors\.index\.json|bin|gguf)$/.test(name));
}

function openFromNothing(path: string, seed: number): ModelFile {
  return openHuggingFaceFolder(path, (folder, _, config) => ({
    source: initialDecoderWeights(readDecoderConfig(config, folder), seed, initializerRange(config, folder)),
    files: [],
  }));
}
