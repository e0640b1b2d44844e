/** @file Comparisons as a batch, and as the arrays that the graphs of a reward model's loss take. */

import { BonsaiError } from "../../errors/bonsai-error.ts";
import type { Comparison, EncodedAnswer } from "./comparisons.ts";
import { excluded, type ComparisonSizes } from "./loss.ts";
import { choicesOf, pairsOf, rankingOfPair, type Ranking } from "../data/ranking.ts";
import type { Arrays } from "../model/training-session.ts";

/**
 * The loss of a list: that of its whole ranking (Plackett and Luce), or the mean over its pairs (Bradley and Terry, as
 * Ouyang et al. 2022, equation 1). The two are the same for a pair.
 */
export const lossTypes = ["bradley-terry", "plackett-luce"] as const;
export type LossType = (typeof lossTypes)[number];

/** Answers of a batch that are compared with each other. */
export interface ComparedGroup {
  /** Indices of the batch's answers. */
  answers: readonly number[];
  /** Rankings by measure; undefined where a measure does not rank the group. */
  rankings: readonly (Ranking | undefined)[];
  /** The group's part of one label: 1, or one over the pairs of a list that is taken by pairs. */
  share: number;
}

export interface ComparisonBatch {
  answers: readonly EncodedAnswer[];
  /** Answers of each row of tokens, as indices. */
  rows: readonly (readonly number[])[];
  groups: readonly ComparedGroup[];
  /**
   * Labels of the batch: the loss is the mean over them. A comparison has one label for each measure that it is ranked
   * by.
   */
  labels: number;
}

/** @param rows of tokens: the comparisons whose answers lie in each. */
export function makeComparisonBatch(rows: readonly (readonly Comparison[])[], lossType: LossType): ComparisonBatch {
  const answers: EncodedAnswer[] = [];
  const groups: ComparedGroup[] = [];
  let labels = 0;
  const rowsOfAnswers = rows.map((comparisons) => {
    const start = answers.length;
    for (const comparison of comparisons) {
      for (const group of groupsOf(comparison, answers.length, lossType)) groups.push(group);
      for (const answer of comparison.answers) answers.push(answer);
      labels += comparison.rankings.filter((ranking) => ranking !== undefined).length;
    }
    return Array.from({ length: answers.length - start }, (_, index) => start + index);
  });
  return { answers, rows: rowsOfAnswers, groups, labels };
}

/** Groups that a comparison makes. */
export function groupCount({ answers }: Comparison, lossType: LossType): number {
  return lossType === "plackett-luce" ? 1 : (answers.length * (answers.length - 1)) / 2;
}

function groupsOf({ answers, rankings }: Comparison, first: number, lossType: LossType): ComparedGroup[] {
  const indices = answers.map((_, index) => first + index);
  if (lossType === "plackett-luce" || answers.length === 2) return [{ answers: indices, rankings, share: 1 }];
  const pairs = pairsOf(answers.length);
  return pairs.map(([a, b]) => ({
    answers: [first + a, first + b],
    rankings: rankings.map((ranking) => ranking && rankingOfPair(ranking, a, b)),
    share: 1 / pairs.length,
  }));
}

export interface RewardObjective {
  /** Weights of the dimensions in the holistic reward. */
  weights: readonly number[];
  /** What the squares that keep rewards around zero are multiplied by; 0 leaves them out. */
  centring: number;
}

/**
 * The arrays that `preferenceLoss` takes, but for its scale.
 *
 * Every label weighs 1: the choices of a ranking share it. A margin belongs to the row's own ranking, which is the last
 * measure.
 * @throws BonsaiError `internal` for a batch that is larger than `sizes`.
 */
export function comparisonArrays(batch: ComparisonBatch, sizes: ComparisonSizes, { weights, centring }: RewardObjective): Arrays {
  const { measures: M, comparisons: C, compared: K, answers: N } = sizes;
  if (batch.groups.length > C || batch.answers.length > N || batch.groups.some(({ answers }) => answers.length > K)) {
    throw new BonsaiError("internal", `A batch of ${batch.groups.length} comparisons of ${batch.answers.length} answers does not fit.`);
  }
  const arrays = {
    measures: measureMatrix(weights, M),
    compared: new Int32Array(C * K),
    offsets: new Float32Array(M * C * K * K),
    choice_weights: new Float32Array(M * C * K),
    shares: new Float32Array(C * K),
    centring_weights: new Float32Array(M * C),
  };
  for (const [c, { answers, rankings, share }] of batch.groups.entries()) {
    arrays.compared.set(answers, c * K);
    arrays.shares.fill(2 / answers.length, c * K, c * K + answers.length);
    for (const [m, ranking] of rankings.entries()) {
      if (ranking === undefined) continue;
      const place = m * C + c;
      arrays.centring_weights[place] = centring * share;
      const choices = choicesOf(ranking);
      for (const { chosen, among } of choices) {
        arrays.choice_weights[place * K + chosen] = share / choices.length;
        const offsets = arrays.offsets.subarray((place * K + chosen) * K, (place * K + chosen + 1) * K).fill(excluded);
        for (const other of among) offsets[other] = other === chosen ? 0 : (ranking.margin ?? 0);
      }
    }
  }
  return arrays;
}

/** [D, M]: each dimension for itself, and last their weighted sum where there are several. */
function measureMatrix(weights: readonly number[], M: number): Float32Array<ArrayBuffer> {
  const matrix = new Float32Array(weights.length * M);
  for (const [d, weight] of weights.entries()) {
    matrix[d * M + d] = 1;
    if (M > weights.length) matrix[d * M + M - 1] = weight;
  }
  return matrix;
}

/** Rows of the graphs that read tokens, and their length. */
export interface RowSizes {
  rows: number;
  length: number;
}

/**
 * Answers side by side in their rows, each a document of its own: ids, segments, positions and, for models that know
 * them, types [R * T]; and the places of each answer's first and last token, starts and ends [N].
 * @throws BonsaiError `internal` for answers that do not fit.
 */
export function tokenArrays(
  { answers, rows }: Pick<ComparisonBatch, "answers" | "rows">,
  { rows: R, length: T }: RowSizes,
  N: number,
): Record<"ids" | "segments" | "positions" | "types" | "starts" | "ends", Int32Array<ArrayBuffer>> {
  const arrays = {
    ids: new Int32Array(R * T),
    segments: new Int32Array(R * T).fill(-1),
    positions: new Int32Array(R * T),
    types: new Int32Array(R * T),
    starts: new Int32Array(N),
    ends: new Int32Array(N),
  };
  for (const [row, indices] of rows.entries()) {
    let at = row * T;
    for (const [segment, index] of indices.entries()) {
      const { ids, types } = answers[index]!;
      const end = at + ids.length;
      if (row >= R || end > (row + 1) * T) throw new BonsaiError("internal", `Row ${row} does not fit ${R} rows of ${T} tokens.`);
      arrays.ids.set(ids, at);
      arrays.segments.fill(segment, at, end);
      for (let place = at; place < end; place++) arrays.positions[place] = place - at;
      if (types !== undefined) arrays.types.set(types, at);
      arrays.starts[index] = at;
      arrays.ends[index] = end - 1;
      at = end;
    }
  }
  return arrays;
}
