/** @file The data of a reward model's training as the options name them: read, counted, told of, and laid out in rows. */

import type { RewardTrainingOptions } from "../../config/reward-training-options.ts";
import { BonsaiError } from "../../errors/bonsai-error.ts";
import type { RowSizes } from "./comparison-batch.ts";
import { readComparisons, type Comparison, type Comparisons, type EncodedAnswer } from "./comparisons.ts";
import type { ReadFile } from "../../formats/json-lines.ts";
import {
  commonRowLength,
  comparisonLength,
  layOutComparisons,
  PreferenceData,
  sizesOf,
  type LaidOutComparisons,
} from "./preference-data.ts";
import type { ComparisonSizes } from "./preference-loss.ts";
import type { OpenedForm } from "./reward-forms.ts";
import { readReference } from "./reward-reference.ts";
import type { RewardReport } from "./reward-report.ts";

export interface RewardData extends RowSizes {
  training: PreferenceData;
  heldOut: LaidOutComparisons | undefined;
  /** Whose rewards are to have mean 0 and deviation 1. */
  reference: { answers: readonly EncodedAnswer[]; files: readonly ReadFile[] };
  sizes: ComparisonSizes;
  /** Most tokens of an answer with its prompt. */
  maxLength: number;
  /** All that the model will read. */
  answers: readonly EncodedAnswer[];
  summary: RewardReport["data"];
}

/** Longest answer where neither the option nor the model's context says otherwise; TRL's default. */
const usualMaxLength = 1024;

/** Most tokens of an answer with its prompt. @throws BonsaiError `usage` for a length that the model does not have. */
export function lengthOfOptions(
  { maxLength }: Pick<RewardTrainingOptions, "maxLength">,
  { contextLength }: Pick<OpenedForm, "contextLength">,
): number {
  if (maxLength > contextLength) {
    throw new BonsaiError("usage", `--max-length ${maxLength} is more than the model's context of ${contextLength} tokens.`, {
      param: "--max-length",
    });
  }
  return maxLength === 0 ? Math.min(usualMaxLength, contextLength) : maxLength;
}

/** @throws BonsaiError as `readComparisons` and `readReference`; `usage` for a length that the model does not have. */
export function readRewardData(options: RewardTrainingOptions, form: OpenedForm, log: (line: string) => void): RewardData {
  const { encoder } = form;
  const maxLength = lengthOfOptions(options, form);
  const read = (paths: readonly string[]): Comparisons => {
    const found = readComparisons(paths, encoder, options.dimensions, maxLength);
    tellOf(found, paths, log);
    return found;
  };
  const given = read(options.dataset);
  const evaluation = options.evalDataset.length === 0 ? undefined : read(options.evalDataset);
  const reference = options.reference.length === 0 ? undefined : readReference(options.reference, encoder, maxLength);
  if (reference !== undefined && reference.truncatedAnswers > 0)
    log(`Of ${options.reference.join(", ")}, ${reference.truncatedAnswers} answers lose their beginning to --max-length.`);
  const { comparisons } = given;
  const all = [...comparisons, ...(evaluation?.comparisons ?? [])];
  const length = commonRowLength(all, reference?.answers ?? []);
  const isPacked = options.packing && form.packs;
  const laidOut = layOutComparisons(comparisons, isPacked, length);
  const heldOut = evaluation && layOutComparisons(evaluation.comparisons, isPacked, length);
  const sizes = sizesOf(heldOut === undefined ? [laidOut] : [laidOut, heldOut], options.batchSize, options.dimensions, options.lossType);
  const training = new PreferenceData(laidOut, options.lossType, {
    batchSize: options.batchSize,
    accumulationSteps: options.gradientAccumulationSteps,
    seed: options.seed,
    shuffle: options.shuffle,
  });
  const { files, truncatedAnswers, truncatedTokens, identicalRows, unlabelledRows } = given;
  const trained = answersOf(comparisons);
  const counts = { comparisons: comparisons.length, answers: trained.length, rows: laidOut.rows.length, length };
  log(
    `${counts.comparisons} comparisons of ${counts.answers} answers in ${counts.rows} rows of ${length} tokens, ${training.stepsPerEpoch} steps an epoch.`,
  );
  tellOfPadding(comparisons, counts, form.packs && !isPacked, log);
  const byDefault = evaluation ?? given;
  return {
    training,
    heldOut,
    reference: reference ?? { answers: answersOf(byDefault.comparisons), files: byDefault.files },
    rows: options.batchSize,
    length,
    sizes,
    maxLength,
    answers: [...answersOf(all), ...(reference?.answers ?? [])],
    summary: {
      files,
      evaluationFiles: evaluation?.files ?? [],
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

function tellOf(found: Comparisons, paths: readonly string[], log: (line: string) => void): void {
  const { truncatedAnswers, truncatedTokens, identicalRows, unlabelledRows } = found;
  const files = paths.join(", ");
  if (truncatedAnswers > 0) log(`Of ${files}, ${truncatedAnswers} answers are cut at --max-length, ${truncatedTokens} tokens in all.`);
  if (identicalRows > 0) log(`Of ${files}, ${identicalRows} rows are left out: their answers are the same.`);
  if (unlabelledRows > 0) log(`Of ${files}, ${unlabelledRows} rows are left out: they say nothing of the dimensions.`);
}

function tellOfPadding(
  comparisons: readonly Comparison[],
  { rows, length }: { rows: number; length: number },
  couldPack: boolean,
  log: (line: string) => void,
): void {
  const filled = comparisons.reduce((sum, comparison) => sum + comparisonLength(comparison), 0) / (rows * length);
  if (couldPack && filled < 0.7)
    log(`The rows are filled to ${Math.round(100 * filled)}%: --packing trains on more comparisons in the same time.`);
}
