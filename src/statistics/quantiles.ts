/** @file Quantiles and medians of measured numbers. */

/**
 * Interpolates linearly between the closest ranks (Hyndman and Fan 1996, definition 7).
 * @param share from 0, the least value, to 1, the greatest
 * @throws RangeError without values
 */
export function quantile(values: readonly number[], share: number): number {
  if (values.length === 0) throw new RangeError("A quantile needs at least one value.");
  const sorted = ascending(values);
  const place = share * (sorted.length - 1);
  const below = sorted[Math.floor(place)]!;
  const above = sorted[Math.ceil(place)]!;
  return below + (above - below) * (place - Math.floor(place));
}

/** The value in the middle, or the mean of the two that are there. @throws RangeError without values */
export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/**
 * The value in the middle, or the greater of the two that are there: always one of the values. Undefined without
 * values.
 */
export function upperMedian(values: readonly number[]): number | undefined {
  return ascending(values)[Math.floor(values.length / 2)];
}

export interface Spread {
  median: number;
  lowest: number;
  highest: number;
}

/** @throws RangeError without values */
export function spread(values: readonly number[]): Spread {
  return { median: median(values), lowest: quantile(values, 0), highest: quantile(values, 1) };
}

function ascending(values: readonly number[]): number[] {
  return values.toSorted((one, other) => one - other);
}
