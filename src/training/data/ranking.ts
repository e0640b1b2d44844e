/** @file How answers rank by one measure, and the choices that a ranking is taken for. */

/** What is known of some answers' order. */
export interface Ranking {
  /** Rank of each answer, in their order; 1 is the best, and equal ranks are ties. */
  ranks: readonly number[];
  /** Least difference of the rewards of a pair that the label asks for; only pairs have one. */
  margin?: number | undefined;
}

/** Answer `chosen`, an index, was taken from those of `among`, itself included. */
export interface Choice {
  chosen: number;
  among: readonly number[];
}

/**
 * The best answer is chosen from all, the second from the rest, and so on (Plackett 1975). Of answers that tie each is
 * chosen from itself, those it ties with and those below (Breslow 1974, the discussion of Cox 1972, for ties of partial
 * likelihoods), which draws their rewards together. A choice from one answer says nothing and is left out.
 */
export function choicesOf({ ranks }: Ranking): Choice[] {
  return ranks
    .map((rank, chosen) => ({ chosen, among: [...ranks.keys()].filter((other) => ranks[other]! >= rank) }))
    .filter(({ among }) => among.length > 1);
}

/** The ranking cut to two of its answers. */
export function rankingOfPair({ ranks, margin }: Ranking, first: number, second: number): Ranking {
  return { ranks: [ranks[first]!, ranks[second]!], margin };
}

/** The pairs of n things, as indices. */
export function pairsOf(n: number): [number, number][] {
  const all = Array.from({ length: n }, (_, index) => index);
  return all.flatMap((first) => all.slice(first + 1).map((second): [number, number] => [first, second]));
}
