/**
 * @file Shows the progress of a training run: a line that is redrawn on a terminal, plain lines elsewhere, and the
 * results of evaluations.
 */

import type { Metrics } from "../../training/run/metrics-file.ts";
import type { TrainingEvent } from "../../training/run/training-loop.ts";
import { createProgress, timeLeft, type ProgressStream } from "../../progress/progress.ts";

/** Steps over which the speed is averaged. */
const speedSteps = 20;

/** Shows events as they come. `end` closes the line that is being redrawn. */
export function trainingProgress(
  stream: ProgressStream,
  log: (line: string) => void,
): { observe: (event: TrainingEvent) => void; end: () => void } {
  const recent: { tokens: number; seconds: number }[] = [];
  let [step, loss] = [0, Number.NaN];
  const seconds = (): number => recent.reduce((sum, one) => sum + one.seconds, 0);
  const speed = (): string => {
    const tokens = recent.reduce((sum, one) => sum + one.tokens, 0);
    return `${Math.round(tokens / Math.max(seconds(), 1e-9))} tokens/s`;
  };
  const left = (total: number): string => timeLeft(Math.ceil(((total - step) * seconds()) / recent.length));
  const progress = createProgress(stream, log, {
    amount: (done, total) => `${done}/${total} loss ${loss.toFixed(3)}`,
    speed,
    whole: (total) => `${total} steps: loss ${loss.toFixed(3)}, ${speed()}, ${left(total)}`,
  });
  const say = (line: string): void => {
    if (stream.isTTY === true) progress.end();
    log(line);
  };
  return {
    observe(event): void {
      if (event.kind === "step") {
        ({ step, loss } = event.metrics);
        recent.push(event);
        if (recent.length > speedSteps) recent.shift();
        progress.update("train", step, event.totalSteps);
      } else if (event.kind === "evaluation") {
        const { step: done, eval_loss: held } = event.metrics;
        say(`After ${done} steps: held-out loss ${held.toFixed(4)}${shownAccuracy(event.metrics)}.`);
      } else if (event.kind === "checkpoint passed over") {
        say(`Passing over a damaged checkpoint, which is now ${event.path}: ${event.reason}`);
      } else if (event.kind === "resumed") {
        say(`Going on from the checkpoint of step ${event.step}.`);
      }
    },
    end: () => progress.end(),
  };
}

/** The accuracy of predicted tokens or of compared answers, whichever the trainer measures. */
function shownAccuracy(metrics: Metrics): string {
  const { eval_mean_token_accuracy: ofTokens, eval_accuracy: ofAnswers, "eval_rewards/accuracies": ofPairs = ofAnswers } = metrics;
  if (ofTokens !== undefined) return `, token accuracy ${ofTokens.toFixed(4)}`;
  return ofPairs === undefined ? "" : `, accuracy ${ofPairs.toFixed(4)}`;
}
