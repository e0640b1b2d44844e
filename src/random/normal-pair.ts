/**
 * @file Normal numbers from uniform ones (Box and Muller 1958, "A note on the generation of random normal deviates").
 */

/**
 * Two independent normal numbers of mean 0.
 * @param first uniform, above 0 and at most 1
 * @param second uniform, in [0, 1)
 * @param deviation their standard deviation
 */
export function normalPair(first: number, second: number, deviation: number): [number, number] {
  const radius = deviation * Math.sqrt(-2 * Math.log(first));
  const angle = 2 * Math.PI * second;
  return [radius * Math.cos(angle), radius * Math.sin(angle)];
}
