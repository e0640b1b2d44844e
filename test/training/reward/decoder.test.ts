/** @file A reward model under training takes PyTorch's steps, and gives the same whatever way the same work is cut. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { readDecoderConfig } from "../../../src/architectures/decoder/decoder-config.ts";
import type { TrainingMode } from "../../../src/architectures/training/trained-weights.ts";
import { openModel } from "../../../src/formats/open-model.ts";
import type { ComparisonBatch } from "../../../src/training/reward/batch.ts";
import type { Comparison } from "../../../src/training/reward/comparisons.ts";
import { answerBatches, comparisonLength } from "../../../src/training/reward/comparison-rows.ts";
import { createRewardDecoder, type RewardDecoderOptions } from "../../../src/training/reward/decoder.ts";
import type { TrainableRewardModel } from "../../../src/training/reward/model.ts";
import { assertClose } from "../../autodiff/assert-close.ts";
import { goldenPath } from "../../architectures/goldens.ts";
import { temporaryFolder } from "../../fixtures/temporary-folder.ts";
import { assertGoldenTraining, goldenFactors, goldenLora, goldenMaxGradNorm, goldenOptions } from "../model/decoder-goldens.ts";
import { exactBatch, goldenComparisons, rewardGolden, type RewardGolden } from "./reward-goldens.ts";

const models = ["llama", "qwen3", "gpt2"] as const;
type Name = (typeof models)[number];
const learningRate = 3e-3;

/** Each comparison in a row of its own. */
const alone = (comparisons: readonly Comparison[]): Comparison[][] => comparisons.map((comparison) => [comparison]);

/** As the golden says, in rows that hold `rows`, but for `changes`. */
async function create(
  name: Name,
  golden: RewardGolden,
  rows: readonly (readonly Comparison[])[],
  changes: Partial<RewardDecoderOptions> = {},
): Promise<TrainableRewardModel> {
  const file = openModel(goldenPath(name));
  const { targets, weights, centring } = golden;
  const mode: TrainingMode = targets === undefined ? { kind: "full" } : { kind: "lora", lora: { ...goldenLora, targetModules: targets } };
  const model = await createRewardDecoder({
    config: readDecoderConfig(file.config, file.path),
    weights: file.weights,
    path: file.path,
    rows: rows.length,
    length: Math.max(...rows.map((row) => row.reduce((sum, comparison) => sum + comparisonLength(comparison), 0))) + 3,
    mode,
    optimizer: { kind: "adamw", ...goldenOptions },
    maxGradNorm: goldenMaxGradNorm,
    threads: 1,
    seed: 1,
    temporaryFolder: temporaryFolder(),
    sizes: exactBatch(rows, weights.length, "plackett-luce").sizes,
    objective: { weights, centring },
    scoreDeviation: 0.02,
    ...changes,
  });
  file.weights.close();
  // The score in full, the score and all factors of LoRA.
  const own = [...model.trainedWeights()].filter(([weight]) => targets !== undefined || weight === "score.weight");
  if (changes.mode === undefined) goldenFactors(new Map(own));
  return model;
}

function batchOf(rows: readonly (readonly Comparison[])[], golden: RewardGolden): ComparisonBatch {
  return exactBatch(rows, golden.weights.length, "plackett-luce").batch;
}

async function takesPyTorchsSteps(name: Name, golden: RewardGolden): Promise<void> {
  const model = await create(name, golden, alone(goldenComparisons(golden, 0)));
  const losses: number[] = [];
  const norms: number[] = [];
  for (const step of golden.batches.keys()) {
    const batch = batchOf(alone(goldenComparisons(golden, step)), golden);
    if (step === 0) {
      const rewards = await model.rewards(batch);
      // The last measure is the weighted sum.
      const outputs = [...rewards].filter((_, at) => at % (golden.weights.length + 1) < golden.weights.length);
      assertClose(outputs, golden.outputs, 1e-4, "outputs");
    }
    const { loss, gradNorm } = await model.step([batch], learningRate);
    losses.push(loss);
    norms.push(gradNorm);
  }
  await assertGoldenTraining(model, { losses, norms }, golden);
}

describe("a decoder with a score under training", () => {
  for (const name of models) {
    for (const [kind, golden] of Object.entries(rewardGolden(name))) {
      test(`takes PyTorch's steps on ${name} (${kind})`, async () => takesPyTorchsSteps(name, golden));
    }
  }

  test("takes the same step whether each comparison has a row or all are packed in one", async () => {
    const golden = rewardGolden("llama").full;
    const packedRows = (step: number): Comparison[][] => [goldenComparisons(golden, step).toReversed()];
    const whole = await create("llama", golden, alone(goldenComparisons(golden, 0)));
    const packed = await create("llama", golden, packedRows(0));
    for (let step = 0; step < 3; step++) {
      const apart = await whole.step([batchOf(alone(goldenComparisons(golden, step)), golden)], learningRate);
      const together = await packed.step([batchOf(packedRows(step), golden)], learningRate);
      assertClose([together.loss, together.gradNorm], [apart.loss, apart.gradNorm], 3e-6, "loss and norm");
      const counts = ({ sums }: typeof apart): number[][] => sums.measures.map(({ pairs, correct }) => [pairs, correct]);
      assert.deepEqual(counts(together), counts(apart));
    }
    for (const [name, { data }] of whole.trainedWeights()) assertClose(packed.trainedWeights().get(name)!.data, data, 1e-5, name);
    for (const model of [whole, packed]) await model.dispose();
  });

  test("accumulates batches of one comparison as one batch of all", async () => {
    const golden = rewardGolden("gpt2").lora!;
    const rows = alone(goldenComparisons(golden, 0));
    const [whole, single] = [await create("gpt2", golden, rows), await create("gpt2", golden, rows)];
    const together = await whole.step([batchOf(rows, golden)], learningRate);
    const apart = await single.step(
      rows.map((row) => batchOf([row], golden)),
      learningRate,
    );
    assertClose([apart.loss, apart.gradNorm], [together.loss, together.gradNorm], 3e-6, "loss and norm");
    for (const [name, { data }] of whole.trainedWeights()) assertClose(single.trainedWeights().get(name)!.data, data, 1e-5, name);
    for (const model of [whole, single]) await model.dispose();
  });

  test("scores answers that are compared with none as it scores them in comparisons", async () => {
    const golden = rewardGolden("llama").full;
    const rows = alone(goldenComparisons(golden, 0));
    const model = await create("llama", golden, rows);
    const compared = await model.rewards(batchOf(rows, golden));
    const answers = rows.flat().flatMap((comparison) => comparison.answers);
    const sizes = exactBatch(rows, 2, "plackett-luce").sizes;
    const longest = Math.max(...rows.flat().map(comparisonLength)) + 3;
    const rewards: number[] = [];
    for (const batch of answerBatches(answers, { rows: 1, length: longest }, sizes.answers)) rewards.push(...(await model.rewards(batch)));
    assertClose(rewards, compared, 1e-5, "rewards");
    await model.dispose();
  });

  test("begins LoRA with the base's hidden states under a score drawn from the seed, as transformers draws it", async () => {
    const golden = rewardGolden("llama").full;
    const rows = alone(goldenComparisons(golden, 0));
    const mode: TrainingMode = { kind: "lora", lora: { ...goldenLora, targetModules: ["q_proj"] } };
    const scoreOf = async (seed: number): Promise<Float32Array> => {
      const model = await create("llama", golden, rows, { mode, seed, scoreDeviation: 0.5 });
      const score = model.trainedWeights().get("base_model.model.score.weight")!.data.slice();
      await model.dispose();
      return score;
    };
    const [first, again, other] = [await scoreOf(3), await scoreOf(3), await scoreOf(4)];
    assert.deepEqual(first, again);
    assert.notDeepEqual(first, other);
    const deviation = Math.sqrt(first.reduce((sum, value) => sum + value ** 2, 0) / first.length);
    assertClose([deviation], [0.5], 0.25, "deviation");
  });

  test("goes on from its state bit for bit, dropout included", async () => {
    const golden = rewardGolden("llama").lora!;
    const rows = alone(goldenComparisons(golden, 0));
    const mode: TrainingMode = { kind: "lora", lora: { ...goldenLora, dropout: 0.3, targetModules: golden.targets! } };
    const steps = async (model: TrainableRewardModel, from: number, to: number): Promise<number[]> => {
      const losses: number[] = [];
      for (let step = from; step < to; step++)
        losses.push((await model.step([batchOf(alone(goldenComparisons(golden, step)), golden)], learningRate)).loss);
      return losses;
    };
    const first = await create("llama", golden, rows, { mode });
    await steps(first, 0, 2);
    const state = new Map([...first.state()].map(([name, { shape, data }]) => [name, { shape, data: data.slice() }]));
    const expected = await steps(first, 2, 4);
    const second = await create("llama", golden, rows, { mode });
    second.restore(state);
    assert.deepEqual(await steps(second, 2, 4), expected);
    assert.deepEqual(second.state(), first.state());
    for (const model of [first, second]) await model.dispose();
  });
});
