/** @file The standard normal distribution: its density, its upper tail, and the quantile of 95% intervals. */

/** Leaves 2.5% of the distribution above it: a 95% interval reaches so many standard deviations to each side. */
export const normalQuantile975 = 1.959963984540054;

export function normalDensity(x: number): number {
  return Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI);
}

/** P(X > x) of a standard normal X, to 1e-7 (Abramowitz and Stegun 1964, 26.2.17). */
export function normalTail(x: number): number {
  if (x < 0) return 1 - normalTail(-x);
  const t = 1 / (1 + 0.231_641_9 * x);
  const polynomial = t * (0.319_381_53 + t * (-0.356_563_782 + t * (1.781_477_937 + t * (-1.821_255_978 + t * 1.330_274_429))));
  return normalDensity(x) * polynomial;
}
