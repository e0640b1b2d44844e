/** @file The pairs of a policy's training, read and laid out in rows as the options say. */

import type { DpoTrainingOptions } from "../../config/dpo-training-options.ts";
import { packingAdvice } from "../data/packing.ts";
import { RowData } from "../data/row-data.ts";
import type { RowEncoder } from "../data/documents.ts";
import { rowOrderOf } from "../run/run-options.ts";
import type { TaskData } from "../run/training-task.ts";
import type { PolicyReport } from "./card.ts";
import { commonPairLength, layOutPairs, mostPairs, pairLength, pairRows, type LaidOutPairs, type PolicyBatch } from "./pair-rows.ts";
import { readPolicyAnswers, readPolicyPairs, type DocumentPairs } from "./pairs.ts";
import type { PolicyObjective } from "./programs.ts";

export interface PolicyData extends TaskData<PolicyBatch> {
  training: RowData<PolicyBatch>;
  pairs: LaidOutPairs;
  heldOutPairs: LaidOutPairs | undefined;
  /** Places of every row. */
  length: number;
  /** Most pairs of a batch. */
  mostPairs: number;
  /** Most tokens of an answer with its prompt. */
  maxLength: number;
  summary: PolicyReport["data"];
}

/** Reads the pairs of a data set, and logs which rows are left out. @throws BonsaiError as `readPolicyPairs`. */
export function readPairs(
  paths: readonly string[],
  encoder: RowEncoder,
  kind: PolicyObjective["kind"],
  maxLength: number,
  log: (line: string) => void,
): DocumentPairs {
  const found = (kind === "kto" ? readPolicyAnswers : readPolicyPairs)(paths, encoder, maxLength);
  const files = paths.join(", ");
  if (found.tooLongRows > 0) log(`Of ${files}, ${found.tooLongRows} rows are left out: they have more than ${maxLength} tokens.`);
  if (found.identicalRows > 0) log(`Of ${files}, ${found.identicalRows} rows are left out: their answers are the same.`);
  return found;
}

/** Lays the pairs of a run out in rows of one length. */
export function layOutPolicyData(
  options: DpoTrainingOptions,
  read: DocumentPairs,
  heldOut: DocumentPairs | undefined,
  kind: PolicyObjective["kind"],
  maxLength: number,
  log: (line: string) => void,
): PolicyData {
  const length = commonPairLength(heldOut === undefined ? read.pairs : [...read.pairs, ...heldOut.pairs]);
  const pairs = layOutPairs(read.pairs, options.packing, length);
  const heldOutPairs = heldOut && layOutPairs(heldOut.pairs, options.packing, length);
  const training = new RowData(pairRows(pairs, length), rowOrderOf(options));
  const counts = { pairs: read.pairs.length, rows: pairs.rows.length, length };
  const items = kind === "kto" ? "answers" : "pairs";
  log(`${counts.pairs} ${items} in ${counts.rows} rows of ${length} tokens, ${training.stepsPerEpoch} steps an epoch.`);
  const filled = read.pairs.reduce((sum, pair) => sum + pairLength(pair), 0) / (counts.rows * length);
  const advice = options.packing ? undefined : packingAdvice(filled, "pairs");
  if (advice !== undefined) log(advice);
  const { files, tooLongRows, identicalRows } = read;
  return {
    training,
    heldOut: heldOutPairs && pairRows(heldOutPairs, length),
    pairs,
    heldOutPairs,
    length,
    maxLength,
    mostPairs: mostPairs(heldOutPairs === undefined ? [pairs] : [pairs, heldOutPairs], options.batchSize),
    summary: { files, evaluationFiles: heldOut?.files ?? [], ...counts, tooLongRows, identicalRows },
  };
}
