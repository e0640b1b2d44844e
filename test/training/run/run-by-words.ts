/** @file Trainings of tests, by the words of a command line. */

import assert from "node:assert/strict";
import type { Static, TObject } from "typebox";
import { readTrainingOptions, trainingFlags } from "../../../src/config/training-command-line.ts";
import type { RunOutcome, TrainingEvent } from "../../../src/training/run/training-loop.ts";
import type { TrainingRequest } from "../../../src/training/run/training-task.ts";

export interface RunWatching {
  /** Ends the run after this step. */
  stopAfter?: number | undefined;
  log?: ((line: string) => void) | undefined;
}

export async function runByWords<Schema extends TObject>(
  schema: Schema,
  words: readonly string[],
  train: (training: TrainingRequest<Static<Schema>>) => Promise<RunOutcome>,
  { stopAfter, log = () => {} }: RunWatching = {},
): Promise<RunOutcome & { events: TrainingEvent[] }> {
  const invocation = readTrainingOptions(schema, words);
  assert.ok(invocation.kind === "run");
  const { options } = invocation;
  const stop = new AbortController();
  const events: TrainingEvent[] = [];
  const outcome = await train({
    command: "npm run …",
    flags: trainingFlags(schema, options),
    versions: { bonsai: "test" },
    modelPath: (options as { model: string }).model,
    options,
    stop: stop.signal,
    log,
    observe: (event) => {
      events.push(event);
      if (event.kind === "step" && event.metrics.step === stopAfter) stop.abort();
    },
  });
  return { ...outcome, events };
}
