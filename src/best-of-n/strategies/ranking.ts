/** @file An order over candidates by a score of each: the rule by which every strategy breaks ties and leaves out what has no score. */

/** A candidate's place in an order, best first. */
export interface Standing {
  /** Which of the request's candidates. */
  index: number;
  /** What it was ordered by; undefined for one that cannot win while another can. */
  score: number | undefined;
}

/** A candidate with the score that a strategy orders by. More is better. */
export interface Scored {
  index: number;
  /** Undefined or not finite: none. */
  score: number | undefined;
}

/**
 * Best first. Of equal scores the lowest index is first, so that an order never depends on who ended when. A score that is no finite number is
 * none: such candidates come last, in order of index, and fail nobody.
 *
 * With rewards as scores this is Best-of-N (Stiennon et al. 2020, arXiv 2009.01325), with mean log-probabilities OpenAI's `best_of`.
 */
export function rankByScore(candidates: readonly Scored[]): Standing[] {
  return candidates
    .map(({ index, score }): Standing => ({ index, score: score !== undefined && Number.isFinite(score) ? score : undefined }))
    .toSorted((one, other) => compareScores(one.score, other.score) || one.index - other.index);
}

/** Negative when the first is better; none is worse than any. */
export function compareScores(one: number | undefined, other: number | undefined): number {
  if (one === undefined || other === undefined) return Number(one === undefined) - Number(other === undefined);
  return other - one;
}
