/** @file What a practitioner watches while a policy is tuned: whether it unlearns good answers, and whether it still gets better. Pure functions of evaluations. */

import type { EvaluationLine, Metrics } from "../run/metrics-file.ts";

type Evaluation = EvaluationLine & Metrics;

/** Nats that a chosen answer may lose, of the log-probability that it began with, before it is spoken of. */
const tolerated = 1;

/**
 * What to tell of a policy whose margins grow while the chosen answers, too, become less likely (Razin et al. 2024, "likelihood displacement"): both fall, the
 * rejected ones faster, and what gains is something else. Undefined where there is nothing to tell.
 */
export function displacementWarning(first: Evaluation, now: Evaluation): string | undefined {
  const change = (name: string): number => (now[name] ?? Number.NaN) - (first[name] ?? Number.NaN);
  const [chosen, margins] = [change("eval_logps/chosen"), change("eval_rewards/margins")];
  if (!(chosen < -tolerated && margins > 0)) return undefined;
  return `Warning: after ${now.step} steps the chosen answers are ${(-chosen).toFixed(1)} nats less likely than at first while margins have grown by ${margins.toFixed(2)}: a higher --beta, a lower --learning-rate, or --loss-type sft or nca_pair in the mix holds them.`;
}

/** Whether the held-out loss of the last `patience` evaluations is no lower than one before them; never where patience is 0. */
export function isPastBest(evaluations: readonly EvaluationLine[], patience: number): boolean {
  if (patience === 0 || evaluations.length <= patience) return false;
  const losses = evaluations.map((line) => line.eval_loss);
  return Math.min(...losses.slice(-patience)) >= Math.min(...losses.slice(0, -patience));
}
