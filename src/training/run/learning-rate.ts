/** @file Learning rates by step: constant, linear or cosine, after a linear warm-up, as transformers schedules them. */

export const schedulerTypes = ["constant", "linear", "cosine"] as const;
export type SchedulerType = (typeof schedulerTypes)[number];

export interface Schedule {
  type: SchedulerType;
  /** The highest rate. */
  learningRate: number;
  /** Steps over which the rate rises from 0. */
  warmupSteps: number;
  /** Steps of the whole run, at whose end linear and cosine reach 0. */
  totalSteps: number;
}

/**
 * The rate of a step, counted from 0 (transformers' optimization.py, `get_constant_schedule_with_warmup`,
 * `get_linear_schedule_with_warmup` and `get_cosine_schedule_with_warmup` with half a cycle). With a warm-up the first
 * step's rate is 0.
 */
export function learningRateAt({ type, learningRate, warmupSteps, totalSteps }: Schedule, step: number): number {
  if (step < warmupSteps) return learningRate * (step / Math.max(1, warmupSteps));
  const progress = (step - warmupSteps) / Math.max(1, totalSteps - warmupSteps);
  return learningRate * Math.max(0, shapes[type](progress));
}

/** The share of the highest rate, by the share of the run after the warm-up. */
const shapes: Readonly<Record<SchedulerType, (progress: number) => number>> = {
  constant: () => 1,
  linear: (progress) => 1 - progress,
  cosine: (progress) => 0.5 * (1 + Math.cos(Math.PI * progress)),
};
