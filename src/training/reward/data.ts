/** @file The comparisons of a reward model's training, read and laid out in rows as the options say. */

import type { RewardTrainingOptions } from "../../config/reward-training-options.ts";
import type { ReadFile } from "../../formats/json-lines.ts";
import { packingAdvice } from "../data/packing.ts";
import { RowData } from "../data/row-data.ts";
import { rowOrderOf } from "../run/run-options.ts";
import type { TaskData } from "../run/training-task.ts";
import type { ComparisonBatch, RowSizes } from "./batch.ts";
import type { RewardReport } from "./card.ts";
import { commonRowLength, comparisonLength, comparisonRows, layOutComparisons, sizesOf } from "./comparison-rows.ts";
import { readComparisons, type Comparison, type Comparisons, type EncodedAnswer } from "./comparisons.ts";
import type { OpenedForm } from "./forms.ts";
import type { ComparisonSizes } from "./loss.ts";
import { readReference } from "./reference.ts";

export interface RewardData extends TaskData<ComparisonBatch>, RowSizes {
  /** The answers whose rewards are to have mean 0 and deviation 1. */
  reference: { answers: readonly EncodedAnswer[]; files: readonly ReadFile[] };
  sizes: ComparisonSizes;
  /** Most tokens of an answer with its prompt. */
  maxLength: number;
  /** All that the model will read. */
  answers: readonly EncodedAnswer[];
  summary: RewardReport["data"];
}

/** Reads the comparisons of a data set, and logs what was cut or left out. @throws BonsaiError as `readComparisons`. */
export function readLoggedComparisons(
  paths: readonly string[],
  { encoder }: OpenedForm,
  { dimensions }: RewardTrainingOptions,
  maxLength: number,
  log: (line: string) => void,
): Comparisons {
  const found = readComparisons(paths, encoder, dimensions, maxLength);
  const { truncatedAnswers, truncatedTokens, identicalRows, unlabelledRows } = found;
  const files = paths.join(", ");
  if (truncatedAnswers > 0) log(`Of ${files}, ${truncatedAnswers} answers are cut at --max-length, ${truncatedTokens} tokens in all.`);
  if (identicalRows > 0) log(`Of ${files}, ${identicalRows} rows are left out: their answers are the same.`);
  if (unlabelledRows > 0) log(`Of ${files}, ${unlabelledRows} rows are left out: they say nothing of the dimensions.`);
  return found;
}

/**
 * Lays the comparisons of a run out in rows of one length, and reads the reference answers.
 * @throws BonsaiError as `readReference`.
 */
export function layOutRewardData(
  options: RewardTrainingOptions,
  { encoder, packs }: OpenedForm,
  read: Comparisons,
  heldOut: Comparisons | undefined,
  maxLength: number,
  log: (line: string) => void,
): RewardData {
  const { batchSize, dimensions, lossType } = options;
  const reference = options.reference.length === 0 ? undefined : readReference(options.reference, encoder, maxLength);
  if (reference !== undefined && reference.truncatedAnswers > 0)
    log(`Of ${options.reference.join(", ")}, ${reference.truncatedAnswers} answers lose their beginning to --max-length.`);
  const { comparisons, files, truncatedAnswers, truncatedTokens, identicalRows, unlabelledRows } = read;
  const all = [...comparisons, ...(heldOut?.comparisons ?? [])];
  const length = commonRowLength(all, reference?.answers ?? []);
  const isPacked = options.packing && packs;
  const laidOut = layOutComparisons(comparisons, isPacked, length);
  const laidOutHeldOut = heldOut && layOutComparisons(heldOut.comparisons, isPacked, length);
  const sets = laidOutHeldOut === undefined ? [laidOut] : [laidOut, laidOutHeldOut];
  const training = new RowData(comparisonRows(laidOut, lossType), rowOrderOf(options));
  const counts = { comparisons: comparisons.length, answers: answersOf(comparisons).length, rows: laidOut.rows.length, length };
  log(
    `${counts.comparisons} comparisons of ${counts.answers} answers in ${counts.rows} rows of ${length} tokens, ${training.stepsPerEpoch} steps an epoch.`,
  );
  const filled = comparisons.reduce((sum, comparison) => sum + comparisonLength(comparison), 0) / (counts.rows * length);
  const advice = packs && !isPacked ? packingAdvice(filled, "comparisons") : undefined;
  if (advice !== undefined) log(advice);
  const scaledBy = heldOut ?? read;
  return {
    training,
    heldOut: laidOutHeldOut && comparisonRows(laidOutHeldOut, lossType),
    reference: reference ?? { answers: answersOf(scaledBy.comparisons), files: scaledBy.files },
    rows: batchSize,
    length,
    sizes: sizesOf(sets, batchSize, dimensions, lossType),
    maxLength,
    answers: [...answersOf(all), ...(reference?.answers ?? [])],
    summary: {
      files,
      evaluationFiles: heldOut?.files ?? [],
      referenceFiles: reference?.files ?? [],
      ...counts,
      truncatedAnswers,
      truncatedTokens,
      identicalRows,
      unlabelledRows,
    },
  };
}

function answersOf(comparisons: readonly Comparison[]): EncodedAnswer[] {
  return comparisons.flatMap(({ answers }) => answers);
}
