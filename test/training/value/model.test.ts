/** @file A value model under training takes PyTorch's steps, and gives the same whatever way the same work is cut. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { readDecoderConfig } from "../../../src/architectures/decoder/decoder-config.ts";
import type { TrainingMode } from "../../../src/architectures/training/trained-weights.ts";
import { openModel } from "../../../src/formats/open-model.ts";
import { allBatches } from "../../../src/training/data/row-data.ts";
import { answerRows, layOutAnswers, type LaidOutAnswers, type ScoredAnswer } from "../../../src/training/value/data.ts";
import { createValueModel, explainedVariance, type TrainableValueModel } from "../../../src/training/value/model.ts";
import { goldenPath } from "../../architectures/goldens.ts";
import { assertClose } from "../../autodiff/assert-close.ts";
import { temporaryFolder } from "../../fixtures/temporary-folder.ts";
import { goldenFactors, goldenLora, goldenMaxGradNorm, goldenOptions, worstDigest } from "../model/decoder-goldens.ts";

interface ValueGolden {
  /** The place of each answer's first token, and each answer's score. */
  starts: number[];
  scores: number[];
  /** Token ids by step and answer. */
  batches: number[][][];
  losses: number[];
  norms: number[];
  gradients: Record<string, number[]>;
  trained: Record<string, number[]>;
  targets?: string[];
}

const goldens = JSON.parse(
  readFileSync(fileURLToPath(new URL("../../oracle/reward-training/value.json", import.meta.url)), "utf8"),
) as Record<"full" | "lora", ValueGolden>;
const learningRate = 3e-3;
/** Holds all answers of a step in one row. */
const length = 32;

function answersOf({ starts, scores, batches }: ValueGolden, step: number): ScoredAnswer[] {
  return batches[step]!.map((ids, index) => ({ ids: Int32Array.from(ids), answerStart: starts[index]!, score: scores[index]! }));
}

const laidOut = (golden: ValueGolden, step: number, isPacked = false): LaidOutAnswers =>
  layOutAnswers(answersOf(golden, step), isPacked, length);

async function create({ targets }: ValueGolden): Promise<TrainableValueModel> {
  const file = openModel(goldenPath("llama"));
  const mode: TrainingMode = targets === undefined ? { kind: "full" } : { kind: "lora", lora: { ...goldenLora, targetModules: targets } };
  const model = await createValueModel({
    config: readDecoderConfig(file.config, file.path),
    weights: file.weights,
    path: file.path,
    rows: 3,
    length,
    mode,
    optimizer: { kind: "adamw", ...goldenOptions },
    maxGradNorm: goldenMaxGradNorm,
    threads: 1,
    temporaryFolder: temporaryFolder(),
    scoreDeviation: 0,
  });
  file.weights.close();
  goldenFactors(new Map([...model.trainedWeights()].filter(([weight]) => targets !== undefined || weight === "score.weight")));
  return model;
}

describe("a value model under training", () => {
  for (const [kind, golden] of Object.entries(goldens)) {
    test(`takes PyTorch's steps (${kind})`, async () => {
      const model = await create(golden);
      const [losses, norms]: [number[], number[]] = [[], []];
      for (const step of golden.batches.keys()) {
        const { loss, gradNorm } = await model.step(allBatches(answerRows(laidOut(golden, step)), 3), learningRate);
        losses.push(loss);
        norms.push(gradNorm);
      }
      assert.deepEqual([...model.trainedWeights().keys()].toSorted(), Object.keys(golden.trained).toSorted());
      const { name, difference } = worstDigest(model.trainedWeights(), golden.trained);
      await model.dispose();
      assertClose(losses, golden.losses, 1e-4, "losses");
      assertClose(norms, golden.norms, 1e-4, "gradient norms");
      assert.ok(difference < 1e-4, `${name} differs by ${difference} of its norm`);
    });
  }

  test("takes the same step whether answers lie in rows of their own, in one, or in batches that add up", async () => {
    const golden = goldens.full;
    const [apart, packed, added] = [await create(golden), await create(golden), await create(golden)];
    const steps = [
      await apart.step(allBatches(answerRows(laidOut(golden, 0)), 3), learningRate),
      await packed.step(allBatches(answerRows(laidOut(golden, 0, true)), 3), learningRate),
      await added.step(allBatches(answerRows(laidOut(golden, 0)), 1), learningRate),
    ];
    assert.equal(laidOut(golden, 0, true).rows.length, 1);
    for (const { loss, gradNorm, sums } of steps) {
      assertClose([loss, gradNorm], [steps[0]!.loss, steps[0]!.gradNorm], 3e-6, "loss and norm");
      assert.deepEqual([sums.labels, sums.scores], [steps[0]!.sums.labels, steps[0]!.sums.scores]);
    }
    for (const model of [packed, added])
      for (const [name, { data }] of apart.trainedWeights()) assertClose(model.trainedWeights().get(name)!.data, data, 1e-5, name);
    for (const model of [apart, packed, added]) await model.dispose();
  });
});

test("what a value model explains is counted over the tokens of answers", () => {
  // Scores 1, 1, 1 and 3 by token: their variance is 0.75.
  const sums = { loss: 0, labels: 4, scores: 6, squares: 12 };
  assert.equal(explainedVariance(0.75, sums), 0);
  assert.equal(explainedVariance(0.15, sums), 0.8);
  assert.equal(explainedVariance(1, { loss: 0, labels: 2, scores: 2, squares: 2 }), undefined);
});
