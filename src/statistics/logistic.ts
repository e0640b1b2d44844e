/** @file The logistic function, which makes a probability of a difference of rewards or utilities. */

/** @param logit in nats; any number, also an infinite one */
export function sigmoid(logit: number): number {
  return 1 / (1 + Math.exp(-logit));
}
