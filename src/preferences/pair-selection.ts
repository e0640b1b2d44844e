/**
 * @file Which of a prompt's judged pairs a policy is tuned on: few that say much, rather than all. Noisy verdicts turn
 * on pairs whose answers are about as good as each other, and a judge that likes length teaches length.
 */

import type { CollectedPrompt } from "./collection.ts";

export interface PairSelection {
  /**
   * Most pairs of a prompt: those first whose better answer stands furthest above the other, over all answers to it.
   * Undefined takes all.
   */
  strongest: number | undefined;
  /** What each word takes off an answer's standing, in the judge's units: against a judge's taste for length. */
  lengthPenalty: number;
  /** Pairs of a smaller margin, in the judge's units, are left out; a judge that cannot say has margins of 1. */
  leastMargin: number;
  /** Pairs whose answers differ by more words are left out. Undefined takes all. */
  mostLengthDifference: number | undefined;
  /** Leaves out pairs of which the judge prefers the other answer in a dimension. */
  agreeing: boolean;
}

/** Why pairs were left out: the first of these reasons that holds. */
export interface SelectionCounts {
  close: number;
  unlikeLengths: number;
  contradicted: number;
  weaker: number;
}

// prettier-ignore
export const everyPair: PairSelection = {
  strongest: undefined, lengthPenalty: 0, leastMargin: 0, mostLengthDifference: undefined, agreeing: false,
};

/**
 * @param places of the pairs that have a verdict, among `collected.pairs`
 * @returns those of them that are taken, in their order. `counts` grows by the others.
 */
export function selectPairs(
  collected: Pick<CollectedPrompt, "candidates" | "pairs" | "verdicts">,
  judge: string,
  places: readonly number[],
  { strongest, lengthPenalty, leastMargin, mostLengthDifference, agreeing }: PairSelection,
  counts: SelectionCounts,
): number[] {
  const { candidates, pairs = [] } = collected;
  const verdicts = collected.verdicts?.[judge] ?? [];
  const words = candidates.map(({ text }) => text.split(/\s+/).filter((word) => word !== "").length);
  const fits = places.filter((place) => {
    const [first, second] = pairs[place]!;
    const { preference, margin = 1, preferences = {} } = verdicts[place]!;
    if (margin < leastMargin) counts.close++;
    else if (Math.abs(words[first]! - words[second]!) > (mostLengthDifference ?? Infinity)) counts.unlikeLengths++;
    else if (agreeing && Object.values(preferences).some((one) => one * preference! < 0)) counts.contradicted++;
    else return true;
    return false;
  });
  if (strongest === undefined || fits.length <= strongest) return fits;
  counts.weaker += fits.length - strongest;
  const standings = meanMarginsOf(collected, judge).map((standing, place) => standing - lengthPenalty * words[place]!);
  const gap = (place: number): number => {
    const [first, second] = pairs[place]!;
    return verdicts[place]!.preference! * (standings[first]! - standings[second]!);
  };
  return fits
    .toSorted((a, b) => gap(b) - gap(a) || a - b)
    .slice(0, strongest)
    .toSorted((a, b) => a - b);
}

/** The mean margin by which each answer was preferred to the others; negative where the others were preferred. */
function meanMarginsOf(
  { candidates, pairs = [], verdicts }: Pick<CollectedPrompt, "candidates" | "pairs" | "verdicts">,
  judge: string,
): number[] {
  const [sums, counts] = [candidates.map(() => 0), candidates.map(() => 0)];
  for (const [place, [first, second]] of pairs.entries()) {
    const { preference, margin = 1 } = verdicts?.[judge]?.[place] ?? {};
    if (preference === undefined) continue;
    sums[first]! += preference * margin;
    sums[second]! -= preference * margin;
    counts[first]!++;
    counts[second]!++;
  }
  return sums.map((sum, place) => sum / Math.max(1, counts[place]!));
}
