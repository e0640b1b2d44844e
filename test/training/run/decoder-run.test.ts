/**
 * @file Runs of a real decoder that end badly: what is no number and what does not fit on the disk stop them, with the
 * last checkpoint whole.
 */

import assert from "node:assert/strict";
import { cpSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { checkpointSteps, readCheckpoint } from "../../../src/training/run/checkpoint.ts";
import { readMetricLines } from "../../../src/training/run/metrics-file.ts";
import { documentRows, layOut } from "../../../src/training/data/document-rows.ts";
import { allBatches } from "../../../src/training/data/row-data.ts";
import { languageMetrics } from "../../../src/training/language/task.ts";
import { runSteps, type RunOutcome } from "../../../src/training/run/training-loop.ts";
import { assertRejected } from "../../formats/expect-error.ts";
import { smallDisk, withoutSmallDisk } from "../../fixtures/small-disk.ts";
import { temporaryFolder } from "../../fixtures/temporary-folder.ts";
import { cycleData, cycleDocuments, type LanguageLoop } from "./bigram-run.ts";
import { createGolden } from "../model/golden-decoder.ts";

const root = temporaryFolder();
const heldOut = allBatches(documentRows(layOut(cycleDocuments(4, 3), "bfd", 32), 32), 2);

interface DecoderRun extends Partial<Omit<LanguageLoop, "model" | "schedule">> {
  steps: number;
  learningRate?: number;
}

/** Trains the tiny Llama on noisy cycles, with a checkpoint after every step. */
async function decoderRun(outputDir: string, { steps, learningRate = 3e-3, ...changes }: DecoderRun): Promise<RunOutcome> {
  const model = await createGolden("llama", { rows: 2, length: 32 });
  try {
    const options: LanguageLoop = {
      model,
      data: cycleData(),
      evaluation: undefined,
      schedule: { type: "constant", learningRate, warmupSteps: 0, totalSteps: steps },
      outputDir,
      saveSteps: 1,
      saveTotalLimit: 2,
      evalSteps: 1,
      resume: true,
      identity: { data: "cycles" },
      stop: new AbortController().signal,
      observe: () => undefined,
      ...changes,
    };
    return await runSteps(options, languageMetrics);
  } finally {
    await model.dispose();
  }
}

const stateAt = (folder: string, step: number): Buffer => readFileSync(join(folder, `checkpoints/step-${step}/state.safetensors`));

describe("a decoder's run", () => {
  test("whose held-out loss is no number says so, with the last checkpoint whole", async () => {
    const folder = join(root, "evaluation");
    await decoderRun(folder, { steps: 2, evaluation: heldOut });
    const before = stateAt(folder, 2);
    // One step so long that the weights are still numbers, and sums of their products none.
    await assertRejected(
      decoderRun(folder, { steps: 3, learningRate: 1e15, evaluation: heldOut }),
      "training_diverged",
      /held-out loss became NaN at step 3: begin anew with a lower .*step 2 is whole/,
    );
    assert.deepEqual(readdirSync(join(folder, "checkpoints")).toSorted(), ["step-1", "step-2"]);
    assert.ok(stateAt(folder, 2).equals(before));
    // What was no number is in no line of the metrics once the run goes on.
    await decoderRun(folder, { steps: 3, evaluation: heldOut });
    const { steps, evaluations } = readMetricLines(join(folder, "metrics.jsonl"));
    assert.deepEqual([steps.map(({ step }) => step), evaluations.map(({ step }) => step)], [[1, 2, 3], [0, 1, 2, 3]]); // prettier-ignore
  });

  test("whose last update left infinities leaves no checkpoint of them, though nothing was evaluated", async () => {
    const folder = join(root, "last update");
    await decoderRun(folder, { steps: 2 });
    await assertRejected(
      decoderRun(folder, { steps: 3, learningRate: 1e39 }),
      "training_diverged",
      /tensor "model\.[a-z0-9._]+" became (NaN|-?Infinity) at step 3: .*step 2 is whole/,
    );
    assert.deepEqual(readdirSync(join(folder, "checkpoints")).toSorted(), ["step-1", "step-2"]);
    await assertRejected(
      decoderRun(join(root, "first update"), { steps: 1, learningRate: 1e39 }),
      "training_diverged",
      /at step 1: begin anew with a lower --learning-rate or --max-grad-norm\.$/,
    );
  });

  test("that fills the disk says so, with the last checkpoint whole; with room it goes on to the same bytes", async (t) => {
    const folder = join(root, "full");
    // Two checkpoints of 270 KiB fit; the third is written before the first goes.
    const unmount = smallDisk(folder, 700);
    if (unmount === undefined) return t.skip(withoutSmallDisk);
    const roomy = join(root, "roomy");
    try {
      await assertRejected(
        decoderRun(folder, { steps: 4 }),
        "write_failed",
        /full\/checkpoints\/\.step-3\.partial\/state\.safetensors cannot be written: the disk is full\.$/,
      );
      assert.deepEqual(checkpointSteps(join(folder, "checkpoints")), [1, 2]);
      assert.deepEqual(readdirSync(join(folder, "checkpoints")).toSorted(), ["step-1", "step-2"]);
      assert.equal(readCheckpoint(join(folder, "checkpoints/step-2")).progress.step, 2);
      cpSync(folder, roomy, { recursive: true });
    } finally {
      unmount();
    }
    await decoderRun(roomy, { steps: 4 });
    const whole = join(root, "whole");
    await decoderRun(whole, { steps: 4 });
    assert.ok(stateAt(roomy, 4).equals(stateAt(whole, 4)));
    assert.ok(readFileSync(join(roomy, "metrics.jsonl")).equals(readFileSync(join(whole, "metrics.jsonl"))));
  });
});
