/**
 * @file A policy under training takes PyTorch's steps, against the reference that it began as, and gives the same
 * whatever way the same work is cut.
 */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { readDecoderConfig } from "../../../src/architectures/decoder/decoder-config.ts";
import type { TrainingMode } from "../../../src/architectures/training/trained-weights.ts";
import { openModel } from "../../../src/formats/open-model.ts";
import {
  fillReferences,
  layOutPairs,
  mostPairs,
  pairLength,
  pairRows,
  type LaidOutPairs,
  type PolicyBatch,
} from "../../../src/training/preference/pair-rows.ts";
import { allBatches } from "../../../src/training/data/row-data.ts";
import type { DocumentPair } from "../../../src/training/preference/pairs.ts";
import { createTrainablePolicy, type TrainablePolicy, type TrainablePolicyOptions } from "../../../src/training/preference/model.ts";
import { goldenPath } from "../../architectures/goldens.ts";
import { assertClose } from "../../autodiff/assert-close.ts";
import { temporaryFolder } from "../../fixtures/temporary-folder.ts";
import { assertGoldenTraining, goldenFactors, goldenLora, goldenMaxGradNorm, goldenOptions } from "../model/decoder-goldens.ts";
import { policyGolden, type PolicyGolden } from "./policy-goldens.ts";

const models = ["llama", "qwen3", "gpt2"] as const;
type Name = (typeof models)[number];
const learningRate = 3e-3;
const stop = new AbortController().signal;

/** The pairs of a step. */
function goldenPairs({ batches }: PolicyGolden, step: number): DocumentPair[] {
  return batches[step]!.map(([prompt, chosen, rejected]) => {
    const document = (answer: number[]): DocumentPair["first"] => ({
      ids: Int32Array.from([...prompt, ...answer]),
      trained: Uint8Array.from([...prompt.map(() => 0), ...answer.map(() => 1)]),
    });
    return { first: document(chosen), second: document(rejected), label: 1 };
  });
}

interface Opened {
  policy: TrainablePolicy;
  /** The only batch of a step, in rows as asked for, with what the reference says. */
  batchOf: (step: number) => PolicyBatch;
}

/** As the golden says, but for `changes`; the references are found before the factors are those of the golden. */
async function open(name: Name, golden: PolicyGolden, isPacked = false, changes: Partial<TrainablePolicyOptions> = {}): Promise<Opened> {
  const file = openModel(goldenPath(name));
  const { targets, mix, beta } = golden;
  const mode: TrainingMode = targets === undefined ? { kind: "full" } : { kind: "lora", lora: { ...goldenLora, targetModules: targets } };
  const all = golden.batches.map((_, step) => goldenPairs(golden, step));
  const length = isPacked ? all[0]!.reduce((sum, pair) => sum + pairLength(pair), 0) + 5 : Math.max(...all.flat().map(pairLength)) + 3;
  const laidOut = all.map((pairs): LaidOutPairs => layOutPairs(isPacked ? pairs.toReversed() : pairs, isPacked, length));
  const rows = laidOut[0]!.rows.length;
  const policy = await createTrainablePolicy({
    config: readDecoderConfig(file.config, file.path),
    weights: file.weights,
    path: file.path,
    rows,
    length,
    pairs: mostPairs(laidOut, rows) + 1,
    objective: { kind: "pairs", mix, settings: { beta, labelSmoothing: 0, discopopTau: 0.05, gammaBetaRatio: 0.5 } },
    mode,
    optimizer: { kind: "adamw", ...goldenOptions },
    maxGradNorm: goldenMaxGradNorm,
    threads: 1,
    seed: 1,
    temporaryFolder: temporaryFolder(),
    ...changes,
  });
  file.weights.close();
  for (const one of laidOut)
    assert.ok(await fillReferences(one, [...one.rows.keys()], length, rows, async (batch) => policy.logProbabilities(batch), stop));
  if (targets !== undefined) goldenFactors(policy.trainedWeights());
  return { policy, batchOf: (step) => allBatches(pairRows(laidOut[step]!, length), rows)[0]! };
}

async function takesPyTorchsSteps(name: Name, golden: PolicyGolden): Promise<void> {
  const { policy, batchOf } = await open(name, golden);
  const [losses, norms]: [number[], number[]] = [[], []];
  for (const step of golden.batches.keys()) {
    const batch = batchOf(step);
    assertClose(batch.references, golden.references[step]!, 1e-5, "log-probabilities of the reference");
    assertClose(await policy.logProbabilities(batch), golden.policies[step]!, 1e-4, "log-probabilities");
    const evaluated = await policy.evaluate(batch);
    const { loss, gradNorm, sums } = await policy.step([batch], learningRate);
    assertClose([evaluated.loss / evaluated.pairs, sums.loss / sums.pairs], [loss, loss], 1e-5, "the loss of evaluation and step");
    losses.push(loss);
    norms.push(gradNorm);
    const rewards = golden.policies[step]!.map((value, at) => golden.beta * (value - golden.references[step]![at]!));
    const sum = (first: number): number => rewards.reduce((total, value, at) => total + (at % 2 === first ? value : 0), 0);
    assertClose([sums.chosen.reward, sums.rejected.reward], [sum(0), sum(1)], 1e-3, "rewards");
    assert.equal(sums.correct, rewards.filter((value, at) => at % 2 === 0 && value > rewards[at + 1]!).length);
  }
  await assertGoldenTraining(policy, { losses, norms }, golden);
}

describe("a policy under training on preferences", () => {
  for (const name of models) {
    for (const [kind, golden] of Object.entries(policyGolden(name)))
      test(`takes PyTorch's steps on ${name} (${kind})`, async () => takesPyTorchsSteps(name, golden));
  }

  test("takes the same step whether each pair has a row or all are packed in one", async () => {
    const golden = policyGolden("llama").full;
    const [apart, together] = [await open("llama", golden), await open("llama", golden, true)];
    for (let step = 0; step < 3; step++) {
      const first = await apart.policy.step([apart.batchOf(step)], learningRate);
      const second = await together.policy.step([together.batchOf(step)], learningRate);
      assertClose([second.loss, second.gradNorm, second.entropy], [first.loss, first.gradNorm, first.entropy], 1e-5, "loss, norm, entropy");
    }
    for (const [name, { data }] of apart.policy.trainedWeights())
      assertClose(together.policy.trainedWeights().get(name)!.data, data, 3e-5, name);
    for (const { policy } of [apart, together]) await policy.dispose();
  });

  test("accumulates batches of one pair as one batch of all", async () => {
    const golden = policyGolden("gpt2").lora!;
    const [whole, single] = [await open("gpt2", golden), await open("gpt2", golden)];
    const batch = whole.batchOf(0);
    const { length } = batch.tokens;
    const parts = [...batch.labels.keys()].map((pair): PolicyBatch => {
      const slice = <T extends Int32Array | Float32Array>(values: T, size: number): T => values.slice(pair * size, (pair + 1) * size) as T;
      const { ids, targets, segments, positions } = batch.tokens;
      const [partIds, partTargets, partSegments, partPositions] = [ids, targets, segments, positions].map((values) => slice(values, length)) as [Int32Array, Int32Array, Int32Array, Int32Array]; // prettier-ignore
      return {
        tokens: { rows: 1, length, ids: partIds, targets: partTargets, segments: partSegments, positions: partPositions },
        sequences: slice(batch.sequences, length).map((sequence) => sequence % 2),
        lengths: slice(batch.lengths, 2),
        references: slice(batch.references, 2),
        labels: slice(batch.labels, 1),
      };
    });
    const together = await whole.policy.step([batch], learningRate);
    const apart = await single.policy.step(parts, learningRate);
    assertClose([apart.loss, apart.gradNorm], [together.loss, together.gradNorm], 1e-5, "loss and norm");
    for (const [name, { data }] of whole.policy.trainedWeights())
      assertClose(single.policy.trainedWeights().get(name)!.data, data, 3e-5, name);
    for (const { policy } of [whole, single]) await policy.dispose();
  });

  test("goes on from its state bit for bit, dropout included", async () => {
    const golden = policyGolden("llama").lora!;
    const mode: TrainingMode = { kind: "lora", lora: { ...goldenLora, dropout: 0.3, targetModules: golden.targets! } };
    const steps = async ({ policy, batchOf }: Opened, from: number, to: number): Promise<number[]> => {
      const losses: number[] = [];
      for (let step = from; step < to; step++) losses.push((await policy.step([batchOf(step)], learningRate)).loss);
      return losses;
    };
    const first = await open("llama", golden, false, { mode });
    await steps(first, 0, 2);
    const state = new Map([...first.policy.state()].map(([name, { shape, data }]) => [name, { shape, data: data.slice() }]));
    const expected = await steps(first, 2, 4);
    const second = await open("llama", golden, false, { mode });
    second.policy.restore(state);
    assert.deepEqual(await steps(second, 2, 4), expected);
    assert.deepEqual(second.policy.state(), first.policy.state());
    for (const { policy } of [first, second]) await policy.dispose();
  });
});
