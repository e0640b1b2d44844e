/** @file Win rates: cases worked by hand. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { winRatesOf, type Outcome } from "../../src/evaluation/win-rates.ts";

describe("win rates", () => {
  test("count half of each tie, leave out what has no opinion, and tell answers of like lengths from others", () => {
    const outcome = (prompt: number, preference: Outcome["preference"], own: number, other: number): Outcome => ({
      prompt,
      preference,
      words: [own, other],
    });
    const { all, alike, longer, withoutOpinion } = winRatesOf([
      outcome(0, 1, 20, 10),
      outcome(1, 0, 10, 10),
      outcome(2, -1, 10, 11),
      outcome(3, 1, 9, 10),
      outcome(4, -1, 10, 12),
      outcome(5, undefined, 10, 10),
    ]);
    assert.deepEqual([all!.share, all!.cases, withoutOpinion], [2.5 / 5, 5, 1]);
    // 10 and 11 differ by less than a tenth of 11, 9 and 10 by just a tenth, 10 and 12 by more.
    assert.deepEqual([alike!.share, alike!.cases], [1.5 / 3, 3]);
    // Longer won: prompt 0, 2 and 4; prompt 3's longer answer lost; prompt 1 has none.
    assert.deepEqual([longer!.share, longer!.cases], [3 / 4, 4]);
  });

  test("of nothing are none", () => {
    assert.deepEqual(winRatesOf([{ prompt: 0, preference: undefined, words: [1, 1] }]), {
      all: undefined,
      alike: undefined,
      controlled: undefined,
      longer: undefined,
      withoutOpinion: 1,
    });
  });
});
