/**
 * @file Ranks candidates by a score of each, with the rules that all strategies share for ties and for candidates
 * without a score.
 */

/** An entry of a ranking, which is a list of candidates, best first. */
export interface RankedCandidate {
  /** Index of the candidate in the request. */
  index: number;
  /** What the strategy ordered by; undefined for a candidate that cannot win while another can. */
  score: number | undefined;
}

/** A candidate with the score that a strategy orders by. More is better. */
export interface Scored {
  index: number;
  /** Undefined or not finite: the candidate has none. */
  score: number | undefined;
}

/**
 * Best first. Among equal scores the lowest index is first, so that a ranking never depends on which candidate ended
 * first. A score that is not finite counts as none: such candidates come last, in order of index.
 *
 * With rewards as scores this is Best-of-N (Stiennon et al. 2020, arXiv 2009.01325), with mean log-probabilities
 * OpenAI's `best_of`.
 */
export function rankByScore(candidates: readonly Scored[]): RankedCandidate[] {
  return candidates
    .map(({ index, score }): RankedCandidate => ({ index, score: score !== undefined && Number.isFinite(score) ? score : undefined }))
    .toSorted((one, other) => compareScores(one.score, other.score) || one.index - other.index);
}

/** Negative when the first is better. No score is worse than any score. */
export function compareScores(one: number | undefined, other: number | undefined): number {
  if (one === undefined || other === undefined) return Number(one === undefined) - Number(other === undefined);
  return other - one;
}
