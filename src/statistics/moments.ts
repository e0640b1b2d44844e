/** @file The mean of numbers, and their standard deviation around it. */

/** NaN without values. */
export function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/**
 * The standard deviation of the values themselves, not an estimate of that of what they were drawn from. NaN without
 * values.
 */
export function standardDeviation(values: readonly number[]): number {
  const middle = meanOf(values);
  return Math.sqrt(values.reduce((sum, value) => sum + (value - middle) ** 2, 0) / values.length);
}
