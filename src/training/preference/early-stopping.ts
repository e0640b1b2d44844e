/**
 * @file Early stopping, and the warning that good answers become less likely: pure functions of the evaluations of a
 * policy.
 */

import type { EvaluationLine, Metrics } from "../run/metrics-file.ts";

type Evaluation = EvaluationLine & Metrics;

/** Nats of log-probability that a chosen answer may lose without a warning. */
const tolerated = 1;

/**
 * The warning for a policy whose margins grow while the chosen answers become less likely, too (Razin et al. 2024,
 * "likelihood displacement"): both fall, the rejected ones faster. Undefined where there is none.
 */
export function displacementWarning(first: Evaluation, now: Evaluation): string | undefined {
  const change = (name: string): number => (now[name] ?? Number.NaN) - (first[name] ?? Number.NaN);
  const [chosen, margins] = [change("eval_logps/chosen"), change("eval_rewards/margins")];
  if (!(chosen < -tolerated && margins > 0)) return undefined;
  return `Warning: after ${now.step} steps the chosen answers are ${(-chosen).toFixed(1)} nats less likely than at first while margins have grown by ${margins.toFixed(2)}: a higher --beta, a lower --learning-rate, or --loss-type sft or nca_pair in the mix holds them.`;
}

/**
 * Whether the held-out loss of the last `patience` evaluations is no lower than one before them; never where patience
 * is 0.
 */
export function isPastBest(evaluations: readonly EvaluationLine[], patience: number): boolean {
  if (patience === 0 || evaluations.length <= patience) return false;
  const lowest = (lines: readonly EvaluationLine[]): number => lines.reduce((least, line) => Math.min(least, line.eval_loss), Infinity);
  return lowest(evaluations.slice(-patience)) >= lowest(evaluations.slice(0, -patience));
}
