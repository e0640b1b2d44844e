/** @file How far judges agree: the share of equal verdicts, and Cohen's kappa (Cohen 1960), which takes off what chance would give. */

/** How two judges stand to each other, over what both judged. */
export interface Agreement {
  /** Judged by both. */
  count: number;
  /** Share of equal verdicts; 0 of none. */
  rate: number;
  /** 1 is full agreement, 0 that of chance, below it less; undefined where chance alone agrees on everything, or nothing was judged. */
  kappa: number | undefined;
  /** Share of equal verdicts where neither says that both are equal; undefined where there is none such. */
  decidedRate: number | undefined;
}

/**
 * Cohen's kappa, (observed - expected) / (1 - expected), where `expected` is the agreement of two judges that keep their own shares of verdicts
 * and throw dice.
 * @param first verdicts of one judge, undefined where it has none
 * @param second of the other, on the same things in the same order
 */
export function agreementOf<T>(first: readonly (T | undefined)[], second: readonly (T | undefined)[], tie?: T): Agreement {
  const [ofFirst, ofSecond] = [new Map<T, number>(), new Map<T, number>()];
  const add = (counts: Map<T, number>, verdict: T): void => void counts.set(verdict, (counts.get(verdict) ?? 0) + 1);
  let [count, equal, decided, decidedEqual] = [0, 0, 0, 0];
  for (const [index, one] of first.entries()) {
    const other = second[index];
    if (one === undefined || other === undefined) continue;
    count++;
    if (one === other) equal++;
    add(ofFirst, one);
    add(ofSecond, other);
    if (one === tie || other === tie) continue;
    decided++;
    if (one === other) decidedEqual++;
  }
  const expected = [...ofFirst].reduce((sum, [verdict, times]) => sum + (times * (ofSecond.get(verdict) ?? 0)) / count ** 2, 0);
  return {
    count,
    rate: count === 0 ? 0 : equal / count,
    kappa: count === 0 || expected === 1 ? undefined : (equal / count - expected) / (1 - expected),
    decidedRate: decided === 0 ? undefined : decidedEqual / decided,
  };
}
