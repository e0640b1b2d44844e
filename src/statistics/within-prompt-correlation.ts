/** @file How two numbers of answers go together among the answers to one prompt: what sets prompts apart helps no choice among candidates. */

/** Sums over all pairs of numbers, both less their means over the prompt's. */
export interface WithinMoments {
  /** Pairs of prompts that have two or more. */
  count: number;
  products: number;
  firstSquares: number;
  secondSquares: number;
}

/** @param prompts pairs of numbers, one for each answer of each prompt; a prompt with one of them says nothing */
export function momentsWithin(prompts: Iterable<readonly (readonly [first: number, second: number])[]>): WithinMoments {
  const moments = { count: 0, products: 0, firstSquares: 0, secondSquares: 0 };
  for (const pairs of prompts) {
    if (pairs.length < 2) continue;
    const meanFirst = pairs.reduce((sum, [first]) => sum + first, 0) / pairs.length;
    const meanSecond = pairs.reduce((sum, [, second]) => sum + second, 0) / pairs.length;
    for (const [first, second] of pairs) {
      moments.products += (first - meanFirst) * (second - meanSecond);
      moments.firstSquares += (first - meanFirst) ** 2;
      moments.secondSquares += (second - meanSecond) ** 2;
    }
    moments.count += pairs.length;
  }
  return moments;
}
