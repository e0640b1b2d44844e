/** @file Pre-training and supervised fine-tuning from options to a folder: data, model, loop, and what the run leaves. */

import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";

import { readDecoderConfig, type DecoderConfig } from "../../architectures/decoder/decoder-config.ts";
import type { TrainingOptions } from "../../config/training-options.ts";
import { BonsaiError } from "../../errors/bonsai-error.ts";
import { openHuggingFaceFolder } from "../../formats/hugging-face-folder.ts";
import type { ModelFile } from "../../formats/model-file.ts";
import { openModel } from "../../formats/open-model.ts";
import { chooseAdapter, beginFromAdapter } from "../model/adapter-choice.ts";
import { weightsTraining } from "../model/model-graphs.ts";
import { createTrainableDecoder } from "../model/decoder-trainable.ts";
import { initialDecoderWeights } from "../model/decoder-initial-weights.ts";
import { rowLength } from "../data/batch.ts";
import { readDocuments, RowEncoder, type Documents } from "../data/documents.ts";
import { readMetrics } from "../run/metrics-file.ts";
import { inOutputFolder } from "../run/run-folder.ts";
import { identityOf, requireSameSoFar } from "../run/run-identity.ts";
import { courseOf, steppingOf, totalStepsOf } from "../run/run-options.ts";
import { commonLength, evaluationBatches, layOut, TrainingData, type LaidOutDocuments } from "../data/training-data.ts";
import { recordOf, writeTrainingReport, type TrainingReport } from "../report/training-report.ts";
import { metricsFileName, runTraining, type RunOutcome, type TrainingEvent } from "../run/training-run.ts";
import { writeTrainedAdapter, writeTrainedModel } from "../model/trained-output.ts";

export interface LanguageModelTraining extends Pick<TrainingReport, "stage" | "command" | "flags" | "versions"> {
  /** A GGUF file or a Hugging Face folder. One without weights begins with weights drawn from the seed. */
  modelPath: string;
  options: TrainingOptions;
  /** Ends the run after the step that is being done, with a checkpoint. */
  stop: AbortSignal;
  observe: (event: TrainingEvent) => void;
  /** Takes lines for the person who waits. */
  log: (line: string) => void;
}

/** Longest row where neither the option nor the model's context says otherwise; TRL's default. */
const usualMaxLength = 1024;

/**
 * Trains a model on rows of text, messages or prompts with completions, and writes it to the output folder once its last step is done.
 * @throws BonsaiError as `openModel`, `readDocuments`, `createTrainableDecoder` and `runTraining`; `usage` for options that the model does not allow.
 */
export async function trainLanguageModel(training: LanguageModelTraining): Promise<RunOutcome> {
  const { options, modelPath } = training;
  return inOutputFolder(options, modelPath, async (workFolder) => trainIn(workFolder, training));
}

async function trainIn(workFolder: string, training: LanguageModelTraining): Promise<RunOutcome> {
  const { options, modelPath, log } = training;
  const { model, isFromNothing } = openForTraining(modelPath, options.seed);
  try {
    const config = readDecoderConfig(model.config, model.path);
    const adapter = chooseAdapter(options, config, model);
    log(
      `${isFromNothing ? "A new model of the config" : "The model"} ${modelPath}: ${adapter === undefined ? "all weights" : "a LoRA adapter"} will be trained.`,
    );
    const run = { flags: training.flags, options, model, adapter };
    if (options.resume) requireSameSoFar(options.outputDir, { ...run, totalSteps: options.maxSteps || undefined }, options);
    const data = readData(training, model, config);
    const decoder = await createTrainableDecoder({
      temporaryFolder: workFolder,
      config,
      rows: options.batchSize,
      length: data.length,
      ...weightsTraining(options, model, adapter),
      ...steppingOf(options),
    });
    try {
      if (adapter?.begin !== undefined) beginFromAdapter(decoder, adapter.begin);
      const totalSteps = totalStepsOf(options, data.training.stepsPerEpoch);
      const outcome = await runTraining({
        model: decoder,
        data: data.training,
        evaluation: data.heldOut && evaluationBatches(data.heldOut, data.length, options.batchSize),
        ...courseOf(options, totalSteps),
        identity: identityOf({ ...run, ...data.summary, totalSteps }),
        stop: training.stop,
        observe: training.observe,
      });
      if (!outcome.isFinished) return outcome;
      if (adapter === undefined) writeTrainedModel(options.outputDir, model, decoder.trainedWeights(), options.saveDtype);
      else writeTrainedAdapter(options.outputDir, model, decoder.trainedWeights(), adapter.settings, options.saveDtype);
      await writeTrainingReport(options.outputDir, {
        stage: training.stage,
        ...recordOf(training, { contentHash: model.contentHash, isFromNothing }, outcome, data.training.stepsPerEpoch),
        trains: adapter === undefined ? "all weights" : "a LoRA adapter",
        data: data.summary,
        metrics: readMetrics(join(options.outputDir, metricsFileName)),
      });
      return outcome;
    } finally {
      await decoder.dispose();
    }
  } finally {
    model.weights.close();
  }
}

/** The model at the path; a folder with a config and no weights gets those of the seed. */
function openForTraining(path: string, seed: number): { model: ModelFile; isFromNothing: boolean } {
  const isFolder = existsSync(join(path, "config.json")) && statSync(path).isDirectory();
  const isFromNothing = isFolder && !readdirSync(path).some((name) => /\.(safetensors|safetensors\.index\.json|bin|gguf)$/.test(name));
  if (!isFromNothing) return { model: openModel(path), isFromNothing };
  const model = openHuggingFaceFolder(path, (folder, _, config) => ({
    source: initialDecoderWeights(readDecoderConfig(config, folder), seed, initializerRange(config, folder)),
    files: [],
  }));
  return { model, isFromNothing };
}

/** Undefined where the config gives none. */
function initializerRange({ initializer_range: range }: Record<string, unknown>, folder: string): number | undefined {
  if (range === undefined || (typeof range === "number" && Number.isFinite(range) && range > 0)) return range;
  throw new BonsaiError("invalid_model_file", `${join(folder, "config.json")}: initializer_range must be a number above 0.`, {
    param: "initializer_range",
  });
}

interface RunData {
  training: TrainingData;
  heldOut: LaidOutDocuments | undefined;
  /** Places of every row. */
  length: number;
  summary: TrainingReport["data"];
}

function readData({ options, log }: LanguageModelTraining, model: ModelFile, config: DecoderConfig): RunData {
  if (options.maxLength > config.contextLength) {
    throw new BonsaiError(
      "usage",
      `--max-length ${options.maxLength} is more than the model's context of ${config.contextLength} tokens.`,
      {
        param: "--max-length",
      },
    );
  }
  const maxLength = options.maxLength === 0 ? Math.min(usualMaxLength, config.contextLength) : options.maxLength;
  const packing = options.packing ? options.packingStrategy : "none";
  const encoder = new RowEncoder(model);
  const read = (paths: readonly string[]): Documents => readDocuments(paths, encoder, packing === "wrapped" ? Infinity : maxLength);
  const documents = read(options.dataset);
  tellOf(documents, options.dataset, log);
  const evaluation = options.evalDataset.length === 0 ? undefined : read(options.evalDataset);
  if (evaluation !== undefined) tellOf(evaluation, options.evalDataset, log);
  const laidOut = layOut(documents.documents, packing, maxLength);
  const heldOut = evaluation && layOut(evaluation.documents, packing, maxLength);
  const length = commonLength(heldOut === undefined ? [laidOut] : [laidOut, heldOut], maxLength);
  const training = new TrainingData(laidOut, length, {
    batchSize: options.batchSize,
    accumulationSteps: options.gradientAccumulationSteps,
    seed: options.seed,
    shuffle: options.shuffle,
  });
  const { files, truncatedRows, truncatedTokens, droppedRows } = documents;
  const counts = { documents: documents.documents.length, rows: laidOut.rows.length, length };
  log(`${counts.documents} documents in ${counts.rows} rows of ${length} tokens, ${training.stepsPerEpoch} steps an epoch.`);
  const filled = laidOut.rows.reduce((sum, row) => sum + rowLength(row), 0) / (counts.rows * length);
  if (packing === "none" && filled < 0.7)
    log(`The rows are filled to ${Math.round(100 * filled)}%: --packing trains on more tokens in the same time.`);
  const summary = { files, evaluationFiles: evaluation?.files ?? [], ...counts, truncatedRows, truncatedTokens, droppedRows };
  return { training, heldOut, length, summary };
}

function tellOf({ truncatedRows, truncatedTokens, droppedRows }: Documents, paths: readonly string[], log: (line: string) => void): void {
  if (truncatedRows > 0) log(`Of ${paths.join(", ")}, ${truncatedRows} rows are cut at --max-length, ${truncatedTokens} tokens in all.`);
  if (droppedRows > 0) log(`Of ${paths.join(", ")}, ${droppedRows} rows are left out: nothing that is trained on is left of them.`);
}
