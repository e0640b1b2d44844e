/** @file What a person sees of a training run: a line that is redrawn on a terminal, plain lines elsewhere, and what evaluations find. */

import type { TrainingEvent } from "../train/training-run.ts";
import { createProgress, type ProgressStream } from "./progress.ts";

/** Steps over which the speed is averaged. */
const speedSteps = 20;

/** Shows events as they come. `end` closes the line that is being redrawn. */
export function trainingProgress(
  stream: ProgressStream,
  log: (line: string) => void,
): { observe: (event: TrainingEvent) => void; end: () => void } {
  const recent: { tokens: number; seconds: number }[] = [];
  let loss = Number.NaN;
  const speed = (): string => {
    const [tokens, seconds] = recent.reduce(([sum, time], step) => [sum + step.tokens, time + step.seconds], [0, 0]) as [number, number];
    return `${Math.round(tokens / Math.max(seconds, 1e-9))} tokens/s`;
  };
  const progress = createProgress(stream, log, {
    amount: (done, total) => `${done}/${total} loss ${loss.toFixed(3)}`,
    speed,
    whole: (total) => `${total} steps: loss ${loss.toFixed(3)}, ${speed()}`,
  });
  const say = (line: string): void => {
    if (stream.isTTY === true) progress.end();
    log(line);
  };
  return {
    observe(event): void {
      if (event.kind === "step") {
        loss = event.metrics.loss;
        recent.push(event);
        if (recent.length > speedSteps) recent.shift();
        progress.update("train", event.metrics.step, event.totalSteps);
      } else if (event.kind === "evaluation") {
        const { step, eval_loss: held, eval_mean_token_accuracy: accuracy } = event.metrics;
        say(`After ${step} steps: held-out loss ${held.toFixed(4)}, token accuracy ${accuracy.toFixed(4)}.`);
      } else if (event.kind === "resumed") {
        say(`Going on from the checkpoint of step ${event.step}.`);
      }
    },
    end: () => progress.end(),
  };
}
