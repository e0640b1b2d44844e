/**
 * @file The one orchestration of all trainers: base model, data, model under training, steps, and what a finished run
 * publishes.
 */

import type { SharedTrainingOptions } from "../../config/training-command-line.ts";
import type { ModelFile } from "../../formats/model-file.ts";
import { openModel } from "../../formats/open-model.ts";
import { allBatches } from "../data/row-data.ts";
import { restoreAdapter } from "../model/adapter-choice.ts";
import { runRecord, writeRunDocuments } from "../report/training-report.ts";
import { inOutputFolder } from "./run-folder.ts";
import { requireSameSoFar, runIdentity } from "./run-identity.ts";
import { loopOptions, maxLengthOf, steppingOf, totalStepsOf } from "./run-options.ts";
import type { SteppedModel, StepOutcome } from "./trainable-model.ts";
import { runSteps, type RunOutcome, type TrainingEvent } from "./training-loop.ts";
import type { TaskData, TrainingRequest, TrainingTask } from "./training-task.ts";

/**
 * Trains a model as a task says, and writes it to the output folder once its last step is done.
 * @param makeTask checks the options against the opened base model
 * @param openBase opens the model at the request's path
 * @throws BonsaiError `usage`, `file_not_found`, `invalid_model_file`, `unsupported_model`, `invalid_tokenizer`,
 *   `invalid_dataset`, `write_failed`, `training_diverged`.
 */
export async function runTraining<
  Rows,
  Batch,
  Step extends StepOutcome,
  Sums,
  Model extends SteppedModel<Batch, Step, Sums>,
  Data extends TaskData<Batch>,
>(
  request: TrainingRequest<SharedTrainingOptions>,
  makeTask: (base: ModelFile) => TrainingTask<Rows, Batch, Step, Sums, Model, Data>,
  openBase: (path: string) => ModelFile = openModel,
): Promise<RunOutcome> {
  const { options, modelPath, flags, log, stop } = request;
  return inOutputFolder(options, modelPath, async (work) => {
    const base = openBase(modelPath);
    try {
      const task = makeTask(base);
      log(task.announcement);
      const run = { flags, options, base, task };
      // Before the data are tokenised, which may take long.
      if (options.resume) requireSameSoFar(run);
      const maxLength = maxLengthOf(options, task.contextLength);
      const rows = task.read(options.dataset, maxLength);
      const heldOut = options.evalDataset.length === 0 ? undefined : task.read(options.evalDataset, maxLength);
      const data = task.layOut(rows, heldOut, maxLength);
      const totalSteps = totalStepsOf(options, data.training.stepsPerEpoch);
      const identity = runIdentity(run, { ...data.summary, totalSteps });
      const opened = await task.open(data, { ...steppingOf(options), temporaryFolder: work.path, stop, identity, totalSteps });
      if (opened === undefined) return { step: 0, isFinished: false, trainSeconds: 0 };
      const { model, measure } = opened;
      try {
        if (task.adapter?.initial !== undefined) restoreAdapter(model, task.adapter.initial);
        const observe = (event: TrainingEvent): void => {
          // Before the checkpoint that may follow.
          work.requireHeld();
          request.observe(event);
          task.observe?.(event);
        };
        const evaluation = data.heldOut && allBatches(data.heldOut, options.batchSize);
        const outcome = await runSteps(
          {
            model,
            data: data.training,
            evaluation,
            ...loopOptions(options, totalSteps),
            identity,
            stop,
            observe,
            measure,
            isEnough: task.isEnough,
          },
          task.metrics,
        );
        if (outcome.isFinished) {
          work.requireHeld();
          const record = runRecord(request, base, outcome, data.training.stepsPerEpoch);
          await writeRunDocuments(options.outputDir, await task.publish(model, data, record));
        }
        return outcome;
      } finally {
        await opened.dispose();
      }
    } finally {
      base.weights.close();
    }
  });
}
