/**
 * @file How far judges agree: the share of equal verdicts, and Cohen's kappa (Cohen 1960), which discounts what chance
 * would give.
 */

/** The agreement of two judges on what both judged. */
export interface Agreement {
  /** Things that both judged. */
  count: number;
  /** The share of equal verdicts; 0 where nothing was judged. */
  rate: number;
  /**
   * 1 is full agreement, 0 that of chance, and less is worse. Undefined where chance alone agrees on everything, or
   * nothing was judged.
   */
  kappa: number | undefined;
  /**
   * The share of equal verdicts where neither judge says that both are equal; undefined where there is no such thing.
   */
  decidedRate: number | undefined;
}

/**
 * Cohen's kappa is (observed - expected) / (1 - expected), where `expected` is the agreement of two judges that keep
 * their own shares of verdicts and draw them at random.
 * @param first verdicts of one judge, undefined where it has none
 * @param second verdicts of the other, on the same things in the same order
 * @param tie the verdict that says that both are equal
 */
export function agreementOf<T>(first: readonly (T | undefined)[], second: readonly (T | undefined)[], tie?: T): Agreement {
  const pairs = first.flatMap((one, index): [T, T][] => {
    const other = second[index];
    return one === undefined || other === undefined ? [] : [[one, other]];
  });
  const decided = pairs.filter((verdicts) => tie === undefined || !verdicts.includes(tie));
  const [firstCounts, secondCounts] = [countsOf(pairs.map(([one]) => one)), countsOf(pairs.map(([, other]) => other))];
  const count = pairs.length;
  const expected = [...firstCounts].reduce((sum, [verdict, times]) => sum + (times * (secondCounts.get(verdict) ?? 0)) / count ** 2, 0);
  const rate = count === 0 ? 0 : equalIn(pairs) / count;
  return {
    count,
    rate,
    kappa: count === 0 || expected === 1 ? undefined : (rate - expected) / (1 - expected),
    decidedRate: decided.length === 0 ? undefined : equalIn(decided) / decided.length,
  };
}

function countsOf<T>(verdicts: readonly T[]): Map<T, number> {
  const counts = new Map<T, number>();
  for (const verdict of verdicts) counts.set(verdict, (counts.get(verdict) ?? 0) + 1);
  return counts;
}

function equalIn<T>(pairs: readonly (readonly [T, T])[]): number {
  return pairs.filter(([one, other]) => one === other).length;
}
