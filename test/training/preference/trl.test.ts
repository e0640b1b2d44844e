/**
 * @file On stories260K, whole and under LoRA, every loss is TRL's (test/oracle/policy-trl.py), with its metrics and its
 * gradients.
 */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { readDecoderConfig } from "../../../src/architectures/decoder/decoder-config.ts";
import type { TrainingMode } from "../../../src/architectures/training/trained-weights.ts";
import { openModel } from "../../../src/formats/open-model.ts";
import { layOutPairs, mostPairs, pairLength, pairRows, type PolicyBatch } from "../../../src/training/preference/pair-rows.ts";
import { pairLosses, type PairLossName } from "../../../src/training/preference/losses.ts";
import { namedPolicyMetrics } from "../../../src/training/preference/metrics.ts";
import { allBatches } from "../../../src/training/data/row-data.ts";
import type { DocumentPair } from "../../../src/training/preference/pairs.ts";
import type { PolicyObjective } from "../../../src/training/preference/programs.ts";
import { createTrainablePolicy, type TrainablePolicy } from "../../../src/training/preference/model.ts";
import { assertClose } from "../../autodiff/assert-close.ts";
import { sharedDataPath, withoutSharedData } from "../../fixtures/real-models.ts";
import { temporaryFolder } from "../../fixtures/temporary-folder.ts";
import { goldenFactors, goldenLora, worstDigest } from "../model/decoder-goldens.ts";
import { policyTrlGoldens, type PolicyTrlCase } from "./policy-goldens.ts";

const model = "models/stories260K";
const goldens = policyTrlGoldens();
const forms = ["full", "lora"] as const;

function objectiveOf(name: string, { beta, labelSmoothing }: PolicyTrlCase): PolicyObjective {
  const [desirableWeight, undesirableWeight] = goldens.weights;
  if (name === "kto") return { kind: "kto", settings: { beta, desirableWeight, undesirableWeight } };
  const settings = { beta, labelSmoothing, discopopTau: 0.05, gammaBetaRatio: 0.5 };
  return { kind: "pairs", mix: [{ name: name as PairLossName, weight: 1 }], settings };
}

function documentsOf(name: string): DocumentPair[] {
  const document = (prompt: number[], answer: number[]): DocumentPair["first"] => ({
    ids: Int32Array.from([...prompt, ...answer]),
    trained: Uint8Array.from([...prompt.map(() => 0), ...answer.map(() => 1)]),
  });
  return (name === "kto" ? goldens.matched : goldens.pairs).map(([prompt, first, second], at) => ({
    first: document(prompt, first),
    second: document(prompt, second),
    label: name === "kto" ? goldens.labels[at]! : 1,
  }));
}

/** The policy before its first step, whose steps are gradients: SGD with a rate of 1 and no clipping. */
async function open(
  form: (typeof forms)[number],
  name: string,
  golden: PolicyTrlCase,
): Promise<{ policy: TrainablePolicy; batch: PolicyBatch }> {
  const file = openModel(sharedDataPath(model)!);
  const mode: TrainingMode = form === "full" ? { kind: "full" } : { kind: "lora", lora: { ...goldenLora, targetModules: goldens.targets } };
  const pairs = documentsOf(name);
  const length = Math.max(...pairs.map(pairLength));
  const laidOut = layOutPairs(pairs, false, length);
  laidOut.references.set(golden.references);
  const policy = await createTrainablePolicy({
    config: readDecoderConfig(file.config, file.path),
    weights: file.weights,
    path: file.path,
    rows: pairs.length,
    length,
    pairs: mostPairs([laidOut], pairs.length),
    objective: objectiveOf(name, golden),
    mode,
    optimizer: { kind: "sgd", momentum: 0, weightDecay: 0 },
    threads: 1,
    seed: 1,
    temporaryFolder: temporaryFolder(),
  });
  file.weights.close();
  if (form === "lora") goldenFactors(policy.trainedWeights());
  return { policy, batch: allBatches(pairRows(laidOut, length), pairs.length)[0]! };
}

describe("the losses of a policy on stories260K", { skip: withoutSharedData(model) }, () => {
  for (const form of forms) {
    for (const [name, golden] of Object.entries(goldens[form])) {
      test(`are TRL's for ${name} (${form}), with metrics and gradients`, async () => {
        const { policy, batch } = await open(form, name, golden);
        try {
          const before = new Map([...policy.trainedWeights()].map(([key, { data }]) => [key, data.slice()]));
          const { loss, gradNorm, sums, entropy } = await policy.step([batch], 1);
          assertClose([loss, gradNorm], [golden.loss, golden.norm], 1e-4, "loss and norm of the gradient");
          const metrics: Record<string, number> = { ...namedPolicyMetrics(sums, name === "kto" ? "kto" : "pairs"), entropy };
          for (const [key, value] of Object.entries(golden.metrics)) {
            // KTO's entropy is of all answers that are read here, and of TRL's without those to other prompts.
            if (name === "kto" && key === "entropy") continue;
            assert.ok(metrics[key] !== undefined, `${key} is there`);
            assertClose([metrics[key]], [value], 1e-4, key);
          }
          const gradients = new Map(
            [...policy.trainedWeights()].map(([key, tensor]) => [
              key,
              { ...tensor, data: tensor.data.map((value, at) => before.get(key)![at]! - value) },
            ]),
          );
          const { name: worst, difference } = worstDigest(gradients, golden.gradients);
          assert.ok(difference < 1e-3, `the gradient of ${worst} differs by ${difference} of its norm`);
        } finally {
          await policy.dispose();
        }
      });
    }
  }

  test("are all of them, in both forms", () => {
    for (const form of forms) assert.deepEqual(Object.keys(goldens[form]).toSorted(), [...Object.keys(pairLosses), "kto"].toSorted());
  });
});
