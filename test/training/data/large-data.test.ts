/** @file Data sets of more rows than a call has arguments are laid out and measured as small ones are. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { documentRows, layOut, commonLength } from "../../../src/training/data/document-rows.ts";
import type { TrainingDocument } from "../../../src/training/data/documents.ts";
import { allBatches, RowData, type RowBatches } from "../../../src/training/data/row-data.ts";
import { isPastBest } from "../../../src/training/preference/early-stopping.ts";
import { commonPairLength, layOutPairs, mostPairs, pairRows } from "../../../src/training/preference/pair-rows.ts";
import { commonRowLength, comparisonRows, layOutComparisons, sizesOf } from "../../../src/training/reward/comparison-rows.ts";
import { rewardSums } from "../../../src/training/reward/metrics.ts";
import { answerRows, layOutAnswers, valueRowLength } from "../../../src/training/value/data.ts";

/** HH-RLHF has 160,000 pairs. */
const count = 200_000;
const many = <Item>(item: Item): Item[] => Array.from({ length: count }, () => item);
const ids = Int32Array.of(3, 4, 5, 6);
const longer = Int32Array.of(3, 4, 5, 6, 7);
const document: TrainingDocument = { ids, trained: Uint8Array.of(0, 1, 1, 1) };

/** Runs through an epoch's first and last step, and through all batches. */
function assertTrainable<Batch>(rows: RowBatches<Batch>): void {
  const data = new RowData(rows, { batchSize: 1000, accumulationSteps: 2, seed: 1, shuffle: true });
  assert.equal(data.batchesOf(0).batches.length, 2);
  assert.ok(data.batchesOf(data.stepsPerEpoch - 1).batches.length > 0);
  assert.equal(data.rowsOfFirst(data.stepsPerEpoch).length, rows.count);
  assert.equal(allBatches(rows, 50_000).length, Math.ceil(rows.count / 50_000));
}

for (const isPacked of [false, true]) {
  test(`200,000 documents${isPacked ? ", packed" : ""}`, () => {
    const laidOut = layOut(many(document), isPacked ? "bfd" : "none", 16);
    assert.equal(commonLength([laidOut], 100), 16);
    assertTrainable(documentRows(laidOut, 16));
  });

  test(`200,000 pairs of a policy${isPacked ? ", packed" : ""}`, () => {
    const pairs = many({ first: document, second: document, label: 1 as const });
    const length = commonPairLength(pairs);
    const laidOut = layOutPairs(pairs, isPacked, length);
    assert.equal(mostPairs([laidOut, laidOut], 2), isPacked ? 4 : 2);
    assertTrainable(pairRows(laidOut, length));
  });

  test(`200,000 comparisons of a reward model${isPacked ? ", packed" : ""}`, () => {
    const comparisons = many({ answers: [{ ids }, { ids: longer }], rankings: [{ ranks: [1, 2] }] });
    const length = commonRowLength(comparisons, many({ ids }));
    assert.equal(length, 16);
    const laidOut = layOutComparisons(comparisons, isPacked, length);
    for (const lossType of ["bradley-terry", "plackett-luce"] as const) {
      const sizes = sizesOf([laidOut, laidOut], 2, ["reward"], lossType);
      assert.deepEqual(sizes, { dimensions: 1, measures: 1, answers: 4, comparisons: 2, compared: 2 });
    }
    assertTrainable(comparisonRows(laidOut, "bradley-terry"));
  });

  test(`200,000 scored answers of a value model${isPacked ? ", packed" : ""}`, () => {
    const answers = many({ ids, answerStart: 1, score: 1 });
    const length = valueRowLength(answers, isPacked);
    assertTrainable(answerRows(layOutAnswers(answers, isPacked, length)));
  });
}

test("a batch of 200,000 answers has its least and greatest reward", () => {
  const rewards = Float32Array.from({ length: count }, (_, at) => (at === 70_000 ? -1 : at === 140_000 ? 2 : 0));
  const { least, greatest } = rewardSums({ answers: many({ ids }), rows: [], groups: [], labels: 0 }, rewards, 1, 0);
  assert.deepEqual([least, greatest], [-1, 2]);
});

test("200,000 evaluations stop a run early once they no longer fall", () => {
  const falling = Array.from({ length: count }, (_, at) => ({ step: at, epoch: 0, eval_loss: count - at }));
  assert.equal(isPastBest(falling, 100_000), false);
  assert.equal(isPastBest(falling.toReversed(), 130_000), true);
});
