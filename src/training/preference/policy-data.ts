/** @file The data of a policy's training as the options name them: read, counted, told of, and laid out in rows. */

import type { DecoderConfig } from "../../architectures/decoder/decoder-config.ts";
import type { DpoTrainingOptions } from "../../config/dpo-training-options.ts";
import { BonsaiError } from "../../errors/bonsai-error.ts";
import type { ModelFile } from "../../formats/model-file.ts";
import { RowEncoder } from "../data/documents.ts";
import { commonPairLength, layOutPairs, mostPairs, pairLength, PolicyData, type LaidOutPairs } from "./policy-batch.ts";
import { readPolicyAnswers, readPolicyPairs, type DocumentPairs } from "./policy-pairs.ts";
import type { PolicyObjective } from "./policy-programs.ts";
import type { PolicyReport } from "./policy-report.ts";

export interface PolicyTrainingData {
  training: PolicyData;
  laidOut: LaidOutPairs;
  heldOut: LaidOutPairs | undefined;
  /** Places of every row. */
  length: number;
  /** Of a batch. */
  mostPairs: number;
  /** Most tokens of an answer with its prompt. */
  maxLength: number;
  summary: PolicyReport["data"];
}

/** Longest answer with its prompt where neither the option nor the model's context says otherwise; TRL's default. */
const usualMaxLength = 1024;

/** @throws BonsaiError as `readPolicyPairs`; `usage` for a length that the model does not have. */
export function readPolicyData(
  options: DpoTrainingOptions,
  model: ModelFile,
  { contextLength }: DecoderConfig,
  { kind }: PolicyObjective,
  log: (line: string) => void,
): PolicyTrainingData {
  if (options.maxLength > contextLength) {
    throw new BonsaiError("usage", `--max-length ${options.maxLength} is more than the model's context of ${contextLength} tokens.`, {
      param: "--max-length",
    });
  }
  const maxLength = options.maxLength === 0 ? Math.min(usualMaxLength, contextLength) : options.maxLength;
  const encoder = new RowEncoder(model);
  const read = (paths: readonly string[]): DocumentPairs => {
    const found = (kind === "kto" ? readPolicyAnswers : readPolicyPairs)(paths, encoder, maxLength);
    const files = paths.join(", ");
    if (found.tooLongRows > 0) log(`Of ${files}, ${found.tooLongRows} rows are left out: they have more than ${maxLength} tokens.`);
    if (found.identicalRows > 0) log(`Of ${files}, ${found.identicalRows} rows are left out: their answers are the same.`);
    return found;
  };
  const given = read(options.dataset);
  const evaluation = options.evalDataset.length === 0 ? undefined : read(options.evalDataset);
  const length = commonPairLength([...given.pairs, ...(evaluation?.pairs ?? [])]);
  const laidOut = layOutPairs(given.pairs, options.packing, length);
  const heldOut = evaluation && layOutPairs(evaluation.pairs, options.packing, length);
  const training = new PolicyData(laidOut, length, {
    batchSize: options.batchSize,
    accumulationSteps: options.gradientAccumulationSteps,
    seed: options.seed,
    shuffle: options.shuffle,
  });
  const counts = { pairs: given.pairs.length, rows: laidOut.rows.length, length };
  log(
    `${counts.pairs} ${kind === "kto" ? "answers" : "pairs"} in ${counts.rows} rows of ${length} tokens, ${training.stepsPerEpoch} steps an epoch.`,
  );
  const filled = given.pairs.reduce((sum, pair) => sum + pairLength(pair), 0) / (counts.rows * length);
  if (!options.packing && filled < 0.7)
    log(`The rows are filled to ${Math.round(100 * filled)}%: --packing trains on more pairs in the same time.`);
  return {
    training,
    laidOut,
    heldOut,
    length,
    maxLength,
    mostPairs: mostPairs(heldOut === undefined ? [laidOut] : [laidOut, heldOut], options.batchSize),
    summary: {
      files: given.files,
      evaluationFiles: evaluation?.files ?? [],
      ...counts,
      tooLongRows: given.tooLongRows,
      identicalRows: given.identicalRows,
    },
  };
}
