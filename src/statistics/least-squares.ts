/** @file The straight line that lies closest to points, by least squares. */

import { meanOf } from "./moments.ts";

/** Change of y for each unit of x; 0 where all points have the same x. */
export function slope(points: readonly { x: number; y: number }[]): number {
  const meanX = meanOf(points.map(({ x }) => x));
  const meanY = meanOf(points.map(({ y }) => y));
  const covariance = points.reduce((sum, { x, y }) => sum + (x - meanX) * (y - meanY), 0);
  const variance = points.reduce((sum, { x }) => sum + (x - meanX) ** 2, 0);
  return variance === 0 ? 0 : covariance / variance;
}
