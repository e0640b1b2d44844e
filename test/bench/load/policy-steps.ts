/** @file Steps of DPO with LoRA in a process of their own, timed. */

import { availableParallelism, tmpdir } from "node:os";
import { readDecoderConfig } from "../../../src/architectures/decoder/decoder-config.ts";
import { openModel } from "../../../src/formats/open-model.ts";
import { allBatches } from "../../../src/training/data/row-data.ts";
import { fillReferences, layOutPairs, pairRows } from "../../../src/training/preference/pair-rows.ts";
import type { DocumentPair } from "../../../src/training/preference/pairs.ts";
import { createTrainablePolicy } from "../../../src/training/preference/model.ts";
import { readMemory } from "./process-memory.ts";
import { benchLora, timed, type TimedSteps } from "./training-steps.ts";

export interface PolicyLoad {
  model: string;
  pairs: number;
  /** Tokens of each of a pair's two documents, of which the first half is the prompt. */
  length: number;
  steps: number;
  recompute: boolean;
}

/** Takes the steps in this process. What the reference says is computed before them, as the trainer does. */
export async function takePolicySteps({ model, pairs: count, length, steps, recompute }: PolicyLoad): Promise<TimedSteps> {
  const file = openModel(model);
  const config = readDecoderConfig(file.config, file.path);
  const all = Array.from({ length: count * steps }, (_, at) => randomPair(length, config.vocabSize, at));
  const laidOut = layOutPairs(all, false, 2 * (length - 1));
  const policy = await createTrainablePolicy({
    config,
    weights: file.weights,
    path: file.path,
    rows: count,
    length: 2 * (length - 1),
    pairs: count,
    objective: {
      kind: "pairs",
      mix: [{ name: "sigmoid", weight: 1 }],
      settings: { beta: 0.1, labelSmoothing: 0, discopopTau: 0.05, gammaBetaRatio: 0.5 },
    },
    mode: { kind: "lora", lora: benchLora },
    optimizer: { kind: "adamw", beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0 },
    maxGradNorm: 1,
    threads: availableParallelism(),
    recompute,
    seed: 0,
    temporaryFolder: tmpdir(),
  });
  file.weights.close();
  const ask: Parameters<typeof fillReferences>[4] = async (batch) => policy.logProbabilities(batch);
  await fillReferences(laidOut, [...laidOut.rows.keys()], 2 * (length - 1), count, ask, new AbortController().signal);
  const seconds = await timed(allBatches(pairRows(laidOut, 2 * (length - 1)), count), (batch) => policy.step([batch], 1e-4));
  const { peakMB } = readMemory(process.pid);
  await policy.dispose();
  return { seconds, peakMB };
}

function randomPair(length: number, vocabSize: number, seed: number): DocumentPair {
  const half = Math.floor(length / 2);
  const token = (at: number): number => (Math.imul(at + 1 + seed * 3 * length, 0x9e3779b1) >>> 0) % vocabSize;
  const document = (answer: number): DocumentPair["first"] => ({
    ids: Int32Array.from({ length }, (_, at) => token(at < half ? at : at + answer * length)),
    trained: Uint8Array.from({ length }, (_, at) => Number(at >= half)),
  });
  return { first: document(1), second: document(2), label: 1 };
}
