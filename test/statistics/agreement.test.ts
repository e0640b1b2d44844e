/** @file Agreement between judges against worked examples of the literature, and by its properties. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { agreementOf } from "../../src/statistics/agreement.ts";

/** Two lists of verdicts with the given table of counts: [first's verdict][second's verdict]. */
function ofTable(table: readonly (readonly number[])[]): [number[], number[]] {
  const cells = table.flatMap((row, first) =>
    row.flatMap((count, second) => Array.from({ length: count }, () => [first, second] as const)),
  );
  return [cells.map(([first]) => first), cells.map(([, second]) => second)];
}

function kappaOf(table: readonly (readonly number[])[]): number {
  const { kappa } = agreementOf(...ofTable(table));
  assert.ok(kappa !== undefined);
  return kappa;
}

describe("Cohen's kappa", () => {
  it("is that of worked examples", () => {
    // Two readers of fifty grant proposals: observed 0.7, expected 0.5.
    assert.ok(Math.abs(kappaOf([[20, 5], [10, 15]]) - 0.4) < 1e-12); // prettier-ignore
    // The same observed agreement of 0.6, with other shares of verdicts.
    assert.ok(Math.abs(kappaOf([[45, 15], [25, 15]]) - (0.6 - 0.54) / 0.46) < 1e-12); // prettier-ignore
    assert.ok(Math.abs(kappaOf([[25, 35], [5, 35]]) - (0.6 - 0.46) / 0.54) < 1e-12); // prettier-ignore
    // The example of Cohen 1960, two hundred people in three classes: observed 0.70, expected 0.41.
    assert.ok(Math.abs(kappaOf([[88, 14, 18], [10, 40, 10], [2, 6, 12]]) - (0.7 - 0.41) / 0.59) < 1e-12); // prettier-ignore
  });

  it("is 1 for one who agrees with himself, and none where only one verdict is ever given", () => {
    assert.equal(agreementOf([1, 0, -1], [1, 0, -1]).kappa, 1);
    assert.equal(agreementOf([1, 1], [1, 1]).kappa, undefined);
    assert.deepEqual(agreementOf([], []), { count: 0, rate: 0, kappa: undefined, decidedRate: undefined });
  });

  it("is alike from both sides, at most 1, and 0 on average between those who throw dice", () => {
    const verdicts = fc.array(fc.tuple(fc.constantFrom(-1, 0, 1), fc.constantFrom(-1, 0, 1)), { minLength: 1, maxLength: 50 });
    fc.assert(
      fc.property(verdicts, (pairs) => {
        const [first, second] = [pairs.map(([one]) => one), pairs.map(([, other]) => other)];
        const { kappa, rate } = agreementOf(first, second);
        const back = agreementOf(second, first).kappa;
        assert.ok(kappa === undefined ? back === undefined : Math.abs(kappa - back!) < 1e-9 && kappa <= rate + 1e-9);
      }),
    );
    assert.ok(Math.abs(kappaOf([[9, 3], [3, 1]])) < 1e-12); // prettier-ignore
  });
});

describe("agreement", () => {
  it("counts what both judged, and apart from it where both decide", () => {
    const first = [1, 1, 0, -1, undefined, 1];
    const second = [1, -1, 0, 0, 1, undefined];
    assert.deepEqual({ ...agreementOf(first, second, 0), kappa: 0 }, { count: 4, rate: 0.5, kappa: 0, decidedRate: 0.5 });
  });
});
