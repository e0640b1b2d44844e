/**
 * @file A run of the bigram model over fixed documents, for the tests of the loop; as a program it is a run to kill.
 */

import { pathToFileURL } from "node:url";
import { BonsaiError } from "../../../src/errors/bonsai-error.ts";
import type { TrainingDocument } from "../../../src/training/data/documents.ts";
import { documentRows, layOut } from "../../../src/training/data/document-rows.ts";
import { allBatches, RowData } from "../../../src/training/data/row-data.ts";
import { languageMetrics } from "../../../src/training/language/task.ts";
import { runSteps, type LoopOptions, type RunOutcome, type TrainingEvent } from "../../../src/training/run/training-loop.ts";
import type { EvaluationSums, TokenBatch, TrainStep } from "../../../src/training/run/trainable-model.ts";
import { BigramModel } from "./bigram-model.ts";

const vocabSize = 24;

/** Documents of a noisy cycle, which a bigram can learn. */
export function cycleDocuments(count: number, first: number): TrainingDocument[] {
  return Array.from({ length: count }, (_, document) => {
    const length = 5 + ((document * 7 + first) % 20);
    const ids = Int32Array.from(
      { length },
      (_place, at) => ((document + at) * 5 + ((document * 31 + at * 17 + first) % 11 === 0 ? 1 : 0)) % vocabSize,
    );
    return { ids, trained: new Uint8Array(length).fill(1) };
  });
}

/** Rows of 32 places, laid out for the tests' runs. */
export function cycleData(changes: { batchSize?: number; accumulationSteps?: number } = {}): RowData<TokenBatch> {
  const order = { batchSize: 2, accumulationSteps: 2, seed: 5, shuffle: true, ...changes };
  return new RowData(documentRows(layOut(cycleDocuments(120, 0), "bfd", 32), 32), order);
}

/** The options of a language model's loop. */
export type LanguageLoop = LoopOptions<TokenBatch, TrainStep, EvaluationSums>;

/** Runs 40 steps over about three epochs, with a checkpoint every 4 and an evaluation every 10. */
export async function bigramRun(outputDir: string, changes: Partial<LanguageLoop> = {}): Promise<RunOutcome> {
  const options: LanguageLoop = {
    model: new BigramModel(vocabSize),
    data: cycleData(),
    evaluation: allBatches(documentRows(layOut(cycleDocuments(20, 3), "bfd", 32), 32), 2),
    schedule: { type: "cosine", learningRate: 0.1, warmupSteps: 4, totalSteps: 40 },
    outputDir,
    saveSteps: 4,
    saveTotalLimit: 2,
    evalSteps: 10,
    resume: false,
    identity: { "--learning-rate": 0.1, data: "cycles" },
    stop: new AbortController().signal,
    observe: () => undefined,
    ...changes,
  };
  return runSteps(options, languageMetrics);
}

/** `bigram-run.ts FOLDER`: goes on with the run of the folder and says each step. */
async function main([outputDir = ""]: readonly string[]): Promise<void> {
  const observe = (event: TrainingEvent): void => {
    if (event.kind === "step") process.stdout.write(`step ${event.metrics.step}\n`);
  };
  try {
    await bigramRun(outputDir, { resume: true, observe });
  } catch (error) {
    if (!(error instanceof BonsaiError)) throw error;
    process.stderr.write(`${error.code}: ${error.message}\n`);
    process.exitCode = 1;
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) await main(process.argv.slice(2));
